"""JupyterHub's configuration, all of it, from a platform and where it runs."""

from despejado_hub.jupyterhub_config.configure import configure

__all__ = ["configure"]
