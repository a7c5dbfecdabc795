"""Reading VOTable BINARY2 fast (VOTable 1.4 §5.4): numpy decodes the rows, astropy the rest.

Astropy's own reader walks cell by cell in Python (9.8 s for a million rows of ten columns). Here
astropy parses the document with its stream emptied, so that fields, units, groups and INFO are
exactly its own, and the rows are put into its table. Whatever is not a single base64 BINARY2
stream of known types is left to astropy altogether.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import votable
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.io.votable.tree import VOTableFile
    from astropy.table import Table

_NUMBERS = {
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
    "floatComplex": ">c8",
    "doubleComplex": ">c16",
}
_LENGTH = struct.Struct(">I")


class _NotSimple(Exception):
    """The document needs astropy's own reader."""


@dataclass(frozen=True)
class _Layout:
    """How the cells of one FIELD lie in a row: ``size`` bytes, or a length and then items."""

    datatype: str
    item: str
    shape: tuple[int, ...]
    size: int | None

    @property
    def text(self) -> str | None:
        """The encoding of a string column."""
        return {"char": "utf-8", "unicodeChar": "utf-16-be"}.get(self.datatype)


def read_fast(source: bytes | str | os.PathLike[str]) -> Table:
    """Read the first table of a VOTable document as an astropy Table.

    ``source`` is the document itself (bytes) or the path of a file. Units, descriptions, UCDs and
    null values are those of astropy's reader. Raises what astropy raises for a document that is
    not VOTable.
    """
    document = source if isinstance(source, bytes) else Path(source).read_bytes()
    return parse_votable(document).get_first_table().to_table(use_names_over_ids=True)


def parse_votable(document: bytes) -> VOTableFile:
    """As `astropy.io.votable.parse`, but the rows of a BINARY2 stream are decoded by numpy."""
    try:
        start, end = _stream(document)
        found = votable.parse(io.BytesIO(document[:start] + document[end:]), verify="ignore")
        _fill(found.get_first_table(), base64.b64decode(document[start:end]))
    except (_NotSimple, binascii.Error):
        return votable.parse(io.BytesIO(document), verify="ignore")
    return found


def _stream(document: bytes) -> tuple[int, int]:
    """Where the content of the only BINARY2 stream begins and ends."""
    tag = document.find(b"<STREAM")
    begin = document.find(b">", tag) + 1
    end = document.find(b"</STREAM>", begin)
    opening = document[:tag].rstrip().endswith(b"<BINARY2>") if tag >= 0 else False
    attributes = document[tag:begin]
    if (
        not opening
        or end < 0
        or b"href" in attributes
        or b"base64" not in attributes
        or document.find(b"<STREAM", end) >= 0
    ):
        raise _NotSimple
    return begin, end


def _layout(datatype: str, arraysize: str | None) -> _Layout:
    text = datatype in ("char", "unicodeChar")
    item = {"char": "S1", "unicodeChar": ">u2", "boolean": "S1"}.get(datatype) or _NUMBERS.get(
        datatype
    )
    if item is None:
        raise _NotSimple
    width = np.dtype(item).itemsize
    if arraysize is None:
        return _Layout(datatype, item, (1,) if text else (), width)
    if arraysize.endswith("*") and "x" not in arraysize and text:
        return _Layout(datatype, item, (), None)
    if not arraysize.replace("x", "").isdigit() or (text and "x" in arraysize):
        raise _NotSimple
    # VOTable writes the fastest dimension first, numpy the slowest
    shape = tuple(int(part) for part in reversed(arraysize.split("x")))
    return _Layout(datatype, item, shape, width * int(np.prod(shape)))


def _fill(table: Any, rows: bytes) -> None:
    fields = list(table.fields)
    if not fields:
        raise _NotSimple
    layouts = [_layout(field.datatype, field.arraysize) for field in fields]
    columns, nulls = _columns(rows, layouts)
    table.create_arrays(len(nulls))
    target = table.array
    mask = target.mask
    for index, (layout, name) in enumerate(zip(layouts, target.dtype.names, strict=True)):
        values = _values(columns[index], layout)
        target.data[name] = values
        if layout.text is not None:  # no nulls among strings, as astropy has it (its issue 8995)
            continue
        absent = (nulls[:, index // 8] & (0x80 >> index % 8)) != 0
        mask[name] = absent.reshape(absent.shape + (1,) * (mask[name].ndim - 1))
        if target.dtype[name].base.kind in "fc":  # astropy takes NaN for null too
            mask[name] |= np.isnan(values)
    target.mask = mask


def _columns(rows: bytes, layouts: list[_Layout]) -> tuple[list[Any], NDArray[np.uint8]]:
    """The raw cells of each column, and the null flags as bytes, shape (rows, flag bytes)."""
    flags = (len(layouts) + 7) // 8
    if all(layout.size is not None for layout in layouts):
        record = np.dtype(
            [("flags", "u1", (flags,))]
            + [(f"c{i}", each.item, each.shape) for i, each in enumerate(layouts)]
        )
        if len(rows) % record.itemsize:
            raise _NotSimple
        array = np.frombuffer(rows, record)
        return [array[f"c{i}"] for i in range(len(layouts))], array["flags"]
    return _walk(rows, layouts, flags)


def _walk(rows: bytes, layouts: list[_Layout], flags: int) -> tuple[list[Any], NDArray[np.uint8]]:
    """As `_columns`, where rows differ in length.

    One pass in Python finds where each row's variable cells are, numpy gathers the rest.
    """
    strings: dict[int, list[bytes]] = {i: [] for i, each in enumerate(layouts) if each.size is None}
    widths = {i: np.dtype(layouts[i].item).itemsize for i in strings}
    runs: list[tuple[int, int]] = []  # bytes to skip, then the variable column
    skip = flags
    for index, layout in enumerate(layouts):
        if layout.size is None:
            runs.append((skip, index))
            skip = 0
        else:
            skip += layout.size
    begins: list[list[int]] = [[] for _ in range(len(runs) + 1)]
    position, total, unpack = 0, len(rows), _LENGTH.unpack_from
    try:
        while position < total:
            for number, (gap, index) in enumerate(runs):
                begins[number].append(position)
                position += gap
                length = unpack(rows, position)[0] * widths[index]
                position += 4
                strings[index].append(rows[position : position + length])
                position += length
            begins[-1].append(position)
            position += skip
    except struct.error as error:
        raise _NotSimple from error
    if position != total:
        raise _NotSimple
    buffer = np.frombuffer(rows, np.uint8)
    columns: list[Any] = [None] * len(layouts)
    run, offset = 0, flags
    for index, layout in enumerate(layouts):
        if layout.size is None:
            columns[index] = strings[index]
            run, offset = run + 1, 0
        else:
            columns[index] = _gather(buffer, begins[run], offset, layout, layout.size)
            offset += layout.size
    at = np.asarray(begins[0], dtype=np.intp)[:, None] + np.arange(flags)
    return columns, buffer[at]


def _gather(
    buffer: NDArray[np.uint8], begins: list[int], offset: int, layout: _Layout, size: int
) -> NDArray[Any]:
    """One fixed column out of rows that begin anywhere."""
    at = np.asarray(begins, dtype=np.intp)[:, None] + (offset + np.arange(size))
    cells = np.ascontiguousarray(buffer[at]).view(layout.item)
    return cells.reshape((len(begins), *layout.shape))


def _values(cells: Any, layout: _Layout) -> Any:
    """Cells as astropy's table holds them."""
    if layout.datatype == "boolean":
        return np.isin(cells, (b"T", b"t", b"1"))
    if layout.text is None:
        return cells
    if layout.size is None:
        texts = [cell.decode(layout.text, "replace").rstrip("\0") for cell in cells]
        array = np.empty(len(texts), dtype=object)
        array[:] = texts
        return array
    width = layout.size
    whole = np.ascontiguousarray(cells).view(f"V{width}").reshape(-1)
    return [
        cell.tobytes().decode(layout.text, "replace").split("\0", 1)[0].rstrip() for cell in whole
    ]
