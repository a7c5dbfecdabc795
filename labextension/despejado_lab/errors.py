"""What can go wrong for a user of the lab extension; the handlers turn these into answers."""

from __future__ import annotations

from collections.abc import Mapping


class LabError(Exception):
    """A problem with a message for the person in front of the lab.

    ``status`` is the HTTP status of the answer, ``reason`` a stable word for programs, ``details``
    further JSON members of the answer.
    """

    status = 500
    reason = "error"

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details or {}


class BadRequest(LabError):
    """The request itself is malformed."""

    status = 400
    reason = "bad-request"


class PathRefused(LabError):
    """A path leads out of the folder that it must stay in."""

    status = 400
    reason = "path-refused"


class TutorialMissing(LabError):
    """There is no such tutorial."""

    status = 404
    reason = "not-found"


class TutorialExists(LabError):
    """The user has a file of that name already."""

    status = 409
    reason = "exists"


class NotWritable(LabError):
    """The home does not allow the file to be written."""

    status = 403
    reason = "not-writable"


class DiskFull(LabError):
    """No space, or the quota is used up."""

    status = 507
    reason = "disk-full"


class StorageFailed(LabError):
    """The file system refused for another reason."""

    status = 500
    reason = "storage-failed"


class NoHub(LabError):
    """The server was not started by a JupyterHub."""

    status = 404
    reason = "no-hub"


class HubUnreachable(LabError):
    """The hub does not answer, or not as a hub does."""

    status = 502
    reason = "hub-unreachable"


class HubRefused(LabError):
    """The hub does not let this server stop itself."""

    status = 403
    reason = "hub-refused"
