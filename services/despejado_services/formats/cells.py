"""Cells of results: one Arrow type for each VOTable datatype, and what writers ask of them.

The store answers with more types than VOTable has (HUGEINT, DECIMAL, TIMESTAMP, views of strings).
The engine makes each batch canonical, once; writers take it as it is, so all formats agree about a
value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from despejado_services.models import Column, QueryError

TEXT = ("char", "unicodeChar")

_ARROW: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "unsignedByte": pa.uint8(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "unicodeChar": pa.string(),
}

BIG_ENDIAN = {
    "boolean": "u1",
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
    "char": "u1",
    "unicodeChar": "u1",
}
"""The numpy type of an item of a cell, as BINARY2 and FITS store it."""


def is_text(column: Column) -> bool:
    """Whether cells are strings."""
    return column.datatype in TEXT


def is_array(column: Column) -> bool:
    """Whether cells are arrays of numbers (VOTable 1.4 §2.2), not strings."""
    return not is_text(column) and column.arraysize not in (None, "1")


def fixed_length(column: Column) -> int | None:
    """Items in each cell of an array or text column, None when cells differ in length."""
    size = column.arraysize
    if size is None:
        return None if is_text(column) else 1
    if size.endswith("*"):
        return None
    length = 1
    for part in size.split("x"):
        length *= int(part)
    return length


def arrow_type(column: Column) -> pa.DataType:
    """The canonical Arrow type of a column."""
    scalar = _ARROW[column.datatype]
    return pa.list_(scalar) if is_array(column) else scalar


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The canonical schema of a result."""
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])


def canonical(columns: tuple[Column, ...], batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with the columns' names and canonical types.

    Raises :class:`QueryError` when a value does not fit, rather than to change it.
    """
    cells = [_conform(column, batch.column(i)) for i, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(cells, schema=arrow_schema(columns))


def _conform(column: Column, values: pa.Array) -> pa.Array:
    wanted = arrow_type(column)
    if values.type == wanted:
        return values
    try:
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            # DALI 1.1 §3.3.3: ISO 8601 with T, in UTC, without a zone
            moments = values.cast(pa.timestamp("s" if pa.types.is_date(values.type) else "us"))
            values = pc.strftime(moments, format="%Y-%m-%dT%H:%M:%S")
        elif pa.types.is_decimal(values.type) and not pa.types.is_floating(wanted):
            return values.cast(pa.decimal256(76, 0)).cast(wanted)
        return values.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        raise QueryError(
            f"A value of column {column.name!r} does not fit its type "
            f"{column.datatype}: {problem}. CAST it to a wider type."
        ) from problem


def pieces(
    batches: Iterable[pa.RecordBatch], *, max_bytes: int = 16 << 20
) -> Iterator[pa.RecordBatch]:
    """Batches cut so that one encoded piece stays near ``max_bytes`` of memory."""
    for batch in batches:
        rows_at_once = max(1, int(max_bytes * batch.num_rows / max(batch.nbytes, 1)))
        for start in range(0, batch.num_rows, rows_at_once):
            yield batch.slice(start, rows_at_once)


def list_values(column: Column, cells: pa.ListArray) -> pa.Array:
    """All numbers of an array column in a row; null cells have none.

    A null inside an array becomes NaN in a float array. VOTable has no null for a single integer
    of an array (VOTable 1.4 §5.5), so that raises :class:`QueryError`.
    """
    flat = cells.flatten()
    if flat.null_count == 0:
        return flat
    if pa.types.is_floating(flat.type):
        return flat.fill_null(float("nan"))
    raise QueryError(f"An array in column {column.name!r} has a null inside; use COALESCE.")


def list_lengths(cells: pa.ListArray) -> np.ndarray:
    """Number of items of each cell, 0 for null, int64."""
    lengths = pc.list_value_length(cells).fill_null(0)
    counts: np.ndarray = lengths.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return counts


def text_buffers(cells: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (int64, n+1, from 0) and UTF-8 bytes (uint8) of strings; null is empty."""
    if cells.null_count:
        cells = cells.fill_null("")
    _, offset_buffer, data_buffer = cells.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[cells.offset :][: len(cells) + 1]
    offsets = offsets.astype(np.int64)
    if data_buffer is None:
        return offsets - offsets[0], np.empty(0, dtype=np.uint8)
    data = np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], data
