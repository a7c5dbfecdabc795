"""VOTable BINARY2 (VOTable 1.4 §5.5), whole batches at once.

A row is a mask of nulls (column ``i`` is bit ``7 - i % 8`` of byte ``i // 8``) and the cells in
big-endian order; cells of variable length carry a 4-byte count of items before them.
Columns of fixed size are filled in one structured numpy array. Between them, Arrow puts the
variable parts in place, row by row but in C++. Measured against astropy's writer in
``tests/bench/bench_votable.py``.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from despejado_services.formats.cells import (
    BIG_ENDIAN,
    fixed_length,
    is_array,
    is_text,
    list_lengths,
    list_values,
    text_buffers,
)
from despejado_services.models import Column, QueryError

_TRUE, _FALSE = ord("T"), ord("F")


@dataclass(frozen=True)
class _Segment:
    """Neighbouring fields of fixed size, and the variable column that follows them, if any."""

    dtype: np.dtype
    fixed: tuple[int, ...]
    variable: int | None


def _segments(columns: tuple[Column, ...]) -> tuple[_Segment, ...]:
    segments = []
    fields: list[tuple[str, object]] = [("nulls", np.dtype(("u1", ((len(columns) + 7) // 8,))))]
    fixed: list[int] = []
    for i, column in enumerate(columns):
        length = fixed_length(column)
        if length is None:
            fields.append(("count", np.dtype(">i4")))
            segments.append(_Segment(np.dtype(fields), tuple(fixed), i))
            fields, fixed = [], []
            continue
        if is_text(column):
            width = length * (2 if column.datatype == "unicodeChar" else 1)
            cell = np.dtype(("u1", (width,)))
        elif is_array(column):
            cell = np.dtype((BIG_ENDIAN[column.datatype], (length,)))
        else:
            cell = np.dtype(BIG_ENDIAN[column.datatype])
        fields.append((f"f{i}", cell))
        fixed.append(i)
    if fields:
        segments.append(_Segment(np.dtype(fields), tuple(fixed), None))
    return tuple(segments)


class Binary2Encoder:
    """Rows of one table as BINARY2 bytes, before base64."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = columns
        self._layout = _segments(columns)

    def encode(self, batch: pa.RecordBatch) -> memoryview:
        """The rows of a canonical batch; :class:`QueryError` for a cell that does not fit."""
        rows = batch.num_rows
        parts: list[pa.Array] = []
        for number, segment in enumerate(self._layout):
            block = np.zeros(rows, dtype=segment.dtype)
            if number == 0:
                self._mark_nulls(block["nulls"], batch)
            for i in segment.fixed:
                self._fill(block[f"f{i}"], self._columns[i], batch.column(i))
            if segment.variable is None:
                if len(self._layout) == 1:
                    return memoryview(pa.py_buffer(block))
                parts.append(_binary(np.arange(rows + 1) * block.dtype.itemsize, block.view("u1")))
                continue
            column = self._columns[segment.variable]
            counts, offsets, data = _variable(column, batch.column(segment.variable))
            block["count"] = counts
            parts.append(_binary(np.arange(rows + 1) * block.dtype.itemsize, block.view("u1")))
            parts.append(_binary(offsets, data))
        joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()))
        return memoryview(joined.buffers()[2] or b"")

    def _mark_nulls(self, mask: np.ndarray, batch: pa.RecordBatch) -> None:
        for i in range(len(self._columns)):
            values = batch.column(i)
            if values.null_count:
                nulls = values.is_null().to_numpy(zero_copy_only=False).astype("u1")
                mask[:, i // 8] |= nulls << (7 - i % 8)

    def _fill(self, out: np.ndarray, column: Column, values: pa.Array) -> None:
        if is_text(column):
            _fill_text(out, column, values)
        elif is_array(column):
            _fill_array(out, column, values)
        elif column.datatype == "boolean":
            known = values.fill_null(False).to_numpy(zero_copy_only=False)
            out[:] = np.where(known, _TRUE, _FALSE)
            if values.null_count:
                out[values.is_null().to_numpy(zero_copy_only=False)] = 0
        elif column.datatype in ("float", "double"):
            # to_numpy writes NaN where a float is null
            out[:] = values.to_numpy(zero_copy_only=False)
        else:
            known = values.fill_null(0) if values.null_count else values
            out[:] = known.to_numpy(zero_copy_only=False)


def _binary(offsets: np.ndarray, data: np.ndarray) -> pa.Array:
    """Binary cells over given bytes without a copy."""
    return pa.Array.from_buffers(
        pa.large_binary(),
        len(offsets) - 1,
        [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)],
    )


def _big_endian(column: Column, values: pa.Array) -> np.ndarray:
    if column.datatype == "boolean":
        known = values.to_numpy(zero_copy_only=False)
        return np.where(known, _TRUE, _FALSE).astype("u1")
    array: np.ndarray = values.to_numpy(zero_copy_only=False).astype(BIG_ENDIAN[column.datatype])
    return array


def _encoded_text(column: Column, cells: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Byte offsets and bytes of strings, in the encoding of the column's datatype."""
    offsets, data = text_buffers(cells)
    if column.datatype == "char":
        # ASCII by VOTable 1.4; other characters go as UTF-8, which VOTable 1.6 allows
        return offsets, data
    return utf16(offsets, data)


def utf16(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UTF-8 strings as UTF-16BE: byte offsets and bytes (VOTable 1.4 §2.1, unicodeChar).

    >>> utf16(np.array([0, 1, 3]), np.frombuffer("aé".encode(), "u1"))[0].tolist()
    [0, 2, 4]
    """
    if not len(data) or data.max() < 0x80:
        wide = np.zeros(2 * len(data), dtype="u1")
        wide[1::2] = data
        return offsets * 2, wide
    # one unit for each leading byte, a second one (the surrogate) for four-byte sequences
    units = ((data & 0xC0) != 0x80).astype(np.int64) + (data >= 0xF0)
    before = np.concatenate(([0], np.cumsum(units)))
    encoded = data.tobytes().decode("utf-8").encode("utf-16-be")
    return before[offsets] * 2, np.frombuffer(encoded, dtype="u1")


def _variable(column: Column, cells: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item counts, byte offsets and bytes of the cells of a variable-length column."""
    if is_text(column):
        offsets, data = _encoded_text(column, cells)
        counts = np.diff(offsets)
        return counts // 2 if column.datatype == "unicodeChar" else counts, offsets, data
    counts = list_lengths(cells)
    values = _big_endian(column, list_values(column, cells))
    offsets = np.concatenate(([0], np.cumsum(counts))) * values.dtype.itemsize
    return counts, offsets, values.view("u1")


def _fill_text(out: np.ndarray, column: Column, cells: pa.StringArray) -> None:
    """Strings in cells of fixed size, padded with zero bytes."""
    offsets, data = _encoded_text(column, cells)
    lengths = np.diff(offsets)
    if len(lengths) and lengths.max() > out.shape[1]:
        raise QueryError(
            f"A value of column {column.name!r} is longer than its declared "
            f"arraysize {column.arraysize}."
        )
    row = np.repeat(np.arange(len(lengths)), lengths)
    out[row, np.arange(len(data)) - np.repeat(offsets[:-1], lengths)] = data


def _fill_array(out: np.ndarray, column: Column, cells: pa.ListArray) -> None:
    """Arrays of one length; a null cell is NaN or 0 under its mask bit."""
    present = cells.is_valid().to_numpy(zero_copy_only=False)
    lengths = list_lengths(cells)[present]
    if len(lengths) and (lengths != out.shape[1]).any():
        raise QueryError(
            f"An array in column {column.name!r} does not have the declared "
            f"size {column.arraysize}."
        )
    if column.datatype in ("float", "double"):
        out[~present] = np.nan
    out[present] = _big_endian(column, list_values(column, cells)).reshape(-1, out.shape[1])


class Base64Stream:
    """Base64 over pieces of any length: what does not fill three bytes waits for the next piece."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes | memoryview) -> bytes:
        """The text of all complete groups so far."""
        if self._rest:
            missing = 3 - len(self._rest)
            if len(piece) < missing:
                self._rest += bytes(piece)
                return b""
            head = binascii.b2a_base64(self._rest + bytes(piece[:missing]), newline=False)
            piece = piece[missing:]
        else:
            head = b""
        whole = len(piece) - len(piece) % 3
        self._rest = bytes(piece[whole:])
        return head + binascii.b2a_base64(piece[:whole], newline=False)

    def finish(self) -> bytes:
        """The last group, padded."""
        rest, self._rest = self._rest, b""
        return binascii.b2a_base64(rest, newline=False) if rest else b""
