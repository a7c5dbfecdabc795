"""Whole VOTables with streamed rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from despejado_services.formats.binary2 import Base64Stream, Binary2Encoder
from despejado_services.formats.cells import pieces, text_buffers
from despejado_services.formats.tabledata import encode_rows
from despejado_services.formats.votable import footer, header
from despejado_services.models import Column, QueryError, ResultStream


def widen_text(columns: tuple[Column, ...], first: pa.RecordBatch | None) -> tuple[Column, ...]:
    """``char`` columns with other than ASCII in the first batch as ``unicodeChar``.

    ``char`` is ASCII in VOTable 1.4, and astropy 8 refuses a whole document over one other byte.
    """
    if first is None:
        return columns
    widened = []
    for i, column in enumerate(columns):
        if column.datatype == "char":
            _, data = text_buffers(first.column(i))
            if len(data) and data.max() >= 0x80:
                column = replace(column, datatype="unicodeChar")  # noqa: PLW2901
        widened.append(column)
    return tuple(widened)


def write_binary2(stream: ResultStream, query: str) -> Iterator[bytes]:
    """A whole VOTable with its rows in BINARY2 (VOTable 1.4 §5.5)."""
    return write(stream, query, binary=True)


def write_tabledata(stream: ResultStream, query: str) -> Iterator[bytes]:
    """A whole VOTable with its rows as TABLEDATA (VOTable 1.4 §5.1)."""
    return write(stream, query, binary=False)


def write(stream: ResultStream, query: str, *, binary: bool) -> Iterator[bytes]:
    """A whole VOTable in pieces, BINARY2 or TABLEDATA.

    When the query fails on the way the document is closed with an ERROR status that says why, and
    the generator then raises the :class:`QueryError`; the caller decides what to do with the rest.
    """
    batches = iter(stream.batches)
    first = next(batches, None)
    columns = widen_text(stream.columns, first)
    yield header(columns, query).encode()
    rest = _chain(first, batches)
    encoder = Binary2Encoder(columns)
    base64 = Base64Stream()
    opening, closing = (
        ('<DATA><BINARY2><STREAM encoding="base64">', "</STREAM></BINARY2></DATA>\n")
        if binary
        else ("<DATA><TABLEDATA>\n", "</TABLEDATA></DATA>\n")
    )
    yield opening.encode()
    failure: QueryError | None = None
    try:
        for batch in pieces(rest):
            yield base64.feed(encoder.encode(batch)) if binary else encode_rows(columns, batch)
    except QueryError as problem:
        failure = problem
    yield base64.finish() + closing.encode()
    error = None if failure is None else str(failure)
    yield footer(overflow=stream.overflow, error=error).encode()
    if failure is not None:
        raise failure


def _chain(
    first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
    yield from rest
