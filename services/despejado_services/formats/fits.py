"""FITS binary tables (FITS 4.0 §7.3), without astropy.

The header states the number of rows and the width of each string, which are known only at the end:
rows are kept in a temporary file in between.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from despejado_services.formats.cells import (
    BIG_ENDIAN,
    arrow_schema,
    is_array,
    is_text,
    list_lengths,
    list_values,
    pieces,
    text_buffers,
)
from despejado_services.models import Column, QueryError, ResultStream

_BLOCK = 2880
_CODES = {
    "boolean": "L",
    "unsignedByte": "B",
    "short": "I",
    "int": "J",
    "long": "K",
    "float": "E",
    "double": "D",
    "char": "A",
    "unicodeChar": "A",
}
_NULLS = {"unsignedByte": 255, "short": -(2**15), "int": -(2**31), "long": -(2**63)}
"""TNULL of integers: the value that stands for null, which a column must not have otherwise."""


@dataclass
class _Measured:
    """What the header needs to know of one column."""

    width: int = 1
    nulls: bool = False
    null_value_used: bool = False


def _card(key: str, value: str | int | bool, comment: str = "") -> str:
    if isinstance(value, bool):
        shown = f"{'T' if value else 'F':>20}"
    elif isinstance(value, int):
        shown = f"{value:>20}"
    else:
        plain = "".join(c if " " <= c <= "~" else "?" for c in value).replace("'", "''")
        shown = f"'{plain[:66]:<8}'"
    card = f"{key:<8}= {shown}" + (f" / {comment}" if comment else "")
    return f"{card[:80]:<80}"


def _padded(cards: list[str]) -> bytes:
    text = "".join([*cards, f"{'END':<80}"])
    return text.encode("ascii").ljust(-(-len(text) // _BLOCK) * _BLOCK)


_PRIMARY = _padded(
    [
        _card("SIMPLE", True),
        _card("BITPIX", 8),
        _card("NAXIS", 0),
        _card("EXTEND", True),
    ]
)


def _measure(column: Column, cells: pa.Array, seen: _Measured) -> None:
    if not len(cells):
        return
    seen.nulls = seen.nulls or cells.null_count > 0
    if is_text(column):
        offsets, data = text_buffers(cells)
        if len(data) and data.max() >= 0x80:
            raise QueryError(
                f"Column {column.name!r} has characters that FITS cannot carry (only ASCII): "
                "ask for RESPONSEFORMAT=votable or parquet."
            )
        seen.width = max(seen.width, int(np.diff(offsets).max()))
        return
    values = cells
    if is_array(column):
        lengths = list_lengths(cells)
        seen.width = max(seen.width, int(lengths.max()))
        # shorter arrays are filled up with nulls
        seen.nulls = seen.nulls or bool((lengths != lengths[0]).any()) or seen.width > lengths[0]
        values = list_values(column, cells)
    if column.datatype in _NULLS:
        used = pc.any(pc.equal(values, _NULLS[column.datatype])).as_py()
        seen.null_value_used = seen.null_value_used or bool(used)


def _spool(stream: ResultStream, file: BinaryIO) -> tuple[int, list[_Measured]]:
    """All rows into ``file`` (Arrow IPC); their number and the measures of each column."""
    measured = [_Measured() for _ in stream.columns]
    rows = 0
    with ipc.new_stream(file, arrow_schema(stream.columns)) as sink:
        for batch in pieces(stream.batches):
            for column, cells, seen in zip(stream.columns, batch.columns, measured, strict=True):
                _measure(column, cells, seen)
            rows += batch.num_rows
            sink.write_batch(batch)
    for column, seen in zip(stream.columns, measured, strict=True):
        if seen.nulls and seen.null_value_used:
            raise QueryError(
                f"Column {column.name!r} has nulls and also the value {_NULLS[column.datatype]}, "
                "which FITS would show as null: ask for RESPONSEFORMAT=votable or parquet."
            )
    return rows, measured


def _dtype(columns: tuple[Column, ...], measured: list[_Measured]) -> np.dtype:
    return np.dtype(
        [
            (f"f{i}", np.dtype((BIG_ENDIAN[column.datatype], (seen.width,))))
            for i, (column, seen) in enumerate(zip(columns, measured, strict=True))
        ]
    )


def _table_header(
    columns: tuple[Column, ...], measured: list[_Measured], rows: int, row_bytes: int
) -> bytes:
    cards = [
        _card("XTENSION", "BINTABLE"),
        _card("BITPIX", 8),
        _card("NAXIS", 2),
        _card("NAXIS1", row_bytes),
        _card("NAXIS2", rows),
        _card("PCOUNT", 0),
        _card("GCOUNT", 1),
        _card("TFIELDS", len(columns)),
    ]
    for number, (column, seen) in enumerate(zip(columns, measured, strict=True), start=1):
        cards.append(_card(f"TTYPE{number}", column.name))
        cards.append(_card(f"TFORM{number}", f"{seen.width}{_CODES[column.datatype]}"))
        if column.unit:
            cards.append(_card(f"TUNIT{number}", column.unit))
        if column.datatype in _NULLS and seen.nulls:
            cards.append(_card(f"TNULL{number}", _NULLS[column.datatype]))
        if column.ucd:
            cards.append(_card(f"TUCD{number}", column.ucd))
        if column.description:
            cards.append(_card(f"TCOMM{number}", column.description))
    return _padded(cards)


def _fill(out: np.ndarray, column: Column, cells: pa.Array) -> None:
    """Cells into ``out`` (rows x width), short ones filled up."""
    if is_text(column):
        offsets, data = text_buffers(cells)
        lengths = np.diff(offsets)
        row = np.repeat(np.arange(len(lengths)), lengths)
        out[row, np.arange(len(data)) - np.repeat(offsets[:-1], lengths)] = data
        return
    if column.datatype in _NULLS:
        out[:] = _NULLS[column.datatype]
    elif column.datatype != "boolean":
        out[:] = np.nan
    if is_array(column):
        lengths = list_lengths(cells)
        values = list_values(column, cells)
    else:
        lengths = cells.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        values = cells.drop_null()
    numbers = values.to_numpy(zero_copy_only=False)
    if column.datatype == "boolean":
        numbers = np.where(numbers.astype(bool), ord("T"), ord("F"))
    starts = np.cumsum(lengths) - lengths
    row = np.repeat(np.arange(len(lengths)), lengths)
    out[row, np.arange(len(numbers)) - np.repeat(starts, lengths)] = numbers


def write(stream: ResultStream, query: str) -> Iterator[bytes]:
    """A primary header and one binary table. Raises :class:`QueryError` before the first byte."""
    columns = stream.columns
    with tempfile.TemporaryFile() as file:
        rows, measured = _spool(stream, file)
        dtype = _dtype(columns, measured)
        yield _PRIMARY + _table_header(columns, measured, rows, dtype.itemsize)
        file.seek(0)
        for batch in ipc.open_stream(file):
            block = np.zeros(batch.num_rows, dtype=dtype)
            for i, column in enumerate(columns):
                _fill(block[f"f{i}"], column, batch.column(i))
            yield block.tobytes()
        size = rows * dtype.itemsize
        yield b"\0" * (-size % _BLOCK)
