"""What of ADQL is accepted, what is refused and where the error points, and the SQL it becomes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from despejado_services.adql import translate
from despejado_services.catalog.store import Store
from despejado_services.models import AdqlError
from hypothesis import given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data" / "adql"


def blocks(name: str) -> list[str]:
    """Queries of a corpus file, separated by lines of dashes."""
    return [b.strip() for b in (DATA / name).read_text().split("\n----\n") if b.strip()]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("data"))


def sql_of(store: Store, query: str) -> str:
    return translate(query, store.catalogue, maxrec=100).sql


def refusal(store: Store, query: str) -> AdqlError:
    with pytest.raises(AdqlError) as caught:
        translate(query, store.catalogue, maxrec=100)
    return caught.value


@pytest.mark.parametrize("query", blocks("valid.adql"))
def test_valid_adql_is_translated_and_runs(store: Store, query: str) -> None:
    with store.cursor() as cursor:
        cursor.sql(sql_of(store, query)).limit(1).fetchall()


@pytest.mark.parametrize("block", blocks("invalid.adql"))
def test_invalid_adql_is_refused_with_its_reason(store: Store, block: str) -> None:
    expected, query = block.split("\n", 1)
    assert expected.removeprefix("-- ") in str(refusal(store, query))


@pytest.mark.parametrize("block", blocks("golden.adql"))
def test_golden_sql(store: Store, golden: Callable[[str, str], None], block: str) -> None:
    title, query = block.split("\n", 1)
    golden(f"adql/{title.removeprefix('-- ')}.sql", sql_of(store, query) + "\n")


@pytest.mark.parametrize(
    ("query", "line", "column", "token"),
    [
        ("SELECT hipp FROM sample.stars", 1, 8, "hipp"),
        ("SELECT hip\nFROM sample.star", 2, 6, "sample"),
        ("SELECT s.foo\n  FROM sample.stars AS s", 1, 10, "foo"),
        ("SELECT hip FROM sample.stars\nWHERE x.mag < 1", 2, 7, "x"),
        ("SELECT hip FROM sample.stars\n WHERE SINH(mag) < 1", 2, 8, "SINH"),
        ("SELECT hip FROM sample.stars\nWHERE mag << 1", 2, 7, "mag"),
        ("SELECT hip AS level FROM sample.stars", 1, 15, "level"),
        ("SELECT hip FROM sample.stars WHERE constellation = 'UMa", 1, 52, "'"),
        ("SELECT TOP x hip FROM sample.stars", 1, 12, "x"),
        ("SELECT hip FROM sample.stars ORDER BY 2", 1, 39, "2"),
    ],
)
def test_an_error_points_at_the_token(
    store: Store, query: str, line: int, column: int, token: str
) -> None:
    error = refusal(store, query)
    assert (error.line, error.column) == (line, column), str(error)
    assert error.token is not None
    assert error.token.startswith(token)


def test_unknown_names_come_with_the_nearest(store: Store) -> None:
    wrong = "SELECT paralax FROM sample.stars"
    assert refusal(store, wrong).suggestions == ("parallax",)
    assert refusal(store, "SELECT hip FROM samples.stars").suggestions == ("sample.stars",)
    assert "ivoa.ObsCore" in refusal(store, "SELECT * FROM ivoa.obscor").suggestions


def test_star_follows_column_index(store: Store) -> None:
    names = [o.name for o in translate("SELECT * FROM stars", store.catalogue, maxrec=1).outputs]
    assert names[:5] == ["star_id", "hip", "tyc_id", "component", "ra"]
    assert "_healpix_29" not in names


def test_names_are_compared_without_case_unless_delimited(store: Store) -> None:
    assert '"stars"."ra"' in sql_of(store, 'SELECT RA, "dec" FROM SAMPLE.Stars')
    assert "no column RA" in str(refusal(store, 'SELECT "RA" FROM sample.stars'))


def test_output_names_are_unique(store: Store) -> None:
    query = (
        "SELECT a.hip, b.hip, COUNT(*), COUNT(*) FROM stars a JOIN stars b USING (star_id)"
        " GROUP BY a.hip, b.hip"
    )
    found = translate(query, store.catalogue, maxrec=1)
    assert [o.name for o in found.outputs] == ["hip", "hip_2", "count", "count_2"]


HOSTILE = [
    "x'; DROP TABLE sample.stars; --",
    "a' OR '1'='1",
    "\\'; ATTACH 'x'; --",
    'quote " inside',
    "unicode \u2019 \u0001 \u202e",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_a_literal(store: Store, text: str) -> None:
    doubled = text.replace("'", "''")
    with store.cursor() as cursor:
        query = f"SELECT TOP 1 '{doubled}' AS t FROM sample.stars"
        assert cursor.sql(sql_of(store, query)).fetchall() == [(text,)]


@pytest.mark.parametrize("name", ['a"; DROP TABLE x; --', "a' --", 'stars"_2', "x\n"])
def test_a_name_stays_a_name(store: Store, name: str) -> None:
    doubled = name.replace('"', '""')
    query = f'SELECT TOP 1 "{doubled}".hip AS "{doubled}" FROM sample.stars AS "{doubled}"'
    with store.cursor() as cursor:
        assert cursor.sql(sql_of(store, query)).columns == [name]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused_in_words_or_runs(store: Store, text: str) -> None:
    query = f"SELECT TOP 1 hip FROM sample.stars WHERE {text}"
    try:
        sql = sql_of(store, query)
    except AdqlError as error:
        assert str(error)
        return
    with store.cursor() as cursor:
        assert len(cursor.sql(sql).fetchall()) <= 1


_NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda f: format(f, "f")),
)
_VALUES = st.recursive(
    st.one_of(_NUMBERS, st.sampled_from(["ra", "dec", "mag", "s.hip"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("ABS({})".format),
        st.tuples(inner, inner).map(lambda p: f"POWER({p[0]}, {p[1]})"),
        inner.map("CAST({} AS DOUBLE PRECISION)".format),
    ),
    max_leaves=8,
)
_CONDITIONS = st.recursive(
    st.one_of(
        st.tuples(_VALUES, st.sampled_from(["=", "<", ">=", "<>", "!="]), _VALUES).map(" ".join),
        _VALUES.map("{} IS NOT NULL".format),
        st.tuples(_VALUES, _VALUES, _VALUES).map(lambda v: f"{v[0]} NOT BETWEEN {v[1]} AND {v[2]}"),
        st.lists(_NUMBERS, min_size=1, max_size=4).map(lambda v: f"mag IN ({', '.join(v)})"),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(" ".join),
        inner.map("NOT ({})".format),
    ),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(_VALUES, _CONDITIONS)
def test_expressions_of_the_grammar_run(store: Store, value: str, condition: str) -> None:
    query = f"SELECT {value} AS v FROM sample.stars AS s WHERE {condition}"
    # arithmetic of constants that overflows is the query's own doing
    with store.cursor() as cursor, contextlib.suppress(duckdb.OutOfRangeException):
        cursor.sql(f"EXPLAIN {sql_of(store, query)}").fetchall()


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.sampled_from("+-*/"))
def test_constant_arithmetic_is_right(store: Store, a: int, b: int, operator: str) -> None:
    expected = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[operator]
    with store.cursor() as cursor:
        query = f"SELECT TOP 1 {a} {operator} {b} AS v FROM tap_schema.schemas"
        ((found,),) = cursor.sql(sql_of(store, query)).fetchall()
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("LOG(10)", 2.302585092994046),
        ("LOG10(1000)", 3.0),
        ("LOG10(-1)", None),
        ("SQRT(-1)", None),
        ("TRUNCATE(-2.789, 1)", -2.7),
        ("TRUNCATE(2.9)", 2.0),
        ("ROUND(2.456, 2)", 2.46),
        ("MOD(17, 5)", 2),
        ("ATAN2(1, 1)", 0.7853981633974483),
        ("COT(1)", 0.6420926159343306),
        ("CEILING(1.2)", 2.0),
        ("1 / 2", 0.5),
        ("LOWER('AbC') || UPPER('x')", "abcX"),
        ("COALESCE(NULL, 3)", 3),
        ("CAST('12' AS INTEGER)", 12),
        ("CAST(12345 AS CHAR(3))", "123"),
        ("CASE WHEN 1 < 2 THEN 'a' ELSE 'b' END", "a"),
        ("SCISQL_nanojanskyToAbMag(3631e9)", -0.00006),
        ("DISTANCE(POINT(0, 0), POINT(0, 90))", 90.0),
        ("DISTANCE(359.5, 0, 0.5, 0)", 1.0),
        ("COORD2(POINT(3, 4))", 4.0),
        ("COORD1(CENTROID(CIRCLE(3, 4, 1)))", 3.0),
        ("AREA(CIRCLE(0, 0, 180))", 41252.96124941927),
        ("AREA(POLYGON(0, 0, 90, 0, 0, 90))", 41252.96124941927 / 8),
        ("CONTAINS(POINT(10, 10), CIRCLE(10, 10, 1))", 1),
        ("INTERSECTS(CIRCLE(0, 0, 1), CIRCLE(3, 0, 1))", 0),
        ("INTERSECTS(CIRCLE(0, 0, 2), CIRCLE(2.9, 0, 1))", 1),
        ("CONTAINS(CIRCLE(0, 0, 1), BOX(0, 0, 3, 3))", 1),
        ("CONTAINS(CIRCLE(0, 0, 2), BOX(0, 0, 3, 3))", 0),
        ("CONTAINS(REGION('BOX ICRS 0 0 1 1'), CIRCLE(0, 0, 1))", 1),
    ],
)
def test_functions_mean_what_adql_says(store: Store, expression: str, expected: object) -> None:
    with store.cursor() as cursor:
        query = f"SELECT TOP 1 {expression} AS v FROM tap_schema.schemas"
        ((found,),) = cursor.sql(sql_of(store, query)).fetchall()
    assert found == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected)


def test_a_nul_character_is_refused(store: Store) -> None:
    error = refusal(store, "SELECT 'a\0' AS t\nFROM stars")
    assert "NUL" in str(error)
    assert (error.line, error.column) == (1, 10)


def test_units_are_converted(store: Store) -> None:
    query = "SELECT ra, IN_UNIT(ra, 'arcmin'), pm_ra, IN_UNIT(pm_ra, 'arcsec.yr**-1') FROM stars"
    with store.cursor() as cursor:
        ra, arcmin, pm, arcsec = cursor.sql(sql_of(store, query)).fetchall()[0]
    assert arcmin == pytest.approx(ra * 60)
    assert arcsec == pytest.approx(pm / 1000)


def test_long_chains_and_lists_are_no_trouble(store: Store) -> None:
    many = ", ".join(str(2**62 + i) for i in range(20_000))
    assert str(2**62 + 19_999) in sql_of(store, f"SELECT hip FROM stars WHERE hip IN ({many})")
    chain = " OR ".join(f"hip = {i}" for i in range(300))
    with store.cursor() as cursor:
        cursor.sql(sql_of(store, f"SELECT hip FROM stars WHERE {chain}"))


def test_deep_nesting_is_refused_in_words(store: Store) -> None:
    deep = "(" * 5000 + "1" + ")" * 5000
    assert "nested too deeply" in str(refusal(store, f"SELECT {deep} AS x FROM stars"))
