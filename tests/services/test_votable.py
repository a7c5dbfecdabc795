"""VOTables as astropy reads them: any value that goes in comes out."""

from __future__ import annotations

import io
import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement, VOTableFile
from despejado_services.formats import votable, votable_rows
from despejado_services.formats.binary2 import Base64Stream, utf16
from despejado_services.formats.cells import arrow_type, canonical
from despejado_services.models import Column, Datatype, QueryError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Rows:
    """A result stream over given batches that may break at the end."""

    columns: tuple[Column, ...]
    source: list[pa.RecordBatch]
    overflow: bool = False
    failure: QueryError | None = None
    rows: int = field(default=0)

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from self.source
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        pass


def batch(columns: tuple[Column, ...], values: list[list[Any]]) -> pa.RecordBatch:
    arrays = [pa.array(v, arrow_type(c)) for c, v in zip(columns, values, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


def document(stream: Rows, *, binary: bool = True) -> bytes:
    return b"".join(votable_rows.write(stream, "SELECT 1", binary=binary))


def read(content: bytes) -> tuple[VOTableFile, TableElement]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # astropy warns where a document is not by the book
        # astropy has no class for empty arrays of variable length and warns of none of ours
        parsed = parse(io.BytesIO(content), verify="exception")
    return parsed, parsed.get_first_table()


# XML 1.0 has no place for control characters, and surrogates are no characters
_text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
_ascii = st.text(st.characters(min_codepoint=32, max_codepoint=126))
_SCALARS: dict[Datatype, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "unsignedByte": st.integers(0, 255),
    "short": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
}


@st.composite
def columns_and_batches(
    draw: st.DrawFn,
) -> tuple[tuple[Column, ...], list[pa.RecordBatch], list[list[Any]]]:
    """1 to 18 columns (more than two bytes of null mask) and 0 to 3 batches of 0 to 4 rows."""
    columns: list[Column] = []
    cells: list[st.SearchStrategy[Any]] = []
    for i in range(draw(st.integers(1, 18))):
        kind = draw(st.sampled_from(["scalar", "char", "unicodeChar", "array", "fixed", "char4"]))
        if kind in ("char", "unicodeChar"):
            columns.append(Column(f"c{i}", "char" if kind == "char" else "unicodeChar", "*"))
            cells.append(_ascii if kind == "char" else _text)
            continue
        if kind == "char4":
            columns.append(Column(f"c{i}", "char", "4"))
            cells.append(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=4))
            continue
        datatype: Datatype = draw(st.sampled_from(sorted(_SCALARS)))
        scalar = _SCALARS[datatype]
        if kind == "scalar":
            columns.append(Column(f"c{i}", datatype))
            cells.append(scalar)
        elif kind == "array":
            columns.append(Column(f"c{i}", datatype, "*"))
            cells.append(st.lists(scalar, min_size=1, max_size=3))
        else:
            columns.append(Column(f"c{i}", datatype, "2"))
            cells.append(st.lists(scalar, min_size=2, max_size=2))
    described = tuple(columns)
    batches, rows = [], []
    for _ in range(draw(st.integers(0, 3))):
        n = draw(st.integers(0, 4))
        values = [draw(st.lists(st.none() | cell, min_size=n, max_size=n)) for cell in cells]
        batches.append(batch(described, values))
        rows += [list(row) for row in zip(*values, strict=True)]
    return described, batches, rows


def same(column: Column, wanted: Any, found: Any) -> bool:
    if column.datatype in ("char", "unicodeChar"):
        # astropy strips the text of a TABLEDATA cell
        return (wanted or "").strip() == str(found).strip()
    if wanted is None:
        return bool(np.all(np.ma.getmaskarray(np.ma.asarray(found))))
    if bool(np.any(np.ma.getmaskarray(np.ma.asarray(found)))):
        return False
    target = np.float32 if column.datatype == "float" else None
    return bool(np.array_equal(np.asarray(wanted, dtype=target), np.asarray(found, dtype=target)))


@given(columns_and_batches())
@MANY
def test_binary2_brings_back_every_value(
    given_: tuple[tuple[Column, ...], list[pa.RecordBatch], list[list[Any]]],
) -> None:
    columns, batches, rows = given_
    _, table = read(document(Rows(columns, batches)))
    assert len(table.array) == len(rows)
    for number, wanted in enumerate(rows):
        for column, value in zip(columns, wanted, strict=True):
            cell = table.array[column.name][number]
            assert same(column, value, cell), (column, value, cell)


@given(columns_and_batches())
@MANY
def test_tabledata_brings_back_every_value(
    given_: tuple[tuple[Column, ...], list[pa.RecordBatch], list[list[Any]]],
) -> None:
    columns, batches, rows = given_
    _, table = read(document(Rows(columns, batches), binary=False))
    assert len(table.array) == len(rows)
    for number, wanted in enumerate(rows):
        for column, value in zip(columns, wanted, strict=True):
            cell = table.array[column.name][number]
            if value is None and column.arraysize == "*" and column.datatype not in ("char",):
                continue  # astropy reads an empty cell as an array without items, not as null
            assert same(column, value, cell), (column, value, cell)


@pytest.mark.parametrize("binary", [True, False])
def test_nan_is_not_null(binary: bool) -> None:
    columns = (Column("x", "double"), Column("y", "float"))
    rows = batch(columns, [[1.5, None, math.nan, math.inf], [-math.inf, None, math.nan, 2.0]])
    content = document(Rows(columns, [rows]), binary=binary)
    # astropy masks NaN as it masks null: look at what is written
    if binary:
        raw = parse_binary(content)
        assert [raw[i * 13] for i in range(4)] == [0, 0b11000000, 0, 0]
    else:
        assert b"<TR><TD></TD><TD></TD></TR>" in content
        assert b"<TR><TD>NaN</TD><TD>NaN</TD></TR>" in content
        assert b"<TR><TD>+Inf</TD><TD>2</TD></TR>" in content
    _, table = read(content)
    assert table.array["x"][3] == math.inf
    assert table.array["y"][0] == -math.inf


def parse_binary(content: bytes) -> bytes:
    import base64

    return base64.b64decode(content.split(b'encoding="base64">')[1].split(b"</STREAM>")[0])


@pytest.mark.parametrize("binary", [True, False])
def test_zero_rows_are_a_whole_document(binary: bool) -> None:
    columns = (Column("a", "int"), Column("b", "char", "*"))
    parsed, table = read(document(Rows(columns, []), binary=binary))
    assert len(table.array) == 0
    assert [f.name for f in table.fields] == ["a", "b"]
    assert status(parsed) == ["OK"]


def status(parsed: VOTableFile) -> list[str]:
    return [i.value for i in parsed.resources[0].infos if i.name == "QUERY_STATUS"]


def test_overflow_is_told_after_the_table() -> None:
    columns = (Column("a", "int"),)
    content = document(Rows(columns, [batch(columns, [[1, 2]])], overflow=True))
    assert content.index(b"OVERFLOW") > content.index(b"</TABLE>")
    assert status(read(content)[0]) == ["OK", "OVERFLOW"]


@pytest.mark.parametrize("binary", [True, False])
def test_a_failure_on_the_way_closes_the_document_with_its_reason(binary: bool) -> None:
    columns = (Column("a", "int"),)
    stream = Rows(columns, [batch(columns, [[1, 2]])], failure=QueryError("no <more> room"))
    pieces = []
    with pytest.raises(QueryError, match="no <more> room"):
        for piece in votable_rows.write(stream, "SELECT 1", binary=binary):
            pieces.append(piece)
    parsed, table = read(b"".join(pieces))
    assert status(parsed) == ["OK", "ERROR"]
    assert parsed.resources[0].infos[-1].content == "no <more> room"
    assert len(table.array) == 2


def test_a_long_result_is_many_pieces_of_bounded_size() -> None:
    columns = (Column("n", "long"), Column("name", "char", "*"))
    rows = batch(columns, [list(range(60_000)), ["x" * 600] * 60_000])
    pieces = list(votable_rows.write(Rows(columns, [rows]), "q", binary=True))
    assert max(map(len, pieces)) < 40 << 20
    assert len(pieces) > 5
    _, table = read(b"".join(pieces))
    assert table.array["n"].tolist() == list(range(60_000))


def test_char_with_other_than_ascii_becomes_unicode() -> None:
    columns = (Column("unit", "char", "*"), Column("plain", "char", "*"))
    content = document(Rows(columns, [batch(columns, [["µas", "°"], ["a", "b"]])]))
    _, table = read(content)
    assert [f.datatype for f in table.fields] == ["unicodeChar", "char"]
    assert table.array["unit"].tolist() == ["µas", "°"]


def test_control_characters_do_not_break_the_document() -> None:
    columns = (Column("s", "unicodeChar", "*"),)
    rows = batch(columns, [["a\x00b\x1fc", "tab\there", "cr\rlf\nend"]])
    _, table = read(document(Rows(columns, [rows]), binary=False))
    assert table.array["s"].tolist() == ["a\ufffdb\ufffdc", "tab\there", "cr\rlf\nend"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Column("too", "char", "3"), pa.array(["abcd"])),
        (Column("too", "short"), pa.array([70_000])),
        (Column("too", "double", "2"), pa.array([[1.0, 2.0, 3.0]])),
        (Column("too", "int", "*"), pa.array([[1, None]])),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_with_the_column(
    column: Column, values: pa.Array
) -> None:
    raw = pa.RecordBatch.from_arrays([values], names=["too"])
    with pytest.raises(QueryError, match="'too'"):
        document(Rows((column,), [canonical((column,), raw)]))


def test_types_of_the_store_become_types_of_the_votable() -> None:
    from datetime import datetime
    from decimal import Decimal

    columns = (
        Column("when", "char", "*", xtype="timestamp"),
        Column("sum", "long"),
        Column("mean", "double"),
    )
    arrays = [
        pa.array([datetime(2026, 1, 2, 3, 4, 5, 678000), None], pa.timestamp("us")),
        pa.array([Decimal(2**62), None], pa.decimal128(38, 0)),
        pa.array([Decimal("1.5"), None], pa.decimal128(18, 3)),
    ]
    raw = pa.RecordBatch.from_arrays(arrays, names=["when", "sum", "mean"])
    _, table = read(document(Rows(columns, [canonical(columns, raw)])))
    assert table.array["when"].tolist() == ["2026-01-02T03:04:05.678000", ""]
    assert table.array["sum"][0] == 2**62
    assert table.array["mean"][0] == 1.5
    assert table.array["sum"].mask.tolist() == [False, True]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6))
@MANY
def test_utf16_agrees_with_python(strings: list[str]) -> None:
    encoded = [s.encode() for s in strings]
    offsets = np.cumsum([0, *map(len, encoded)])
    data = np.frombuffer(b"".join(encoded), dtype="u1")
    places, wide = utf16(offsets, data)
    cells = [wide[a:b].tobytes() for a, b in itertools.pairwise(places)]
    assert cells == [s.encode("utf-16-be") for s in strings]


@given(st.lists(st.binary(max_size=7)))
@MANY
def test_base64_in_pieces_is_base64_of_the_whole(pieces: list[bytes]) -> None:
    import base64

    stream = Base64Stream()
    written = b"".join(stream.feed(piece) for piece in pieces) + stream.finish()
    assert written == base64.b64encode(b"".join(pieces))


def test_golden_documents(golden: Callable[[str, str], None]) -> None:
    columns = (
        Column("id", "long", ucd="meta.id;meta.main", description="Identifier & key"),
        Column("ra", "double", unit="deg", ucd="pos.eq.ra", utype="stc:x"),
        Column("name", "unicodeChar", "*", description='"Name"'),
        Column("flag", "boolean"),
        Column("when", "char", "*", xtype="timestamp"),
        Column("spectrum", "float", "*", unit="Jy"),
    )
    rows = batch(
        columns,
        [
            [1, None],
            [10.5, math.nan],
            ["Hydra <α>", None],
            [True, None],
            ["2026-01-01T00:00:00", None],
            [[1.0, 2.5], None],
        ],
    )
    query = "SELECT * FROM t WHERE a < 1 AND b = 'x'"
    for name, binary in (("binary2.vot", True), ("tabledata.vot", False)):
        stream = Rows(columns, [rows], overflow=True)
        content = b"".join(votable_rows.write(stream, query, binary=binary))
        read(content)
        golden(name, content.decode())
    golden("error.vot", votable.error_document("Unknown table <b>stars</b> \x07 & more"))
