"""Our errors as JupyterHub's: an expected failure with a status, without a traceback."""

from __future__ import annotations

from html import escape

from tornado.web import HTTPError

from despejado_spawner.errors import LabDied, OptionsError, SpawnerError

try:
    from jupyterhub.spawner import SpawnException
except ImportError:  # JupyterHub 5.5: the class came with 6.0
    SpawnException = None


def spawn_failure(error: SpawnerError) -> HTTPError:
    """The exception to raise from a spawner for one of our errors.

    A wrong option is 400, anything else 500 with the reason as JupyterHub's metrics label it. On
    JupyterHub 6 it is a ``SpawnException``, which counts as a refused, not as a broken spawn.
    """
    message = str(error)
    status = 400 if isinstance(error, OptionsError) else 500
    html = _html(error)
    if SpawnException is not None:
        failure: HTTPError = SpawnException(
            message, reason=error.reason, message_html=html, status_code=status
        )
        return failure
    return _Failure(status, message, html)


class _Failure(HTTPError):
    """What JupyterHub 5.5 understands: the attributes that its pages and API look for."""

    def __init__(self, status: int, message: str, html: str) -> None:
        super().__init__(status, "%s", message)
        self.jupyterhub_message = message
        self.jupyterhub_html_message = html


def _html(error: SpawnerError) -> str:
    if isinstance(error, LabDied) and error.log:
        first = str(error).partition("\n")[0]
        return f"{escape(first)}<pre>{escape(chr(10).join(error.log))}</pre>"
    return escape(str(error))
