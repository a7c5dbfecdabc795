"""Variables of the supervisor's environment that its processes do not get."""

FOREIGN = ("JUPYTERHUB_", "JPY_", "CONFIGPROXY_", "DESPEJADO_")
"""Beginnings of variables that belong to another platform when a supervisor runs inside one."""
