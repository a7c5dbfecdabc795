"""Geometry values: POINT, CIRCLE, BOX, POLYGON, REGION, CENTROID and region columns.

A shape knows its SQL, and where its arguments are constants also its numbers, from which pixel
covers are made (ADQL 2.1 §4.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from despejado_services.adql.functions import SHAPES
from despejado_services.adql.names import Scope, Source
from despejado_services.adql.text import QueryText
from despejado_services.catalog.obscore import REGION_COLUMNS
from despejado_services.catalog.regions import region_row
from despejado_services.geometry.healpix import Range, cover_circle, cover_polygons
from despejado_services.geometry.sphere import (
    Circle,
    ConvexPolygon,
    RegionError,
    box,
    check_position,
    polygon,
    solid_angle,
)
from despejado_services.geometry.stc import Region, check_frame, parse_region

NumberWriter = Callable[[exp.Expr], str]


@dataclass(frozen=True)
class Point:
    """``source`` is set where the point is the main position of a table with pixels."""

    ra: str
    dec: str
    constant: tuple[float, float] | None = None
    source: Source | None = None

    @property
    def xyz(self) -> str:
        """SQL of the unit vector: three numbers."""
        pair = f"{self.ra}, {self.dec}"
        return f"adql_x({pair}), adql_y({pair}), adql_z({pair})"

    @property
    def literal(self) -> str:
        """SQL of the position as an array of two doubles, in degrees."""
        return f"[CAST({self.ra} AS DOUBLE), CAST({self.dec} AS DOUBLE)]"


@dataclass(frozen=True)
class Area:
    """A region. ``parts`` are the five values (x, y, z, r, edges) of each convex piece as SQL."""

    parts: tuple[str, ...]
    constant: Region | None = None
    circle: tuple[Point, str] | None = None
    numbers: tuple[str, ...] | None = None

    @property
    def radius(self) -> float | None:
        """The radius in degrees of a circle around a variable point, if it is a constant."""
        if self.circle is None:
            return None
        try:
            return float(self.circle[1])
        except ValueError:
            return None

    @property
    def circle_centre(self) -> Point | None:
        """The centre if the region is one circle, else None."""
        return self.circle[0] if self.circle else None

    @property
    def square_degrees(self) -> float | None:
        """The area of a constant region, None for others."""
        if isinstance(self.constant, Circle):
            steradians = 2 * math.pi * (1 - math.cos(math.radians(self.constant.radius)))
        elif self.constant is not None:
            steradians = sum(solid_angle(piece) for piece in self.constant)
        else:
            return None
        return steradians * math.degrees(1) ** 2

    @property
    def cover(self) -> list[Range] | None:
        """Pixels around a constant region, None for others."""
        if isinstance(self.constant, Circle):
            return cover_circle(self.constant)
        return cover_polygons(self.constant) if self.constant is not None else None


Shape = Point | Area


def number(value: float) -> str:
    """A finite number as SQL of type DOUBLE."""
    text = repr(float(value))
    return text if "e" in text else text + "e0"


def constant(node: exp.Expr) -> float | None:
    """The value of an expression without columns (``-3.6/3600``), or None."""
    if isinstance(node, exp.Literal) and not node.is_string:
        value = float(node.name)
        return value if math.isfinite(value) else None
    if isinstance(node, (exp.Neg, exp.Paren)):
        inner = constant(node.this)
        return inner if inner is None or isinstance(node, exp.Paren) else -inner
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div)):
        a, b = constant(node.this), constant(node.expression)
        if a is None or b is None or (isinstance(node, exp.Div) and b == 0):
            return None
        if isinstance(node, exp.Add):
            return a + b
        if isinstance(node, exp.Sub):
            return a - b
        return a * b if isinstance(node, exp.Mul) else a / b
    return None


def function_name(node: exp.Expr) -> str | None:
    """The name in upper case of a call to a function, else None."""
    if isinstance(node, exp.Anonymous) and isinstance(node.this, str):
        return str(node.this).upper()
    return None


class ShapeReader:
    """Makes shapes of syntax nodes; ``write_number`` writes an argument that is a number."""

    def __init__(self, scope: Scope, text: QueryText, write_number: NumberWriter) -> None:
        self._scope = scope
        self._text = text
        self._write_number = write_number

    def shape(self, node: exp.Expr, what: str) -> Shape:
        """The shape that ``node`` is; ``what`` says where it stands, for the error."""
        name = function_name(node)
        if isinstance(node, exp.Paren):
            return self.shape(node.this, what)
        if isinstance(node, exp.Column) and (source := self._region_source(node)):
            return Area((", ".join(source.reference(c) for c in REGION_COLUMNS),))
        if name not in SHAPES:
            raise self._text.error(
                node, f"{what} needs a POINT, CIRCLE, BOX, POLYGON or a region column here"
            )
        try:
            return self._make(name or "", node)
        except RegionError as error:
            raise self._text.error(node, f"this {name} cannot be used: {error}") from error

    def point(self, node: exp.Expr, what: str) -> Point:
        """The point of an expression; ``what`` asks for it. Raises AdqlError."""
        found = self.shape(node, what)
        if not isinstance(found, Point):
            raise self._text.error(node, f"{what} needs a POINT here")
        return found

    def point_of(self, ra: exp.Expr, dec: exp.Expr) -> Point:
        """The point of two numbers that stand outside a POINT."""
        try:
            return self._point(ra, dec)
        except RegionError as error:
            raise self._text.error(ra, f"this position cannot be used: {error}") from error

    def _make(self, name: str, node: exp.Expr) -> Shape:
        if name == "REGION":
            return self._region(node)
        if name == "CENTROID":
            return self._centroid(node)
        given = self._without_frame(list(node.expressions))
        if name == "POINT":
            if len(given) != 2:
                raise self._count(node, "POINT takes a longitude and a latitude", given)
            return self._point(given[0], given[1])
        if name == "CIRCLE":
            return self._circle(node, given)
        if name == "BOX":
            return self._box(node, given)
        return self._polygon(node, given)

    def _without_frame(self, given: list[exp.Expr]) -> list[exp.Expr]:
        """Drop the coordinate system of ADQL 2.0; one that is not ICRS cannot be answered."""
        if given and (
            isinstance(given[0], exp.Null)
            or (isinstance(given[0], exp.Literal) and given[0].is_string)
        ):
            if isinstance(given[0], exp.Literal):
                check_frame(given[0].name.split())
            return given[1:]
        return given

    def _count(self, node: exp.Expr, rule: str, given: list[exp.Expr]) -> Exception:
        return self._text.error(node, f"{rule}; here are {len(given)} arguments")

    def _point(self, ra: exp.Expr, dec: exp.Expr) -> Point:
        a, b = constant(ra), constant(dec)
        if a is not None and b is not None:
            check_position(a, b)
            return Point(number(a), number(b), (a, b))
        return Point(self._write_number(ra), self._write_number(dec), None, self._main(ra, dec))

    def _main(self, ra: exp.Expr, dec: exp.Expr) -> Source | None:
        if not (isinstance(ra, exp.Column) and isinstance(dec, exp.Column)):
            return None
        a, b = self._scope.find(ra), self._scope.find(dec)
        source = a.source
        if source is None or source is not b.source or source.table is None:
            return None
        main = source.table.position
        if main and (a.column.physical, b.column.physical) == (main.ra, main.dec):
            return source
        return None

    def _circle(self, node: exp.Expr, given: list[exp.Expr]) -> Area:
        if len(given) == 2 and function_name(given[0]) in SHAPES:
            centre = self.point(given[0], "CIRCLE")
        elif len(given) == 3:
            centre = self._point(given[0], given[1])
        else:
            raise self._count(node, "CIRCLE takes a centre and a radius", given)
        radius = constant(given[-1])
        if centre.constant and radius is not None:
            return constant_area(Circle(*centre.constant, radius))
        size = number(radius) if radius is not None else self._write_number(given[-1])
        part = f"{centre.xyz}, radians({size}), CAST([] AS DOUBLE[])"
        return Area((part,), None, (centre, size), (centre.ra, centre.dec, size))

    def _box(self, node: exp.Expr, given: list[exp.Expr]) -> Area:
        if len(given) == 3 and function_name(given[0]) in SHAPES:
            centre = self.point(given[0], "BOX").constant
        elif len(given) == 4:
            centre = self._point(given[0], given[1]).constant
        else:
            raise self._count(node, "BOX takes a centre, a width and a height", given)
        width, height = constant(given[-2]), constant(given[-1])
        if centre is None or width is None or height is None:
            raise self._text.error(node, "BOX with columns as arguments is not supported yet")
        return constant_area((box(*centre, width, height),))

    def _polygon(self, node: exp.Expr, given: list[exp.Expr]) -> Area:
        corners: list[tuple[float, float]] = []
        if any(function_name(g) == "POINT" for g in given):
            found = [self.point(g, "POLYGON").constant for g in given]
        else:
            if len(given) < 6 or len(given) % 2:
                raise self._count(node, "POLYGON takes at least three pairs of coordinates", given)
            pairs = zip(given[::2], given[1::2], strict=True)
            found = [self._point(a, b).constant for a, b in pairs]
        if len(found) < 3:
            raise self._count(node, "POLYGON takes at least three points", given)
        for corner in found:
            if corner is None:
                raise self._text.error(
                    node, "POLYGON with columns as arguments is not supported yet"
                )
            corners.append(corner)
        return constant_area(polygon(corners), corners)

    def _region(self, node: exp.Expr) -> Area:
        given = node.expressions
        if len(given) != 1 or not (isinstance(given[0], exp.Literal) and given[0].is_string):
            raise self._text.error(node, "REGION takes one text, such as 'CIRCLE ICRS 10 20 1'")
        return constant_area(parse_region(given[0].name))

    def _centroid(self, node: exp.Expr) -> Point:
        given = node.expressions
        if len(given) != 1:
            raise self._count(node, "CENTROID takes one region", given)
        found = self.shape(given[0], "CENTROID")
        if isinstance(found, Point):
            return found
        if found.circle:
            return found.circle[0]
        if isinstance(found.constant, Circle):
            ra, dec = found.constant.ra, found.constant.dec
            return Point(number(ra), number(dec), (ra, dec))
        raise self._text.error(node, "CENTROID of this region is not supported yet")

    def _region_source(self, node: exp.Column) -> Source | None:
        found = self._scope.find(node)
        source = found.source
        if source and source.table and source.table.region == found.column.physical:
            return source
        return None


def constant_area(region: Region, corners: list[tuple[float, float]] | None = None) -> Area:
    """The area of a region that is known before the query runs."""
    parts: tuple[Circle | ConvexPolygon, ...]
    numbers: tuple[str, ...] | None = None
    if isinstance(region, Circle):
        parts = (region,)
        numbers = (number(region.ra), number(region.dec), number(region.radius))
    else:
        parts = region
        if corners:
            numbers = tuple(number(c) for corner in corners for c in corner)
    rows = [region_row(part) for part in parts]
    sql = tuple(
        f"{number(r.x)}, {number(r.y)}, {number(r.z)}, {number(r.r)},"
        f" CAST([{', '.join(map(number, r.edges))}] AS DOUBLE[])"
        for r in rows
    )
    return Area(sql, region, None, numbers)
