"""The lab side: server launcher, status badge, exits and tutorials in JupyterLab."""
