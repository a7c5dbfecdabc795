"""Errors that a person reads: what happened and where, what to do, what the system said.

All speak the vocabulary of :mod:`despejado_spawner.reasons`, wherever the lab runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from despejado_spawner.reasons import REASONS


class SpawnerError(Exception):
    """A lab that is not to be had, and why.

    ``reason`` is a code of ``reasons.REASONS``, ``message`` says what happened and where,
    ``advice`` what to do (that of the reason unless there is a better one), ``details`` are lines
    of the system itself. As text it is message and advice.
    """

    reason = "error"

    def __init__(
        self, message: str, advice: str | None = None, details: Sequence[str] = ()
    ) -> None:
        self.message = message
        self.advice = REASONS[self.reason].advice if advice is None else advice
        self.details = tuple(details)
        super().__init__(f"{message} {self.advice}" if self.advice else message)

    @property
    def status(self) -> int:
        """The HTTP status of a request that ends with this."""
        return REASONS[self.reason].status


class OptionsError(SpawnerError, ValueError):
    """A spawn option that is unknown, malformed or not available: a mistake of the request.

    ``field`` is the option's name, ``problem`` what is wrong with it, ``allowed`` the values that
    would do.
    """

    reason = "invalid_options"

    def __init__(self, field: str, problem: str, allowed: Sequence[str] = ()) -> None:
        self.field = field
        self.problem = problem
        self.allowed = tuple(allowed)
        hint = f"Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        super().__init__(f"{field}: {problem}", hint)


class IdentityError(SpawnerError):
    """An identity that no lab may run as."""

    reason = "identity"


class HomeError(SpawnerError):
    """A home folder that is not safe to use or could not be made."""

    reason = "home"


class LabFolderError(SpawnerError):
    """The lab's own folder, which is the platform's and not the user's, cannot be written."""

    reason = "lab_folder"


class EnvironmentFailed(SpawnerError):
    """The chosen environment could not be had."""

    reason = "environment"


class LabFailed(SpawnerError):
    """A lab that does not come up or has ended, as a process or as a pod."""

    def __init__(
        self, reason: str, message: str, advice: str | None = None, details: Sequence[str] = ()
    ) -> None:
        self.reason = reason
        super().__init__(message, advice, details)
