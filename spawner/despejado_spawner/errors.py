"""Errors that a person reads: what happened, where, what to do."""

from __future__ import annotations

from collections.abc import Sequence


class SpawnerError(Exception):
    """Base of the spawner room's errors; ``reason`` is a stable code for metrics."""

    reason = "error"


class OptionsError(SpawnerError, ValueError):
    """A spawn option that is unknown, malformed or not available: a mistake of the request.

    ``field`` is the option's name, ``allowed`` the values that would do.
    """

    reason = "invalid_options"

    def __init__(self, field: str, message: str, allowed: Sequence[str] = ()) -> None:
        self.field = field
        self.message = message
        self.allowed = tuple(allowed)
        hint = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        super().__init__(f"{field}: {message}{hint}")


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
    """The chosen environment could not be had; the text says why and what to do."""

    reason = "environment"


class LabDied(SpawnerError):
    """The lab's server ended before it answered; ``log`` holds its last lines."""

    reason = "died"

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        self.log = tuple(log)
        super().__init__(message)


class LabFailed(SpawnerError):
    """A lab on a cluster that is not up, and why.

    ``reason`` is one of the stable codes of ``despejado_spawner.reasons``, ``message``
    says what happened and where, ``advice`` what to do, ``details`` is what the system itself said.
    """

    def __init__(
        self, reason: str, message: str, advice: str = "", details: Sequence[str] = ()
    ) -> None:
        self.reason = reason
        self.message = message
        self.advice = advice
        self.details = tuple(details)
        super().__init__(f"{message} {advice}".strip())
