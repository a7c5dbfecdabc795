"""What can go wrong for a person who uses the service, and the HTTP status of each.

These are turned into a VOTable error document in one place
(``handlers/problems.py``).
"""

from __future__ import annotations


class ServiceError(Exception):
    """A refusal whose text is for the person at the other end."""

    status = 500

    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the answer."""
        return {}


class ParameterError(ServiceError):
    """A parameter with a value that the service cannot use (DALI 1.1 §4.2)."""

    status = 400

    def __init__(self, name: str, value: str, wanted: str) -> None:
        self.name = name
        shown = value if len(value) <= 60 else value[:57] + "..."
        super().__init__(f"{name}={shown!r} is not usable here: give {wanted}.")


class MissingParameter(ServiceError):
    """A parameter that the request needs and does not have."""

    status = 400

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        super().__init__(f"The parameter {name} is missing: {what}.")


class NotOffered(ServiceError):
    """Something of the standard that this service does not offer."""

    status = 400


class FormatBroken(ServiceError):
    """A result format whose writer cannot be loaded: the operator's to mend."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"Results cannot be written as {name} now: ask for another RESPONSEFORMAT, "
            f"and tell the operator ({reason})."
        )


class TooLarge(ServiceError):
    """A request body beyond what the service reads."""

    status = 413


class NotFound(ServiceError):
    """Nothing is there, or nothing that this user may know of."""

    status = 404


class WrongPhase(ServiceError):
    """A change that the job's phase does not allow (UWS 1.1 §2.1.3)."""

    status = 400


class TooMany(ServiceError):
    """More at a time than one user may have."""

    status = 429


class NoRoom(ServiceError):
    """The disk of the service is full."""

    status = 507


class Unavailable(ServiceError):
    """Something the service depends on does not answer; the same request may work later."""

    status = 503

    def headers(self) -> dict[str, str]:
        """Header fields of the answer, beside its status and body."""
        return {"Retry-After": "5"}


class Unauthorized(ServiceError):
    """No token, or one that the hub does not know (any more)."""

    status = 401

    def __init__(self, message: str, *, error: str | None = None) -> None:
        super().__init__(message)
        self._error = error

    def headers(self) -> dict[str, str]:
        """Header fields of the answer, beside its status and body."""
        detail = f', error="{self._error}"' if self._error else ""
        return {
            # two challenges in one field (RFC 9110 §11.6.1): tokens first, passwords for clients
            # that know nothing else (RFC 7617), with the token as the password
            "WWW-Authenticate": (
                f'Bearer realm="despejado"{detail}, Basic realm="despejado", charset="UTF-8"'
            )
        }


class Forbidden(ServiceError):
    """A token that is good, but not for this (RFC 6750 §3.1, insufficient_scope)."""

    status = 403

    def __init__(self, message: str, *, scope: str) -> None:
        super().__init__(message)
        self._scope = scope

    def headers(self) -> dict[str, str]:
        """Header fields of the answer, beside its status and body."""
        return {
            "WWW-Authenticate": (
                f'Bearer realm="despejado", error="insufficient_scope", scope="{self._scope}"'
            )
        }
