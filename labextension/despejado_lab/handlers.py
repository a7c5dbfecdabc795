"""The routes below ``<base URL>/despejado``: parse, call one function, answer."""

from __future__ import annotations

from http.client import responses
from types import TracebackType
from typing import Protocol, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from despejado_lab.errors import BadRequest, LabError
from despejado_lab.lab import Lab


class HasLab(Protocol):
    """The extension that serves the routes."""

    lab: Lab


class LabHandler(ExtensionHandlerMixin, APIHandler):
    """A LabError becomes its status and ``{"message", "reason", ...}``."""

    auth_resource = "despejado"

    @property
    def lab(self) -> Lab:
        """What the routes answer from."""
        return cast(HasLab, self.extensionapp).lab

    def write_error(self, status_code: int, **kwargs: object) -> None:
        """Answer an error of ours as JSON with ``message`` and ``reason``."""
        error = _raised(kwargs.get("exc_info"))
        if not isinstance(error, LabError):
            super().write_error(status_code, **kwargs)
            return
        self.set_status(error.status, responses.get(error.status))
        # Tornado waits for no future of a handler that failed.
        _ = self.finish({"message": error.message, "reason": error.reason, **error.details})

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log an error of ours as one line: it is an answer, not a fault of the server."""
        if isinstance(value, LabError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)


def _raised(exc_info: object) -> object:
    return exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) == 3 else None


class ConfigHandler(LabHandler):
    """``GET config``: environment, size, user, hub pages, abnormal start."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with environment, size, user, pages of the hub, abnormal start."""
        config = await self.lab.config()
        await self.finish(config.as_json())


class TutorialsHandler(LabHandler):
    """``GET tutorials``: the tree with titles."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the tree of tutorials."""
        tutorials = await self.lab.tutorials()
        await self.finish(tutorials.as_json())


class TutorialCopyHandler(LabHandler):
    """``POST tutorials/copy {"path", "overwrite"?}``: 201 with the path of the copy."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Copy a tutorial into the user's files; 201 with its path."""
        path, overwrite = _copy_request(self.get_json_body())
        copied = await self.lab.copy_tutorial(path, overwrite=overwrite)
        self.set_status(201)
        await self.finish({"path": copied.path, "backup": copied.backup})


class MemoryHandler(LabHandler):
    """``GET memory``: bytes used and allowed, and what was stopped because there was no more.

    Asked again and again by a page that is open, which says nothing of a user's activity.
    """

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with memory used and allowed, and the last stops for lack of it."""
        memory = await self.lab.memory()
        await self.finish(memory.as_json())


class ExitHandler(LabHandler):
    """``POST exit``: 202 once it is certain that the hub will stop this server, then asks it to.

    The answer leaves before the request to the hub, because the hub ends this process.
    """

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer 202, then have the hub stop this server."""
        hub = self.lab.hub()
        await hub.check_may_stop()
        self.set_status(202)
        await self.finish({"state": "stopping"})
        try:
            await hub.stop()
        except LabError as error:
            self.log.warning("The hub did not stop this server: %s", error.message)


def _copy_request(body: object) -> tuple[str, bool]:
    if not isinstance(body, dict):
        raise BadRequest('Send a JSON object: {"path": "...", "overwrite": false}.')
    unknown = sorted(set(body) - {"path", "overwrite"})
    if unknown:
        raise BadRequest(f"Unknown member {unknown[0]!r}; allowed are 'path' and 'overwrite'.")
    path, overwrite = body.get("path"), body.get("overwrite", False)
    if not isinstance(path, str):
        raise BadRequest("'path' should be a text: the path of a tutorial in the list.")
    if not isinstance(overwrite, bool):
        raise BadRequest("'overwrite' should be true or false.")
    return path, overwrite
