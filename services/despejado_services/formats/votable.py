"""VOTable documents around streamed rows (VOTable 1.4, DALI 1.1 §4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from despejado_services.formats.binary2 import Base64Stream, Binary2Encoder
from despejado_services.formats.cells import canonical, canonical_batches, text_buffers
from despejado_services.formats.tabledata import encode_rows
from despejado_services.models import Column, QueryError, ResultStream
from despejado_services.xml import DECLARATION, Markup, element, start_tag

CONTENT_TYPE = "application/x-votable+xml"

_ROOT = start_tag("VOTABLE", {"version": "1.4", "xmlns": "http://www.ivoa.net/xml/VOTable/v1.3"})


def _info(name: str, value: str, content: str | None = None) -> Markup:
    return element("INFO", {"name": name, "value": value}, content)


def _field(column: Column) -> Markup:
    description = column.description
    return element(
        "FIELD",
        {
            "name": column.name,
            "datatype": column.datatype,
            "arraysize": column.arraysize,
            "xtype": column.xtype,
            "unit": column.unit,
            "ucd": column.ucd,
            "utype": column.utype,
        },
        element("DESCRIPTION", None, description) if description else None,
    )


def header(columns: tuple[Column, ...], query: str, *, status: str = "OK") -> str:
    """The document up to and with the table's fields."""
    fields = "\n".join(_field(column).text for column in columns)
    return (
        f"{DECLARATION}{_ROOT}\n"
        f'<RESOURCE type="results">\n'
        f"{_info('QUERY_STATUS', status).text}\n"
        f"{_info('QUERY', query).text}\n"
        f'<TABLE name="results">\n{fields}\n'
    )


def footer(*, overflow: bool = False, error: str | None = None) -> str:
    """The document after the table's data.

    What is known only at the end stands here (DALI 1.1 §4.4.1): more rows than MAXREC, or a
    failure that came after the first rows. Clients take the last QUERY_STATUS as the valid one.
    """
    infos = ""
    if error is not None:
        infos = _info("QUERY_STATUS", "ERROR", error).text + "\n"
    elif overflow:
        infos = _info("QUERY_STATUS", "OVERFLOW").text + "\n"
    return f"</TABLE>\n{infos}</RESOURCE>\n</VOTABLE>\n"


def metadata_document(columns: tuple[Column, ...], query: str, *, overflow: bool) -> str:
    """A document without data, for the head of other formats (VOParquet)."""
    return header(columns, query) + footer(overflow=overflow)


def error_document(message: str) -> str:
    """The answer to a request that failed (DALI 1.1 §4.2)."""
    return (
        f"{DECLARATION}{_ROOT}\n"
        f'<RESOURCE type="results">\n'
        f"{_info('QUERY_STATUS', 'ERROR', message).text}\n"
        "</RESOURCE>\n</VOTABLE>\n"
    )


def widen_text(columns: tuple[Column, ...], first: pa.RecordBatch | None) -> tuple[Column, ...]:
    """``char`` columns with other than ASCII in the first batch as ``unicodeChar``.

    ``char`` is ASCII in VOTable 1.4, and astropy 8 refuses a whole document over one other byte.
    """
    if first is None:
        return columns
    widened = []
    for i, column in enumerate(columns):
        if column.datatype == "char":
            _, data = text_buffers(canonical(column, first.column(i)))
            if len(data) and data.max() >= 0x80:
                column = replace(column, datatype="unicodeChar")  # noqa: PLW2901
        widened.append(column)
    return tuple(widened)


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
        for batch in canonical_batches(columns, rest):
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
