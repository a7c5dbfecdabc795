"""Queries as the web side runs them: right stars, right columns, and an end when told to."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from despejado_services import language
from despejado_services.adql import functions
from despejado_services.engine import Engine, Limits
from despejado_services.formats.cells import arrow_type
from despejado_services.models import (
    AdqlError,
    Cancel,
    QueryCancelled,
    QueryError,
    QueryTimeout,
    StoreBusy,
)

ENDLESS = "SELECT COUNT(*) FROM sample.stars AS a, sample.stars AS b WHERE a.mag + b.mag > 3"
CONE = (
    "SELECT TOP 3 hip, mag FROM sample.stars"
    " WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 56.75, 24.12, 1)) ORDER BY mag"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("data"))
    engine.prepare()
    yield engine
    engine.close()


def table(engine: Engine, adql: str, maxrec: int = 1000) -> pa.Table:
    plan = engine.plan(adql, maxrec=maxrec)
    stream = engine.run(plan, cancel=Cancel())
    schema = pa.schema([(c.name, arrow_type(c)) for c in plan.columns])
    return pa.Table.from_batches(stream.batches, schema)


def test_the_brightest_of_the_pleiades_are_alcyone_atlas_electra(engine: Engine) -> None:
    assert table(engine, CONE)["hip"].to_pylist() == [17702, 17847, 17499]


def test_the_nearest_are_alpha_centauri_and_barnard(engine: Engine) -> None:
    found = table(
        engine,
        "SELECT TOP 3 hip, 1000 / parallax AS distance_pc FROM sample.stars WHERE parallax > 0"
        " ORDER BY parallax DESC, mag",
    )
    assert found["hip"].to_pylist() == [71683, 71681, 87937]
    assert found["distance_pc"].to_pylist() == pytest.approx([1.3475, 1.3475, 1.8215], abs=1e-4)


def test_the_fastest_star_is_barnards(engine: Engine) -> None:
    found = table(
        engine,
        "SELECT TOP 1 hip, SQRT(POWER(pm_ra, 2) + POWER(pm_dec, 2)) AS pm FROM sample.stars"
        " ORDER BY pm DESC",
    ).to_pylist()
    assert found == [{"hip": 87937, "pm": pytest.approx(10308, abs=2)}]


def test_plain_columns_keep_what_the_catalogue_says(engine: Engine) -> None:
    plan = engine.plan("SELECT s.ra AS lon, hip, constellation FROM stars AS s", maxrec=1)
    ra, hip, name = plan.columns
    assert (ra.name, ra.datatype, ra.unit, ra.ucd) == (
        "lon",
        "double",
        "deg",
        "pos.eq.ra;meta.main",
    )
    assert ra.description
    assert "Right ascension" in ra.description
    assert (hip.datatype, hip.arraysize, name.datatype, name.arraysize) == (
        "int",
        None,
        "char",
        "*",
    )
    assert plan.tables == ("sample.stars",)


def test_a_union_of_different_columns_keeps_only_what_both_have(engine: Engine) -> None:
    def column(query: str) -> tuple[str | None, str | None]:
        first = engine.plan(query, maxrec=1).columns[0]
        return first.unit, first.ucd

    same = "SELECT ra FROM sample.stars UNION SELECT ra FROM sample.stars"
    assert column(same) == ("deg", "pos.eq.ra;meta.main")
    assert column("SELECT ra FROM sample.stars UNION SELECT dec FROM sample.stars") == ("deg", None)
    assert column("SELECT ra FROM sample.stars UNION SELECT mag FROM sample.stars") == (None, None)


def test_a_union_of_whole_and_other_numbers_keeps_the_fractions(engine: Engine) -> None:
    plan = engine.plan(
        "SELECT hip AS n FROM sample.stars WHERE hip = 17702"
        " UNION SELECT ra FROM sample.stars WHERE hip = 17702",
        maxrec=9,
    )
    values = [v for b in engine.run(plan, cancel=Cancel()).batches for v in b.column(0).to_pylist()]
    assert plan.columns[0].datatype == "double"
    assert sorted(values) == [56.8711, 17702.0]


def test_a_column_keeps_its_description_through_subqueries(engine: Engine) -> None:
    query = (
        "WITH w AS (SELECT mag AS m FROM stars) SELECT q.m FROM (SELECT m FROM w) AS q"
        " UNION SELECT mag FROM stars"
    )
    (column,) = engine.plan(query, maxrec=1).columns
    assert (column.name, column.datatype, column.unit) == ("m", "float", "mag")


@pytest.mark.parametrize(
    ("expression", "datatype", "arraysize", "unit"),
    [
        ("COUNT(*)", "long", None, None),
        ("SUM(hip)", "long", None, None),
        ("AVG(mag)", "double", None, "mag"),
        ("MAX(ra)", "double", None, "deg"),
        ("MIN(constellation)", "char", "*", None),
        ("MAX(mag) - 1.5", "double", None, None),
        ("COUNT(*) * 2", "long", None, None),
    ],
)
def test_expressions_have_sensible_types(
    engine: Engine, expression: str, datatype: str, arraysize: str | None, unit: str | None
) -> None:
    (column,) = engine.plan(f"SELECT {expression} AS x FROM stars", maxrec=1).columns
    assert (column.datatype, column.arraysize, column.unit) == (datatype, arraysize, unit)
    found = table(engine, f"SELECT {expression} AS x FROM stars")
    assert found.schema.field("x").type == arrow_type(column)
    assert found.num_rows == 1


def test_geometry_and_time_are_delivered_as_dali_has_them(engine: Engine) -> None:
    query = (
        "SELECT TOP 1 POINT(ra, dec) AS p, CIRCLE(ra, dec, 0.5) AS c,"
        " CAST('2026-10-24T01:02:03' AS TIMESTAMP) AS t FROM stars WHERE hip = 17702"
    )
    p, c, t = engine.plan(query, maxrec=1).columns
    assert (p.xtype, p.arraysize, c.xtype, c.arraysize) == ("point", "2", "circle", "3")
    assert (t.datatype, t.xtype) == ("char", "timestamp")
    (row,) = table(engine, query).to_pylist()
    assert row["p"] == [56.8711, 24.1051]
    assert row["c"] == [56.8711, 24.1051, 0.5]
    assert row["t"].startswith("2026-10-24T01:02:03")


@pytest.mark.parametrize(
    ("adql", "maxrec", "rows", "overflow"),
    [
        ("SELECT hip FROM stars", 10, 10, True),
        ("SELECT TOP 10 hip FROM stars", 10, 10, False),
        ("SELECT TOP 11 hip FROM stars", 10, 10, True),
        ("SELECT TOP 5 hip FROM stars", 10, 5, False),
        ("SELECT TOP 5 hip FROM stars OFFSET 121475", 10, 2, False),
        ("SELECT hip FROM stars UNION ALL SELECT hip FROM stars", 10, 10, True),
        ("SELECT hip FROM stars", 0, 0, True),
        ("SELECT hip FROM stars WHERE mag < -99", 0, 0, False),
        ("SELECT hip FROM stars", 200_000, 121_477, False),
        ("SELECT hip FROM stars", 121_477, 121_477, False),
        ("SELECT hip FROM stars", 121_476, 121_476, True),
    ],
)
def test_overflow_is_told(
    engine: Engine, adql: str, maxrec: int, rows: int, overflow: bool
) -> None:
    stream = engine.run(engine.plan(adql, maxrec=maxrec), cancel=Cancel())
    assert sum(batch.num_rows for batch in stream.batches) == rows
    assert (stream.rows, stream.overflow) == (rows, overflow)


def test_maxrec_keeps_the_order(engine: Engine) -> None:
    found = table(engine, "SELECT mag FROM stars ORDER BY mag", maxrec=5)["mag"].to_pylist()
    assert found == sorted(found)
    assert found[0] == pytest.approx(-1.44)


def test_a_query_is_cancelled_while_it_runs(engine: Engine) -> None:
    cancel = Cancel()
    stream = engine.run(engine.plan(ENDLESS, maxrec=1), cancel=cancel)
    timer = threading.Timer(0.2, cancel.cancel)
    timer.start()
    with pytest.raises(QueryCancelled):
        list(stream.batches)
    timer.join()


def test_a_query_is_cancelled_between_batches(engine: Engine) -> None:
    cancel = Cancel()
    big = "SELECT a.hip FROM stars AS a, stars AS b"
    stream = engine.run(engine.plan(big, maxrec=10**9), cancel=cancel)
    next(stream.batches)
    cancel.cancel()
    with pytest.raises(QueryCancelled):
        for _ in stream.batches:
            pass


def test_a_query_cancelled_before_it_began_does_not_run(engine: Engine) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(QueryCancelled):
        list(engine.run(engine.plan(ENDLESS, maxrec=1), cancel=cancel).batches)


def test_a_query_ends_when_its_time_is_over(engine: Engine) -> None:
    stream = engine.run(engine.plan(ENDLESS, maxrec=1), cancel=Cancel(timeout=0.2))
    with pytest.raises(QueryTimeout, match=r"longer than 0\.2 s"):
        list(stream.batches)


def test_after_a_stop_the_engine_goes_on(engine: Engine) -> None:
    with pytest.raises(QueryTimeout):
        list(engine.run(engine.plan(ENDLESS, maxrec=1), cancel=Cancel(timeout=0.1)).batches)
    assert table(engine, CONE).num_rows == 3


def test_a_stream_can_be_left_early(engine: Engine) -> None:
    stream = engine.run(engine.plan("SELECT * FROM stars", maxrec=10**6), cancel=Cancel())
    next(stream.batches)
    before = threading.active_count()
    stream.close()
    stream.close()
    assert threading.active_count() < before


def test_too_little_memory_is_said_in_words(tmp_path: Path) -> None:
    engine = Engine(tmp_path, limits=Limits(memory="20MB", threads=1))
    plan = engine.plan(
        "SELECT a.* FROM stars AS a, tap_schema.columns AS b ORDER BY a.mag * b.column_index",
        maxrec=10**8,
    )
    with pytest.raises(StoreBusy, match="memory"):
        list(engine.run(plan, cancel=Cancel()).batches)
    assert table(engine, CONE).num_rows == 3
    engine.close()


def test_values_that_cannot_be_converted_are_said_in_words(engine: Engine) -> None:
    plan = engine.plan("SELECT CAST(constellation AS INTEGER) AS x FROM stars", maxrec=1)
    with pytest.raises(QueryError, match="Could not convert"):
        list(engine.run(plan, cancel=Cancel()).batches)


def test_types_that_do_not_fit_are_refused_when_planning(engine: Engine) -> None:
    with pytest.raises(AdqlError, match="does not fit together"):
        engine.plan("SELECT hip FROM stars WHERE POINT(ra, dec) > 3", maxrec=1)


def test_many_queries_at_once(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: table(engine, CONE)["hip"].to_pylist(), range(40)))
    assert found == [[17702, 17847, 17499]] * 40


def test_what_the_capabilities_name_works(engine: Engine) -> None:
    assert {"POINT", "CIRCLE", *language.GEOMETRY} < functions.ALL
    own = {signature.split("(")[0].upper(): text for signature, text in language.FUNCTIONS}
    assert functions.ALL > own.keys() > {"IVO_HEALPIX_INDEX"}
    assert all(own.values())


def test_importing_the_engine_loads_nothing_heavy() -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from despejado_services.engine import Engine; from despejado_services import language\n"
        "Engine(Path('absent')).catalogue\n"
        "heavy = ('duckdb', 'pyarrow', 'numpy', 'sqlglot', 'astropy')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_a_query_never_loads_astropy() -> None:
    program = (
        "import sys, tempfile; from pathlib import Path\n"
        "from despejado_services.engine import Engine\n"
        "from despejado_services.models import Cancel\n"
        f"engine = Engine(Path(tempfile.mkdtemp())); plan = engine.plan({CONE!r}, maxrec=1)\n"
        "list(engine.run(plan, cancel=Cancel()).batches); engine.close()\n"
        "print([m for m in ('cdshealpix', 'astropy', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip().endswith("[]")  # DuckDB shows progress under -c
