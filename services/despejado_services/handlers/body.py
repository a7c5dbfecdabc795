"""The parameters of a request from its query string and its form."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Message

from despejado_services.errors import NotOffered, ParameterError, TooLarge
from despejado_services.handlers.context import services_of
from despejado_services.parameters import UPLOAD_TEXT, Parameters


async def _body(request: Request) -> bytes:
    limit = services_of(request).config.limits.request_bytes
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLarge(f"The request is larger than {limit} bytes, which is the limit.")
        pieces.append(piece)
    return b"".join(pieces)


async def read_parameters(request: Request) -> Parameters:
    """All parameters; of a form with files only what is not a file.

    Raises :class:`NotOffered` for a file (an inline UPLOAD) and :class:`ParameterError` for a form
    that cannot be read.
    """
    pairs = list(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST":
        body = await _body(request)
        if kind == "multipart/form-data":
            pairs += await _multipart(request, body)
        elif kind in ("application/x-www-form-urlencoded", ""):
            try:
                pairs += parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict")
            except UnicodeDecodeError:
                raise ParameterError("the form", "(bytes)", "a form in UTF-8") from None
        else:
            raise ParameterError("Content-Type", kind, "a form (x-www-form-urlencoded)")
    return Parameters(pairs)


async def _multipart(request: Request, body: bytes) -> list[tuple[str, str]]:
    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    pairs = []
    async with Request(request.scope, again).form() as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                raise NotOffered(UPLOAD_TEXT)
            pairs.append((name, value))
    return pairs
