"""Refusals and failures as documents (DALI 1.1 §4.2), in one place."""

from __future__ import annotations

import errno
import logging
import sqlite3

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from despejado_services.auth import token_of
from despejado_services.errors import NoRoom, ServiceError, Unavailable
from despejado_services.formats.votable import CONTENT_TYPE, error_document
from despejado_services.handlers.context import Services
from despejado_services.models import AdqlError, QueryError, QueryTimeout, StoreBusy
from despejado_services.uws.runner import DISK_FULL, STORE_CLOSED

log = logging.getLogger(__name__)

_OPEN = ("", "/", "/availability", "/capabilities")
"""Paths below the prefix that need no token."""


def _answer(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(
        error_document(message),
        status_code=status,
        media_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def refusal(problem: ServiceError) -> Response:
    """The answer to a request that is refused."""
    return _answer(problem.status, str(problem), problem.headers())


async def on_service_error(request: Request, problem: Exception) -> Response:
    """A :class:`ServiceError` from any handler."""
    if not isinstance(problem, ServiceError):
        raise problem
    return refusal(problem)


async def on_query_error(request: Request, problem: Exception) -> Response:
    """A query that cannot be answered: its author's to mend, so 400 (TAP 1.1 §2.8)."""
    if isinstance(problem, QueryTimeout):
        limit = request.app.state.services.config.limits.execution_seconds
        text = (
            f"{problem} The limit is {limit} s: narrow the query, for instance with a smaller "
            "region or TOP."
        )
        return _answer(400, text)
    if isinstance(problem, StoreBusy):
        return refusal(Unavailable(str(problem)))
    if not isinstance(problem, AdqlError | QueryError):
        raise problem
    return _answer(400, str(problem))


async def on_storage_error(request: Request, problem: Exception) -> Response:
    """A full disk is 507 with what to do; other storage failures are the operator's."""
    full = (
        isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    ) or (isinstance(problem, sqlite3.OperationalError) and "full" in str(problem))
    if not full:
        raise problem
    log.error("the disk is full: %s", problem)
    return refusal(NoRoom(DISK_FULL))


async def on_store_error(request: Request, problem: Exception) -> Response:
    """The catalogue cannot be opened: the operator's to mend."""
    log.error("the catalogue cannot be opened: %s", problem)
    return refusal(Unavailable(STORE_CLOSED))


async def on_http_error(request: Request, problem: Exception) -> Response:
    """Unknown paths and methods."""
    if not isinstance(problem, HTTPException):
        raise problem
    text = {
        404: f"Nothing is at {request.url.path}. See {request.app.state.services.config.prefix}"
        "/capabilities for what is offered.",
        405: f"{request.method} is not possible at {request.url.path}.",
    }.get(problem.status_code, problem.detail)
    return _answer(problem.status_code, text, dict(problem.headers or {}))


async def on_unexpected(request: Request, problem: Exception) -> Response:
    """A fault of ours; the log has the rest."""
    return _answer(
        500,
        "The service failed on this request; its log says more. Try again, or "
        "tell the operator the time.",
    )


class RequireToken:
    """Lets a request pass only with a good token, but for the few open paths."""

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        self._app = app
        self._services = services
        self._open = {services.config.prefix + path for path in _OPEN}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, and put the user into ``request.state.user``."""
        if scope["type"] != "http" or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        try:
            request = Request(scope)
            token = token_of(request.headers.get("authorization"))
            request.state.user = await self._services.tokens.user(token)
        except ServiceError as problem:
            await refusal(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)
