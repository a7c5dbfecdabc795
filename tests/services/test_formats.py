"""CSV, TSV, Parquet, FITS, and which of them a request gets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits as astropy_fits
from astropy.io.votable import parse
from astropy.table import Table
from despejado_services.errors import ParameterError
from despejado_services.formats import Format
from despejado_services.formats.choice import FormatTable
from despejado_services.formats.table import BINARY2, CSV, FITS, FORMATS, PARQUET, TABLEDATA, TSV
from despejado_services.models import Column, QueryError
from hypothesis import assume, given
from hypothesis import strategies as st
from pyarrow import parquet

COLUMNS = (
    Column("id", "long", ucd="meta.id", description="key"),
    Column("mag", "double", unit="mag"),
    Column("name", "char", "*"),
    Column("bright", "boolean"),
    Column("flux", "float", "*"),
)
ARRAYS = [
    pa.array([1, None, 3], pa.int64()),
    pa.array([1.5, None, float("nan")]),
    pa.array(['a,"b"\tc', "", None]),
    pa.array([True, False, None]),
    pa.array([[1, 2.5], None, [3]], pa.list_(pa.float32())),
]
OFFERED = FormatTable(FORMATS)


class Rows:
    def __init__(self, *, overflow: bool = False, fails: bool = False) -> None:
        self.columns = COLUMNS
        self.overflow = overflow
        self.rows = 3
        self._fails = fails

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        whole = pa.RecordBatch.from_arrays(ARRAYS, names=[c.name for c in COLUMNS])
        yield whole.slice(0, 1)
        yield whole.slice(1)
        if self._fails:
            raise QueryError("broke")

    def close(self) -> None:
        pass


def written(form: Format, **how: bool) -> bytes:
    return b"".join(form.write(Rows(**how), "SELECT 1"))


@pytest.mark.parametrize(("form", "delimiter"), [(CSV, ","), (TSV, "\t")])
def test_text_tells_null_from_empty_and_keeps_delimiters(form: Format, delimiter: str) -> None:
    text = written(form).decode()
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    assert rows[0] == ["id", "mag", "name", "bright", "flux"]
    assert rows[1] == ["1", "1.5", 'a,"b"\tc', "true", "1 2.5"]
    assert rows[2] == ["", "", "", "false", ""]
    assert rows[3] == ["3", "nan", "", "", "3"]
    assert '""' in text.splitlines()[2]  # the empty string
    assert '""' not in text.splitlines()[3]  # the null


def test_parquet_carries_types_nulls_and_the_votable_of_its_columns() -> None:
    content = written(PARQUET, overflow=True)
    table = parquet.read_table(io.BytesIO(content))
    assert table["id"].to_pylist() == [1, None, 3]
    assert table["name"].to_pylist() == ['a,"b"\tc', "", None]
    assert table["flux"].to_pylist() == [[1.0, 2.5], None, [3.0]]
    assert table["mag"].null_count == 1
    assert table.schema.field("mag").metadata[b"unit"] == b"mag"
    metadata = parquet.read_metadata(io.BytesIO(content)).metadata
    document = metadata[b"IVOA.VOTable-Parquet.content"]
    assert b'ucd="meta.id"' in document
    assert b"OVERFLOW" in document
    fields = parse(io.BytesIO(document)).get_first_table().fields
    assert [str(f.unit) for f in fields if f.name == "mag"] == ["mag"]


def test_a_broken_parquet_file_cannot_be_read_as_a_short_one() -> None:
    pieces = []
    with pytest.raises(QueryError):
        for piece in PARQUET.write(Rows(fails=True), "q"):
            pieces.append(piece)
    with pytest.raises(pa.ArrowInvalid):
        parquet.read_table(io.BytesIO(b"".join(pieces)))


def test_fits_is_read_by_astropy_with_units_and_nulls() -> None:
    content = written(FITS)
    assert len(content) % 2880 == 0
    with astropy_fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        assert hdus[1].header["TUNIT2"] == "mag"
        assert hdus[1].header["TNULL1"] == -(2**63)
    table = Table.read(io.BytesIO(content), format="fits")
    assert table["id"].tolist() == [1, None, 3]
    assert table["name"][0] == 'a,"b"\tc'
    assert np.asarray(table["flux"][0]).tolist() == [1.0, 2.5]


def test_fits_refuses_what_it_cannot_carry_before_the_first_byte() -> None:
    class Greek(Rows):
        @property
        def batches(self) -> Iterator[pa.RecordBatch]:
            arrays = [*ARRAYS]
            arrays[2] = pa.array(["α", None, None])
            yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in COLUMNS])

    with pytest.raises(QueryError, match=r"'name'.*ASCII"):
        next(FITS.write(Greek(), "q"))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, BINARY2),
        ("", BINARY2),
        ("votable", BINARY2),
        ("VOTable/TD", TABLEDATA),
        ("application/x-votable+xml", BINARY2),
        ("application/x-votable+xml; serialization=tabledata", TABLEDATA),
        ('application/x-votable+xml;serialization="BINARY2"', BINARY2),
        ("application/x-votable+xml;version=1.4", BINARY2),
        ("text/csv", CSV),
        ("text/csv; header=present", CSV),
        ("tsv", TSV),
        ("text/tab-separated-values", TSV),
        ("application/vnd.apache.parquet", PARQUET),
        ("parquet", PARQUET),
        ("application/fits", FITS),
    ],
)
def test_names_of_formats(value: str | None, form: Format) -> None:
    assert OFFERED.choose(value) == form


def test_text_xml_is_answered_as_asked() -> None:
    assert OFFERED.choose("text/xml").content_type == "text/xml"


NAMES = {alias for form in FORMATS for alias in form.aliases}


@given(st.text())
def test_any_other_format_is_refused_with_the_choices(value: str) -> None:
    assume(value.strip().lower() not in {"", *NAMES})
    with pytest.raises(ParameterError, match="parquet") as caught:
        OFFERED.choose(value)
    assert caught.value.name == "RESPONSEFORMAT"
