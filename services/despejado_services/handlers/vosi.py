"""VOSI and DALI resources: availability, capabilities, tables, examples."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from despejado_services.errors import NotFound, ParameterError
from despejado_services.handlers.body import read_parameters
from despejado_services.handlers.context import services_of, url_of
from despejado_services.models import Cancel
from despejado_services.querying import QueryEngine
from despejado_services.vosi.availability import availability_document
from despejado_services.vosi.capabilities import capabilities_document
from despejado_services.vosi.examples import examples_document
from despejado_services.vosi.tables import (
    Row,
    TableSet,
    read_tables,
    table_document,
    tableset_document,
)

_XML = "application/xml"
_MAX_ROWS = 1_000_000


async def availability(request: Request) -> Response:
    """``GET /availability``."""
    document = availability_document(
        available=True,
        up_since=services_of(request).started,
        note="This service answers queries.",
    )
    return Response(document, media_type=_XML)


async def capabilities(request: Request) -> Response:
    """``GET /capabilities``."""
    services = services_of(request)
    document = capabilities_document(
        url_of(request), services.config.limits, services.language, services.formats
    )
    return Response(document, media_type=_XML)


def _tables(engine: QueryEngine) -> TableSet:
    def select(adql: str) -> list[Row]:
        stream = engine.run(engine.plan(adql, maxrec=_MAX_ROWS), cancel=Cancel(timeout=60.0))
        try:
            return [row for batch in stream.batches for row in batch.to_pylist()]
        finally:
            stream.close()

    return read_tables(select)


async def tables(request: Request) -> Response:
    """``GET /tables``, always with the columns.

    A service may answer detail=min with everything (VOSI 1.1 §3.3). This one does, because pyvo 1.9
    asks for min and then fetches each table without the session's token, which cannot succeed here.
    """
    parameters = await read_parameters(request)
    detail = parameters.one("DETAIL") or "max"
    if detail.lower() not in ("min", "max"):
        raise ParameterError("detail", detail, "min or max")
    found = await anyio.to_thread.run_sync(_tables, services_of(request).engine)
    return Response(tableset_document(found), media_type=_XML)


async def table(request: Request) -> Response:
    """``GET /tables/{name}``."""
    name = request.path_params["name"]
    found = await anyio.to_thread.run_sync(_tables, services_of(request).engine)
    document = table_document(found, name)
    if document is None:
        raise NotFound(f"There is no table {name!r}. See /tables for all of them.")
    return Response(document, media_type=_XML)


async def examples(request: Request) -> Response:
    """``GET /examples``."""
    return Response(examples_document(), media_type="application/xhtml+xml")
