"""Variables in queries, and carets under the writer's own text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from despejado.adql import BadVariable, fill, marked
from despejado.errors import UnknownName
from hypothesis import given
from hypothesis import strategies as st


def filled(source: str, **variables: object) -> str:
    return fill(source, variables).text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (5, "5"),
        (2.5, "2.5"),
        (1e-7, "1e-07"),
        (np.float64(1.25), "1.25"),
        (np.int32(7), "7"),
        (-3, " -3"),
        ("Alcyone", "'Alcyone'"),
        ("O'Neill", "'O''Neill'"),
        ("'; DROP TABLE x; --", "'''; DROP TABLE x; --'"),
        ([1, 2, 3], "1, 2, 3"),
        (np.array([17702, 17499]), "17702, 17499"),
        (["a", "b'"], "'a', 'b'''"),
    ],
)
def test_literals(value: object, wanted: str) -> None:
    assert filled("x = {v}", v=value) == f"x = {wanted}"


def test_a_table_column_becomes_a_list() -> None:
    column = Table({"hip": [1, 2]})["hip"]
    assert filled("hip IN ({hips})", hips=column) == "hip IN (1, 2)"


def test_minus_never_begins_a_comment() -> None:
    assert "--" not in filled("x -{v} AND y < 3", v=-2.0)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "nan, which ADQL cannot write"),
        (float("inf"), "inf, which"),
        (True, "Use 1 or 0"),
        (None, "type NoneType"),
        (object(), "type object"),
        ([], "is empty"),
        ({"a": 1}, "type dict"),
        (3 * u.deg, r"v.to_value\('deg'\)"),
        ("a\0b", "NUL"),
        (np.zeros((2, 2)), "type ndarray"),
    ],
)
def test_values_without_a_literal_are_refused(value: object, told: str) -> None:
    with pytest.raises(BadVariable, match=told):
        filled("x = {v}", v=value)


def test_a_list_of_one_list_is_that_list() -> None:
    assert filled("{v}", v=[[1]]) == "1"


def test_unknown_variable_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no variable 'radus'.*Did you mean radius\?"):
        filled("{radus}", radius=1)


def test_expressions_are_not_evaluated() -> None:
    with pytest.raises(BadVariable, match="Line 2: braces hold the name of one variable"):
        filled("SELECT\n{a+1}", a=1)
    with pytest.raises(BadVariable):
        filled("{__import__('os')}")
    with pytest.raises(BadVariable):
        filled("{a.b}", a=1)


def test_braces_in_quotes_are_refused_only_if_they_look_like_a_variable() -> None:
    with pytest.raises(BadVariable, match="without them"):
        filled("name = '{name}'", name="x")
    with pytest.raises(BadVariable, match="inside quotes"):
        filled('"{name}" = 1', name="x")
    assert filled("a LIKE 'x{3}' -- {name}") == "a LIKE 'x{3}' -- {name}"


TOKENS = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\S")


@given(st.text(st.characters(blacklist_characters="\0", codec="utf-8")))
def test_any_string_stays_one_literal(text: str) -> None:
    query = filled("SELECT {a} FROM t WHERE b = 1", a=text)
    tokens = TOKENS.findall(query)
    assert tokens[6][1:-1].replace("''", "'") == text
    assert "".join(tokens[7:]) == "FROMtWHEREb=1"


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_number_stays_one_number(number: float) -> None:
    query = filled("x-{a} END", a=number)
    found = re.fullmatch(r"x-( -)?([0-9][0-9.e+-]*)( END)", query)
    assert found is not None, query
    sign, digits, rest = found.groups()
    assert float(f"{'-' if sign else ''}{digits}") == float(number)
    assert rest == " END"


MARKED = """\
   3 | WHERE hip = {hip} AND prallax > {limit}
     |                       ^"""


def test_caret_stands_under_the_writers_own_text() -> None:
    source = "SELECT *\nFROM sample.stars\nWHERE hip = {hip} AND prallax > {limit}\n"
    query = fill(source, {"hip": 1234567890, "limit": 10.5})
    column = query.text.splitlines()[2].index("prallax") + 1
    assert marked(query, f"Unknown column prallax (line 3, column {column}).") == MARKED


def test_caret_inside_a_variable_points_at_its_braces() -> None:
    query = fill("SELECT {a} FROM x", {"a": "long text"})
    assert marked(query, "line 1, column 12").splitlines()[1].index("^") == 7 + len("SELECT ")


def test_caret_after_a_string_of_several_lines() -> None:
    query = fill("SELECT {a}\nFROM nowhere", {"a": "two\nlines"})
    assert query.text.splitlines()[2] == "FROM nowhere"
    assert marked(query, "line 3, column 6") == "   2 | FROM nowhere\n     |      ^"


@pytest.mark.parametrize("message", ["no place", "line 9, column 1", "line 0, column 4"])
def test_no_caret_without_a_place(message: str) -> None:
    assert marked(fill("SELECT 1", {}), message) == ""


@given(st.text("ab\n\t{}'- ", max_size=40), st.integers(0, 6), st.integers(0, 60))
def test_marking_never_fails(source: str, line: int, column: int) -> None:
    try:
        query = fill(source, {"a": "x\ny", "b": -1, "ab": [1, 2], "ba": 0.5})
    except (BadVariable, UnknownName):
        return
    marked(query, f"line {line}, column {column}")
