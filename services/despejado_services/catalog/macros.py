"""SQL macros of the store: the arithmetic that generated queries call b2 name.

They keep generated SQL readable and are inlined b2 DuckDB, so they cost nothing.
"""

from __future__ import annotations

from despejado_services.catalog.regions import EDGE


def _dot(first: int) -> str:
    """The product of a point and the three numbers of edge ``i`` that begin at ``first``."""
    return " + ".join(f"e[{first + k}+i*{EDGE}]*p{'xyz'[k]}" for k in range(3))


_NORMAL, _ALONG, _BACK = _dot(1), _dot(7), _dot(10)
_EDGES = f"range(0, len(e) // {EDGE})"


def _product(a: str, i: str, first: int, b: str, j: str, second: int) -> str:
    return " + ".join(f"{a}[{first + k}+{i}*{EDGE}]*{b}[{second + k}+{j}*{EDGE}]" for k in range(3))


MACROS = (
    # sin^2 of half the distance: exact for the smallest and the largest angles
    "adql_hav(ra1, dec1, ra2, dec2) AS pow(sin(radians(dec2 - dec1) / 2), 2)"
    " + cos(radians(dec1)) * cos(radians(dec2)) * pow(sin(radians(ra2 - ra1) / 2), 2)",
    "adql_distance(ra1, dec1, ra2, dec2) AS"
    " degrees(2 * asin(sqrt(least(1.0, adql_hav(ra1, dec1, ra2, dec2)))))",
    'adql_x(ra, "dec") AS cos(radians("dec")) * cos(radians(ra))',
    'adql_y(ra, "dec") AS cos(radians("dec")) * sin(radians(ra))',
    'adql_z(ra, "dec") AS sin(radians("dec")) + 0 * ra',
    # a value outside the domain of a function is null, not the end of the query
    "adql_ln(v) AS CASE WHEN v > 0 THEN ln(v) END",
    "adql_log10(v) AS CASE WHEN v > 0 THEN log10(v) END",
    "adql_sqrt(v) AS CASE WHEN v >= 0 THEN sqrt(v) END",
    "adql_asin(v) AS CASE WHEN v BETWEEN -1 AND 1 THEN asin(v) END",
    "adql_acos(v) AS CASE WHEN v BETWEEN -1 AND 1 THEN acos(v) END",
    "adql_cot(v) AS CASE WHEN tan(v) <> 0 THEN 1 / tan(v) END",
    "adql_truncate(v, n) AS trunc(v * pow(10, n)) / pow(10, n)",
    # cells of a grid in space for positional joins (see adql/crossmatch.py)
    "adql_cell(px, py, pz, n) AS (CAST(floor((px + 1) * n) AS BIGINT) * 2097152"
    " + CAST(floor((py + 1) * n) AS BIGINT)) * 2097152 + CAST(floor((pz + 1) * n) AS BIGINT)",
    "adql_cells(px, py, pz, n, h) AS list_distinct(["
    + ", ".join(
        f"adql_cell(px {a} h, py {b} h, pz {c} h, n)" for a in "+-" for b in "+-" for c in "+-"
    )
    + "])",
    # regions (see catalog/regions.py)
    "adql_chord2(a1, a2, a3, b1, b2, b3) AS pow(a1 - b1, 2) + pow(a2 - b2, 2) + pow(a3 - b3, 2)",
    "adql_reach(r) AS 4 * pow(sin(least(r, pi()) / 2), 2)",
    f"adql_inside(e, px, py, pz, d) AS"
    f" coalesce(list_bool_and([{_NORMAL} >= d for i in {_EDGES}]),"
    " CASE WHEN e IS NOT NULL THEN true END)",
    "adql_near_edge(e, px, py, pz, r) AS coalesce(list_bool_or(["
    f"adql_chord2(e[4+i*{EDGE}], e[5+i*{EDGE}], e[6+i*{EDGE}], px, py, pz) <= adql_reach(r)"
    f" OR (abs({_NORMAL}) <= sin(least(r, pi() / 2)) AND {_ALONG} >= 0 AND {_BACK} >= 0)"
    f" for i in {_EDGES}]), false)",
    "adql_apart(e, f) AS coalesce(list_bool_or([list_bool_and(["
    + _product("e", "i", 1, "f", "j", 4)
    + f" < 0 for j in range(0, len(f) // {EDGE})]) for i in {_EDGES}]), false)",
    "adql_all_within(e, px, py, pz, r) AS list_bool_and(["
    f"adql_chord2(e[4+i*{EDGE}], e[5+i*{EDGE}], e[6+i*{EDGE}], px, py, pz) <= adql_reach(r)"
    f" for i in {_EDGES}])",
    "adql_all_inside(e, f) AS list_bool_and([list_bool_and(["
    + _product("f", "j", 1, "e", "i", 4)
    + f" >= 0 for j in range(0, len(f) // {EDGE})]) for i in {_EDGES}])",
    "adql_region_has(x, y, z, r, e, px, py, pz) AS"
    " adql_chord2(x, y, z, px, py, pz) <= adql_reach(r) AND adql_inside(e, px, py, pz, 0)",
    "adql_meet(a1, a2, a3, ar, ae, b1, b2, b3, br, be) AS"
    " adql_chord2(a1, a2, a3, b1, b2, b3) <= adql_reach(ar + br) AND CASE"
    " WHEN len(ae) = 0 AND len(be) = 0 THEN true"
    " WHEN len(ae) = 0 THEN adql_inside(be, a1, a2, a3, 0) OR adql_near_edge(be, a1, a2, a3, ar)"
    " WHEN len(be) = 0 THEN adql_inside(ae, b1, b2, b3, 0) OR adql_near_edge(ae, b1, b2, b3, br)"
    " ELSE NOT adql_apart(ae, be) AND NOT adql_apart(be, ae) END",
    "adql_within(a1, a2, a3, ar, ae, b1, b2, b3, br, be) AS CASE"
    " WHEN len(ae) = 0 AND len(be) = 0 THEN ar <= br AND"
    " adql_chord2(a1, a2, a3, b1, b2, b3) <= adql_reach(br - ar)"
    " WHEN len(ae) = 0 THEN adql_inside(be, a1, a2, a3, sin(ar))"
    " WHEN len(be) = 0 THEN adql_all_within(ae, b1, b2, b3, br)"
    " ELSE adql_all_inside(ae, be) END",
)
