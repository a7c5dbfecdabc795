"""What the service says of itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from despejado_services.address import base_url
from despejado_services.config import Limits
from despejado_services.formats.choice import FormatTable
from despejado_services.formats.table import FORMATS
from despejado_services.handlers.home import home_page
from despejado_services.vosi.availability import availability_document
from despejado_services.vosi.capabilities import Language, capabilities_document
from despejado_services.vosi.tables import TableSet, table_document, tableset_document

URL = "http://localhost:8000/services/tap"
OFFERED = FormatTable(FORMATS)
LANGUAGE = Language(
    geometry=("POINT", "CIRCLE", "CONTAINS"),
    functions=(("scisql_nanojanskyToAbMag(flux DOUBLE) -> DOUBLE", "AB magnitude of nJy"),),
    optional=(("features-adql-string", ("LOWER", "UPPER")),),
)
TABLES = TableSet(
    schemas=(
        {"schema_name": "sample", "description": "Stars & more", "utype": None},
        {"schema_name": "empty", "description": None},
    ),
    tables=(
        {
            "schema_name": "sample",
            "table_name": "sample.stars",
            "table_type": "table",
            "description": "Real <stars>",
            "utype": None,
        },
    ),
    columns=(
        {
            "table_name": "sample.stars",
            "column_name": "ra",
            "datatype": "double",
            "arraysize": None,
            "xtype": None,
            "unit": "deg",
            "ucd": "pos.eq.ra;meta.main",
            "utype": None,
            "description": "Right ascension",
            "principal": 1,
            "indexed": 1,
            "std": 0,
        },
        {
            "table_name": "sample.stars",
            "column_name": "when",
            "datatype": "char",
            "arraysize": "*",
            "xtype": "timestamp",
            "description": None,
            "principal": 0,
            "indexed": 0,
            "std": 1,
        },
    ),
    keys=(
        {
            "key_id": "k1",
            "from_table": "sample.stars",
            "target_table": "sample.names",
            "from_column": "hip",
            "target_column": "hip",
        },
    ),
)


def test_documents(golden: Callable[[str, str], None]) -> None:
    golden("capabilities.xml", capabilities_document(URL, Limits(), LANGUAGE, OFFERED))
    golden("tables.xml", tableset_document(TABLES))
    golden("table.xml", table_document(TABLES, "SAMPLE.Stars") or "")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    golden("availability.xml", availability_document(available=True, up_since=moment, note="Here."))
    golden("home.html", home_page(URL, hub="/hub", scope="custom:tap:query"))


def test_capabilities_promise_no_upload() -> None:
    assert "upload" not in capabilities_document(URL, Limits(), LANGUAGE, OFFERED).lower()


def test_the_page_for_people_loads_nothing_and_escapes_its_address() -> None:
    page = home_page('http://x/"><script>', hub="/hub", scope="custom:tap:query")
    assert "<script" not in page
    assert "src=" not in page
    assert "@import" not in page


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "localhost:8000"}, "http://localhost:8000/t"),
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": "https,http"}, "https://127.0.0.1:8000/t"),
        ({"host": "inner:9", "x-forwarded-host": "a.example.org, b"}, "http://a.example.org/t"),
        ({"host": "[::1]:8000"}, "http://[::1]:8000/t"),
        ({"host": "evil/path"}, "fallback"),
        ({"host": "a b"}, "fallback"),
        ({"host": 'x"><script>'}, "fallback"),
        ({"host": "user@evil"}, "fallback"),
        ({"host": "x", "x-forwarded-proto": "javascript"}, "fallback"),
        ({}, "fallback"),
    ],
)
def test_links_use_the_name_that_the_client_used(headers: dict[str, str], expected: str) -> None:
    assert base_url(headers, prefix="/t", fallback="fallback") == expected
