"""The lab side: server launcher, status badge, exits and tutorials in JupyterLab."""

from __future__ import annotations


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where `jupyter-builder develop` finds the bundle."""
    return [{"src": "labextension", "dest": "despejado-lab"}]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """The server extension; imported late, so that the launcher stays quick."""
    from despejado_lab.app import DespejadoLab

    return [{"module": "despejado_lab", "app": DespejadoLab}]
