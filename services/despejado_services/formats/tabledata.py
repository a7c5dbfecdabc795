"""VOTable TABLEDATA rows (VOTable 1.4 §5.1), whole batches at once."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from despejado_services.formats.cells import is_array, is_text, list_lengths, list_values
from despejado_services.models import Column

_NOT_XML = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\ufffe\uffff]"


def _scalars(values: pa.Array) -> pa.Array:
    """Numbers and booleans as VOTable writes them (VOTable 1.4 §6.4)."""
    written = values.cast(pa.string())
    if not pa.types.is_floating(values.type):
        return written
    strange = pc.invert(pc.is_finite(values)).fill_null(False)
    if not pc.any(strange).as_py():
        return written
    infinite = pc.if_else(pc.greater(values, 0), "+Inf", "-Inf")
    return pc.if_else(strange, pc.if_else(pc.is_nan(values), "NaN", infinite), written)


def words(column: Column, cells: pa.Array) -> pa.Array:
    """Cells as plain strings: arrays as their items with spaces between, null as null."""
    if is_text(column):
        return cells
    if not is_array(column):
        return _scalars(cells)
    items = _scalars(list_values(column, cells))
    lengths = pa.array(list_lengths(cells))
    offsets = pa.concat_arrays(
        [pa.array([0], pa.int64()), pc.cumulative_sum(lengths).cast(pa.int64())]
    )
    joined = pc.binary_join(pa.LargeListArray.from_arrays(offsets, items), " ")
    return pc.if_else(cells.is_valid(), joined, pa.scalar(None, joined.type))


def _escaped(cells: pa.Array) -> pa.Array:
    for found, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        cells = pc.replace_substring(cells, found, instead)
    return pc.replace_substring_regex(cells, _NOT_XML, "\ufffd")


def encode_rows(columns: tuple[Column, ...], batch: pa.RecordBatch) -> bytes:
    """``<TR>`` elements of a canonical batch.

    A null is an empty ``TD`` for every type (allowed since VOTable 1.3), so a null string and an
    empty one look the same here; BINARY2 keeps them apart.
    """
    if batch.num_rows == 0:
        return b""
    parts: list[pa.Array | pa.Scalar] = []
    for i, column in enumerate(columns):
        cells = words(column, batch.column(i)).cast(pa.large_string())
        if is_text(column):
            cells = _escaped(cells)
        parts += [_large("<TR><TD>" if i == 0 else "</TD><TD>"), cells.fill_null("")]
    parts.append(_large("</TD></TR>\n"))
    rows = pc.binary_join_element_wise(*parts, _large(""))
    return bytes(rows.buffers()[2])


def _large(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())
