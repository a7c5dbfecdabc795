"""CSV and tab-separated values."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import csv

from despejado_services.formats.cells import is_array, pieces
from despejado_services.formats.tabledata import words
from despejado_services.models import ResultStream


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def write_csv(stream: ResultStream, query: str) -> Iterator[bytes]:
    """Lines with commas; the query has no place in them."""
    return _write(stream, delimiter=",")


def write_tsv(stream: ResultStream, query: str) -> Iterator[bytes]:
    """Lines with tabs; the query has no place in them."""
    return _write(stream, delimiter="\t")


def _write(stream: ResultStream, *, delimiter: str) -> Iterator[bytes]:
    """Lines with a header (RFC 4180, but with LF), UTF-8.

    A null is an empty cell, an empty string is ``""``. These formats have no place for a status:
    more rows than MAXREC cannot be told, and a failure raises so that the answer breaks off.
    """
    columns = stream.columns
    batches = pieces(stream.batches)
    first = next(batches, None)
    yield (delimiter.join(_quoted(column.name) for column in columns) + "\n").encode()
    options = csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="needed")
    while first is not None:
        cells = [
            words(column, first.column(i)) if is_array(column) else first.column(i)
            for i, column in enumerate(columns)
        ]
        piece = io.BytesIO()
        # positions as names: a result may have two columns of one name
        table = pa.RecordBatch.from_arrays(cells, names=[str(i) for i in range(len(cells))])
        csv.write_csv(table, piece, options)
        yield piece.getvalue()
        first = next(batches, None)
