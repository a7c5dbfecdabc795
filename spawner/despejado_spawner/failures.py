"""Our errors as JupyterHub's: an expected failure with a status, without a traceback."""

from __future__ import annotations

from html import escape

from tornado.web import HTTPError

from despejado_spawner.errors import SpawnerError

try:
    from jupyterhub.spawner import SpawnException
except ImportError:  # JupyterHub 5.5: the class came with 6.0
    SpawnException = None


def spawn_failure(error: SpawnerError) -> HTTPError:
    """The exception to raise from a spawner for one of our errors, with the status of its reason.

    The reason is the label in JupyterHub's metrics. On JupyterHub 6 it is a ``SpawnException``,
    which counts as a refused, not as a broken spawn.
    """
    message, html = str(error), _html(error)
    if SpawnException is not None:
        failure: HTTPError = SpawnException(
            message, reason=error.reason, message_html=html, status_code=error.status
        )
        return failure
    return _Failure(error.status, message, html)


class _Failure(HTTPError):
    """What JupyterHub 5.5 understands: the attributes that its pages and API look for."""

    def __init__(self, status: int, message: str, html: str) -> None:
        super().__init__(status, "%s", message)
        self.jupyterhub_message = message
        self.jupyterhub_html_message = html


def _html(error: SpawnerError) -> str:
    """What happened and what to do, then what the system itself said."""
    advice = f" <strong>{escape(error.advice)}</strong>" if error.advice else ""
    said = escape("\n".join(error.details))
    more = f"<details><summary>Details</summary><pre>{said}</pre></details>" if said else ""
    return f"{escape(error.message)}{advice}{more}"
