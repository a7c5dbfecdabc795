"""Our errors as JupyterHub's: an expected failure with a status, without a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tornado.web import HTTPError

from despejado_spawner.errors import LabDied, LabFailed, OptionsError, SpawnerError
from despejado_spawner.reasons import reason_of

try:
    from jupyterhub.spawner import SpawnException
except ImportError:  # JupyterHub 5.5: the class came with 6.0
    SpawnException = None


def spawn_failure(error: SpawnerError) -> HTTPError:
    """The exception to raise from a spawner for one of our errors.

    A wrong option is 400, a lab on a cluster has the status of its reason, anything else is 500;
    the reason is the label in JupyterHub's metrics. On JupyterHub 6 it is a ``SpawnException``,
    which counts as a refused, not as a broken spawn.
    """
    message = str(error)
    status = _status(error)
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


def _status(error: SpawnerError) -> int:
    if isinstance(error, OptionsError):
        return 400
    return reason_of(error.reason).status if isinstance(error, LabFailed) else 500


def _html(error: SpawnerError) -> str:
    """What happened and what to do, then what the system itself said."""
    if isinstance(error, LabFailed):
        advice = f" <strong>{escape(error.advice)}</strong>" if error.advice else ""
        said = _lines(error.details)
        more = f"<details><summary>Details</summary>{said}</details>" if said else ""
        return f"{escape(error.message)}{advice}{more}"
    if isinstance(error, LabDied):
        first = str(error).partition("\n")[0] if error.log else str(error)
        return f"{escape(first)}{_lines(error.log)}"
    return escape(str(error))


def _lines(said: Sequence[str]) -> str:
    return f"<pre>{escape(chr(10).join(said))}</pre>" if said else ""
