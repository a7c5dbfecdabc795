"""The sync endpoint (TAP 1.1 §2.2) and the streaming of its rows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from despejado_services.formats.choice import Format
from despejado_services.handlers.body import read_parameters
from despejado_services.handlers.context import services_of
from despejado_services.models import Cancel, QueryError, ResultStream
from despejado_services.parameters import TapRequest, tap_request
from despejado_services.querying import QueryEngine, run_query

log = logging.getLogger(__name__)


@dataclass
class _Running:
    """A query whose first piece is there."""

    stream: ResultStream
    pieces: Iterator[bytes]
    first: bytes


def _start(engine: QueryEngine, request: TapRequest, cancel: Cancel) -> _Running:
    """Plan and run up to the first rows, so that most failures still get a status of their own."""
    stream = run_query(engine, request, cancel)
    try:
        pieces = request.format.write(stream, request.query)
        return _Running(stream, pieces, next(pieces, b""))
    except BaseException:
        stream.close()
        raise


class QueryResponse(Response):
    """Pieces of a result as they come.

    A failure after the first piece cannot change the status any more. A VOTable says it in itself;
    for other formats the answer breaks off without its end, which every HTTP client reports.
    """

    def __init__(
        self, running: _Running, form: Format, cancel: Cancel, done: Callable[[], None]
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Content-Type": form.content_type, "Cache-Control": "no-store"})
        self._running = running
        self._form = form
        self._cancel = cancel
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the rows or the client are at an end."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send(
                {"type": "http.response.body", "body": self._running.first, "more_body": True}
            )
            while (piece := await anyio.to_thread.run_sync(self._next)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except QueryError as problem:
            if self._cancel.cancelled:
                log.info("a query was stopped: its client has gone, or the service stops")
            else:
                log.warning("a query failed after its first rows: %s", problem)
            if not self._form.error_inside:
                return
        finally:
            self._cancel.cancel()
            await anyio.to_thread.run_sync(self._running.stream.close)
            self._done()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _next(self) -> bytes | None:
        return next(self._running.pieces, None)


async def _cancel_when_gone(receive: Receive, cancel: Cancel) -> None:
    """Stop the query when its client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel.cancel()


async def sync(request: Request) -> Response:
    """``/sync``, GET and POST."""
    services = services_of(request)
    parameters = await read_parameters(request)
    asked = tap_request(parameters.known(), services.config.limits, services.formats)
    cancel = Cancel(timeout=float(services.config.limits.execution_seconds))
    with ExitStack() as held:
        watch = asyncio.create_task(_cancel_when_gone(request.receive, cancel))
        held.callback(watch.cancel)
        await services.sync_slots.acquire()
        held.callback(services.sync_slots.release)
        running = await anyio.to_thread.run_sync(_start, services.engine, asked, cancel)
        done = held.pop_all().close
    return QueryResponse(running, asked.format, cancel, done)
