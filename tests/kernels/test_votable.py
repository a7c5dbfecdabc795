"""Reading BINARY2: the same table as astropy's, whatever the types."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import votable
from astropy.io.votable.exceptions import E19
from astropy.table import MaskedColumn, Table
from despejado import read_fast
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


def document(table: Table, form: str = "binary2") -> bytes:
    made = votable.from_table(table)
    made.get_first_table().format = form
    out = io.BytesIO()
    made.to_xml(out)
    return out.getvalue()


def by_astropy(body: bytes) -> Table:
    return votable.parse(io.BytesIO(body)).get_first_table().to_table(use_names_over_ids=True)


def assert_same(first: Table, second: Table) -> None:
    assert first.colnames == second.colnames
    for name in first.colnames:
        one, two = first[name], second[name]
        assert one.dtype == two.dtype
        assert (one.unit, one.description) == (two.unit, two.description)
        assert one.meta == two.meta
        np.testing.assert_array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(two))
        np.testing.assert_array_equal(np.ma.filled(one, 0), np.ma.filled(two, 0))


def everything() -> Table:
    table = Table(
        {
            "d": np.array([1.5, np.nan, 3.0]),
            "i": np.array([1, -2, 2**31 - 1], dtype="i4"),
            "l": np.array([2**62, -1, 0]),
            "u": np.array([0, 128, 255], dtype="u1"),
            "c": np.array([1 + 2j, 0, -1j], dtype="c8"),
            "v": np.arange(6.0, dtype="f4").reshape(3, 2),
            "m": np.arange(12.0).reshape(3, 2, 2),
            "s": ["a", "bb", "ccc"],
            "o": np.array(["ünï", "", "longer text"], dtype=object),
            "b": np.array([b"x", b"yz", b""]),
        }
    )
    table["d"].unit = "deg"
    table["d"].description = "An angle"
    table["d"].meta["ucd"] = "pos.eq.ra;meta.main"
    table["n"] = MaskedColumn([1, 2, 3], mask=[0, 1, 0], dtype="i2")
    table["f"] = MaskedColumn([1, 2, 3], mask=[1, 0, 0], dtype="f4")
    return table


@pytest.mark.parametrize("drop", [(), ("o",), ("o", "s", "b"), ("d", "i", "l", "n", "f", "s")])
def test_values_masks_and_metadata(drop: tuple[str, ...]) -> None:
    table = everything()
    table.remove_columns(list(drop))
    body = document(table)
    assert_same(read_fast(body), by_astropy(body))


def test_rows_are_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What astropy is given to read has no rows."""
    given: list[bytes] = []
    parse = votable.parse

    def spy(source: io.BytesIO, **options: object) -> object:
        given.append(source.getvalue())
        return parse(source, **options)

    monkeypatch.setattr(votable, "parse", spy)
    assert len(read_fast(document(everything()))) == 3
    assert [b'encoding="base64"></STREAM>' in body for body in given] == [True]


@pytest.mark.parametrize("form", ["tabledata", "binary"])
def test_other_serializations_are_left_to_astropy(form: str) -> None:
    table = everything()
    table.remove_column("n")
    body = document(table, form)
    assert_same(read_fast(body), by_astropy(body))


def test_types_that_are_not_known_are_left_to_astropy() -> None:
    found = read_fast(document(Table({"b": [True, False], "x": [1.0, 2.0]})))
    assert list(found["b"]) == [True, False]
    assert list(found["x"]) == [1.0, 2.0]


def test_no_rows() -> None:
    body = document(everything())
    start, end = body.index(b">", body.index(b"<STREAM")) + 1, body.index(b"</STREAM>")
    body = body[:start] + body[end:]
    assert len(read_fast(body)) == 0
    assert_same(read_fast(body), by_astropy(body))


def test_truncated_rows_are_an_error_not_a_short_table() -> None:
    body = document(Table({"a": np.arange(1000.0)}))
    cut = body.index(b"</STREAM>")
    with pytest.raises((EOFError, ValueError, OSError)):
        read_fast(body[: cut - 400] + body[cut:])


def test_not_a_votable() -> None:
    with pytest.raises(E19):
        read_fast(b"<html><body>no</body></html>")


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "r.vot"
    file.write_bytes(document(everything()))
    assert len(read_fast(str(file))) == len(read_fast(file)) == 3


@given(
    arrays.arrays(np.float64, st.integers(1, 20)),
    st.data(),
)
def test_any_rows(numbers: np.ndarray, data: st.DataObject) -> None:
    words = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=8)
    texts = data.draw(st.lists(words, min_size=len(numbers), max_size=len(numbers)))
    column = np.empty(len(numbers), dtype=object)
    column[:] = texts
    body = document(Table({"t": column, "x": numbers, "t2": column}))
    found = read_fast(body)
    np.testing.assert_array_equal(np.ma.filled(found["x"], np.nan), numbers)
    assert list(found["t"]) == list(found["t2"]) == texts
