"""Positional joins: two tables, positions closer than a constant angle.

Written as it stands such a join compares every pair. Instead space is cut into cubes much larger
than the angle; each row of one table goes into all cubes that the cube around its position
touches, each row of the other into the one it lies in; equal cubes are joined by hash, and the
exact test decides. Cubes of space, unlike pixels of the sphere, need no care at the poles or at
RA 0/360 and no table of neighbours, and every true pair is found: a chord is never longer than
its arc, so the positions differ by at most the radius in each coordinate. No pair is found twice,
because each row of the second table lies in exactly one cube.

DuckDB before 2.0 runs a LEFT JOIN whose condition has more than comparisons of one side with the
other as a nested loop all the same; inner joins are quick in every version.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlglot import exp

from despejado_services.adql import functions as fn
from despejado_services.adql.expressions import COMPARISONS, MIRRORED, Writer, flatten
from despejado_services.adql.names import Source
from despejado_services.adql.shapes import Area, Point, constant, function_name, number
from despejado_services.catalog.metadata import quote

CELL = "_cell"
_LARGEST = 10.0  # degrees; beyond, nearly every pair is one
_WIDTH = 8.0  # cells per radius: about one cell in two of the exploded table stays alone
_FINEST = 2**19  # cells per unit length; the three numbers of a cell share 63 bits


@dataclass(frozen=True)
class Pair:
    """``a`` and ``b`` are closer than ``radius`` degrees; each belongs to one source."""

    a: Point
    a_source: Source
    b: Point
    b_source: Source
    radius: float


def conjuncts(node: exp.Expr) -> list[exp.Expr]:
    """The conditions that AND joins, without parentheses around the whole."""
    while isinstance(node, exp.Paren):
        node = node.this
    return flatten(node) if isinstance(node, exp.And) else [node]


def find_pair(node: exp.Expr, writer: Writer) -> Pair | None:
    """The pair of positions that a condition compares, if it is one that can be joined by cells."""
    if type(node) not in COMPARISONS:
        return None
    operator, left, right = COMPARISONS[type(node)], node.this, node.expression
    if function_name(right) is not None and function_name(left) is None:
        left, right, operator = right, left, MIRRORED[operator]
    name, limit = function_name(left), constant(right)
    if limit is None:
        return None
    if name == "DISTANCE" and operator in ("<", "<="):
        a, b = writer.two_points(left)
        return _pair(left, a, b, limit, writer)
    positive = (operator == "=" and limit == 1) or (operator == "<>" and limit == 0)
    if name in fn.PREDICATES and positive:
        inner, outer = writer.two_shapes(left)
        if isinstance(inner, Area):
            inner, outer = outer, inner
        if isinstance(inner, Point) and isinstance(outer, Area) and outer.radius is not None:
            return _pair(left, inner, outer.circle_centre, outer.radius, writer)
    return None


def _pair(node: exp.Expr, a: Point, b: Point | None, radius: float, writer: Writer) -> Pair | None:
    if b is None or a.constant or b.constant or not 0 <= radius <= _LARGEST:
        return None
    a_source, b_source = _only_source(a, node, writer), _only_source(b, node, writer)
    if a_source is None or b_source is None or a_source is b_source:
        return None
    return Pair(a, a_source, b, b_source, radius)


def _only_source(point: Point, node: exp.Expr, writer: Writer) -> Source | None:
    """The one source of this SELECT that all columns of a point come from."""
    if point.source is not None:
        found = [point.source]
    else:
        sql = f"{point.ra} {point.dec}"
        columns = [writer.scope.find(c) for c in node.find_all(exp.Column)]
        found = [c.source for c in columns if c.source is not None and c.sql in sql]
    if not found or any(s is not found[0] for s in found):
        return None
    return found[0] if any(s is found[0] for s in writer.scope.sources) else None


def explode(pair: Pair, source: Source) -> str:
    """Put ``source`` (one of the pair's) into cells; returns the condition that joins them."""
    if source is pair.a_source:
        exploded, other = pair.a, pair.b
    else:
        exploded, other = pair.b, pair.a
    reach = 2 * math.sin(math.radians(pair.radius) / 2) + 1e-12
    cells = min(_FINEST, 1 / (_WIDTH * reach))
    # names are quoted and numbers are ours
    source.sql = (
        f"(SELECT *, unnest(adql_cells({exploded.xyz}, {number(cells)}, {number(reach)}))"  # noqa: S608
        f" AS {quote(CELL)} FROM {source.from_sql})"
    )
    return f"adql_cell({other.xyz}, {number(cells)}) = {source.reference(CELL)}"
