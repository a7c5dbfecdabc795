"""Values and conditions as SQL of the store. A node that is not known here is not written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlglot import exp

from despejado_services.adql import functions as fn
from despejado_services.adql import predicates
from despejado_services.adql.grouping import Grouping
from despejado_services.adql.names import Found, Meta, Scope
from despejado_services.adql.shape import cast_type, only
from despejado_services.adql.shapes import (
    Area,
    Point,
    Shape,
    ShapeReader,
    constant,
    function_name,
    number,
)
from despejado_services.adql.text import QueryText, nearest
from despejado_services.adql.units import UnitError, factor
from despejado_services.models import Column

ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
}  # fmt: skip
MIRRORED = {"=": "=", "<>": "<>", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_CONDITIONS = (
    *COMPARISONS, exp.And, exp.Or, exp.Not, exp.Between, exp.In, exp.Like, exp.ILike, exp.Is,
    exp.Exists,
)  # fmt: skip
_BIGGEST = 2**63 - 1
_OTHER_COUNTS = {
    "COALESCE": "1 or more", "COORD1": "1", "COORD2": "1", "AREA": "1", "COORDSYS": "1",
    "IVO_HEALPIX_INDEX": "2 or 3",
}  # fmt: skip

Subquery = Callable[[exp.Expr, Scope], tuple[str, int]]
"""Writes a query inside a scope: its SQL and the number of its columns."""


@dataclass(frozen=True)
class Value:
    """SQL of an expression, and what is known of its values."""

    sql: str
    meta: Meta = field(default_factory=Meta)


def text_literal(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


class Writer:
    """Writes the expressions of one SELECT. ``grouping`` is set once its GROUP BY is known."""

    def __init__(self, scope: Scope, text: QueryText, subquery: Subquery) -> None:
        self.scope = scope
        self.text = text
        self.grouping: Grouping | None = None
        self._subquery = subquery
        self._aggregates_allowed = False
        self._in_aggregate = False
        self.shapes = ShapeReader(scope, text, self._number)

    @contextmanager
    def aggregates(self, allowed: bool) -> Iterator[None]:
        """Aggregate functions may be called while the block runs."""
        before, self._aggregates_allowed = self._aggregates_allowed, allowed
        try:
            yield
        finally:
            self._aggregates_allowed = before

    # values

    def value(self, node: exp.Expr) -> Value:
        """A value; raises AdqlError for a condition and for anything that is not ADQL."""
        if self.grouping and not self._in_aggregate and not isinstance(node, exp.Column):
            plain = self._if_plain(node)
            if plain is not None and plain.sql in self.grouping.keys:
                return plain
        return self._value(node)

    def _if_plain(self, node: exp.Expr) -> Value | None:
        """The value as it is without grouping, if it could be a grouped expression."""
        if isinstance(node, (exp.Literal, exp.Subquery)) or has_aggregate(node):
            return None
        held, self.grouping = self.grouping, None
        try:
            return self._value(node)
        finally:
            self.grouping = held

    def _value(self, node: exp.Expr) -> Value:  # noqa: PLR0912
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Literal):
            return Value(text_literal(node.name) if node.is_string else self._literal(node))
        if isinstance(node, exp.Null):
            return Value("NULL")
        if isinstance(node, exp.Boolean):
            return Value("true" if node.this else "false")
        if isinstance(node, exp.Paren):
            inner = self.value(node.this)
            return Value(f"({inner.sql})", inner.meta)
        if isinstance(node, exp.Neg):
            return Value(f"(-{self.value(node.this).sql})")
        if type(node) in ARITHMETIC:
            left, right = self._number(node.this), self._number(node.expression)
            if isinstance(node, exp.Mul):
                left, right = self._wide(node.this, left), self._wide(node.expression, right)
            return Value(f"({left} {ARITHMETIC[type(node)]} {right})")
        if isinstance(node, exp.DPipe):
            return Value(f"({self.value(node.this).sql} || {self.value(node.expression).sql})")
        if isinstance(node, exp.Case):
            return self._case(node)
        if isinstance(node, exp.Cast):
            return self._cast(node)
        if isinstance(node, exp.Anonymous):
            return self._call(node)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            return Value(self._scalar(node))
        if isinstance(node, _CONDITIONS):
            raise self.text.error(node, "a condition cannot stand where a value is expected")
        raise self._not_adql(node)

    def _not_adql(self, node: exp.Expr) -> Exception:
        if isinstance(node, exp.Concat):
            return self.text.error(node, "two texts follow each other; put || between them")
        what = "this operator" if isinstance(node, exp.Binary) else node.key.upper()
        return self.text.error(node, f"{what} is not part of ADQL here")

    def _number(self, node: exp.Expr) -> str:
        value = self.value(node)
        column = value.meta.column
        wrong = column is not None and column.datatype in ("char", "unicodeChar")
        if wrong or (isinstance(node, exp.Literal) and node.is_string):
            raise self.text.error(node, "a number is needed here, not a text")
        return value.sql

    def _wide(self, node: exp.Expr, sql: str) -> str:
        """Whole numbers with 64 bits, so that a product of two columns does not overflow."""
        column = self._meta_of(node).column
        whole = column is not None and column.datatype in ("unsignedByte", "short", "int")
        if whole or (isinstance(node, exp.Literal) and node.name.isdigit()):
            return f"CAST({sql} AS BIGINT)"
        return sql

    def _literal(self, node: exp.Literal) -> str:
        text = node.name
        if text.isdigit():
            if int(text) > _BIGGEST:
                raise self.text.error(node, f"{text} is larger than 64 bits can hold")
            return str(int(text))
        value = constant(node)
        if value is None:
            raise self.text.error(node, f"{text} is larger than a double can hold")
        return number(value)

    def _column(self, node: exp.Column) -> Value:
        if isinstance(node.this, exp.Star):
            raise self.text.error(node, "* can only stand in the list after SELECT")
        only(node, {"this", "table", "db"}, self.text)
        found = self.scope.find(node)
        meta = found.column.meta
        if self.grouping and not self._in_aggregate and self._is_own(found):
            if found.sql in self.grouping.keys:
                return Value(found.sql, meta)
            if found.sql in self.grouping.determined:
                return Value(f"any_value({found.sql})", meta)
            raise self.text.error(
                node,
                f"{found.column.name} has to be in GROUP BY or in a function such as AVG or MAX",
            )
        return Value(found.sql, meta)

    def _is_own(self, found: Found) -> bool:
        return found.source is None or any(found.source is s for s in self.scope.sources)

    def _case(self, node: exp.Case) -> Value:
        parts = ["CASE"]
        if node.this is not None:
            parts.append(self.value(node.this).sql)
        for branch in node.args["ifs"]:
            asked = branch.this
            test = self.value(asked).sql if node.this is not None else self.condition(asked)
            parts.append(f"WHEN {test} THEN {self.value(branch.args['true']).sql}")
        if node.args.get("default") is not None:
            parts.append(f"ELSE {self.value(node.args['default']).sql}")
        return Value(" ".join([*parts, "END"]))

    def _cast(self, node: exp.Cast) -> Value:
        # _type is sqlglot's note of the result's type
        only(node, {"this", "to", "_type"}, self.text)
        kind, length = cast_type(node.args["to"], self.text)
        sql = f"CAST({self.value(node.this).sql} AS {kind})"
        return Value(sql if length is None else f"left({sql}, {length})")

    def _scalar(self, node: exp.Subquery) -> str:
        sql, width = self._subquery(node.this, self.scope)
        if width != 1:
            raise self.text.error(node, "a subquery that stands for a value needs one column")
        return f"({sql})"

    # calls

    def _call(self, node: exp.Anonymous) -> Value:
        name = function_name(node)
        if name is None or name not in fn.ALL:
            raise self._unknown_function(node)
        if name in fn.AGGREGATES or name == "COUNT":
            return self._aggregate(name, node)
        given = node.expressions
        if any(isinstance(g, (exp.Distinct, exp.Star, exp.Alias)) for g in given):
            raise self.text.error(node, f"{name} takes values only")
        if name in fn.SCALARS:
            return self._scalar_function(name, node)
        if name in fn.SHAPES:
            return self._shape_value(node)
        if name in fn.PREDICATES:
            return Value(f"CAST({self._predicate(node)} AS INTEGER)")
        if name == "DISTANCE":
            a, b = self.two_points(node)
            return Value(predicates.distance(a, b), Meta(unit="deg", ucd="pos.angDistance"))
        return self._other(name, node)

    def _unknown_function(self, node: exp.Anonymous) -> Exception:
        name = str(node.name)
        known = [n if n.isupper() else n.lower() for n in sorted(fn.ALL)]
        close = nearest(name, known)
        if name.upper() == "RAND":
            close = []
        return self.text.error(node, f"there is no function {name} in this service", close)

    def _scalar_function(self, name: str, node: exp.Anonymous) -> Value:
        function, given = fn.SCALARS[name], node.expressions
        if name == "RAND" and len(given) == 1:
            raise self.text.error(node, "RAND with a seed is not supported yet; write RAND()")
        if len(given) not in function.templates:
            raise self._argument_count(node, function.counts)
        write = self._number if function.takes == "number" else self._text
        sql = function.templates[len(given)].format(*[write(g) for g in given])
        meta = Meta(unit=function.unit)
        if function.keeps_unit and given:
            meta = Meta(unit=_unit(self._meta_of(given[0])))
        return Value(sql, meta)

    def _meta_of(self, node: exp.Expr) -> Meta:
        return self.scope.find(node).column.meta if isinstance(node, exp.Column) else Meta()

    def _text(self, node: exp.Expr) -> str:
        return f"CAST({self.value(node).sql} AS VARCHAR)"

    def _argument_count(
        self, node: exp.Anonymous, wanted: str, count: int | None = None
    ) -> Exception:
        count = len(node.expressions) if count is None else count
        return self.text.error(node, f"{node.name.upper()} takes {wanted} argument(s), not {count}")

    def _aggregate(self, name: str, node: exp.Anonymous) -> Value:
        if not self._aggregates_allowed or self._in_aggregate:
            place = "inside another aggregate" if self._in_aggregate else "here; use HAVING"
            raise self.text.error(node, f"the aggregate {name} cannot stand {place}")
        given, distinct = node.expressions, ""
        if len(given) == 1 and isinstance(given[0], exp.Distinct):
            given, distinct = given[0].expressions, "DISTINCT "
        if len(given) != 1:
            raise self._argument_count(node, "1", len(given))
        self._in_aggregate = True
        try:
            if name == "COUNT":
                star = isinstance(given[0], exp.Star) and not distinct
                inner = "*" if star else distinct + self.value(given[0]).sql
                return Value(f"count({inner})", Meta(ucd="meta.number"))
            function = fn.AGGREGATES[name]
            write = self._number if function.takes == "number" else lambda n: self.value(n).sql
            sql = function.templates[1].format(distinct + write(given[0]))
            source = self._meta_of(given[0])
            column = source.column
            return Value(sql, Meta(unit=_unit(source), ucd=column.ucd if column else None))
        finally:
            self._in_aggregate = False

    def _shape_value(self, node: exp.Anonymous) -> Value:
        shape = self.shapes.shape(node, "SELECT")
        if isinstance(shape, Point):
            return Value(shape.literal, Meta(unit="deg", ucd="pos.eq", xtype="point"))
        if shape.numbers is None:
            raise self.text.error(node, "this region cannot be selected yet, only used in a test")
        kind = "circle" if len(shape.numbers) == 3 else "polygon"
        numbers = ", ".join(f"CAST({n} AS DOUBLE)" for n in shape.numbers)
        return Value(f"[{numbers}]", Meta(unit="deg", ucd="pos.outline", xtype=kind))

    def _other(self, name: str, node: exp.Anonymous) -> Value:
        given = node.expressions
        if name == "COALESCE" and given:
            return Value(f"coalesce({', '.join(self.value(g).sql for g in given)})")
        if name == "IN_UNIT":
            return self._in_unit(node)
        if name in ("COORD1", "COORD2") and len(given) == 1:
            point = self.shapes.point(given[0], name)
            return Value(point.ra if name == "COORD1" else point.dec, Meta(unit="deg"))
        if name == "AREA" and len(given) == 1:
            return self._area(node)
        if name == "COORDSYS" and len(given) == 1:
            self.shapes.shape(given[0], name)
            return Value("'ICRS'")
        if name == "IVO_HEALPIX_INDEX" and len(given) in (2, 3):
            return self._healpix(node)
        raise self._argument_count(node, _OTHER_COUNTS[name])

    def _in_unit(self, node: exp.Anonymous) -> Value:
        given = node.expressions
        if len(given) != 2 or not (isinstance(given[1], exp.Literal) and given[1].is_string):
            raise self.text.error(node, "IN_UNIT takes a column and a unit in quotes")
        source, target = _unit(self._meta_of(given[0])), given[1].name
        if source is None:
            raise self.text.error(node, "IN_UNIT is supported for columns with a unit only, yet")
        try:
            scale = factor(source, target)
        except UnitError as error:
            raise self.text.error(given[1], str(error)) from error
        return Value(f"({self._number(given[0])} * {number(scale)})", Meta(unit=target))

    def _area(self, node: exp.Anonymous) -> Value:
        shape = self.shapes.shape(node.expressions[0], "AREA")
        if isinstance(shape, Area) and shape.square_degrees is not None:
            return Value(number(shape.square_degrees), Meta(unit="deg**2"))
        raise self.text.error(node, "AREA is supported for regions of constants only, yet")

    def _healpix(self, node: exp.Anonymous) -> Value:
        given = node.expressions
        order = constant(given[0])
        if order is None or order != int(order) or not 0 <= order <= 29:
            raise self.text.error(node, "the order has to be a whole number from 0 to 29")
        if len(given) == 2:
            point = self.shapes.point(given[1], "IVO_HEALPIX_INDEX")
        else:
            point = self.shapes.point_of(given[1], given[2])
        table = point.source.table if point.source else None
        if point.source is None or table is None or table.position is None:
            raise self.text.error(
                node, "ivo_healpix_index is supported for the main position of a table only, yet"
            )
        column = point.source.reference(table.position.healpix)
        return Value(f"({column} >> {2 * (29 - int(order))})")

    # geometry tests

    def two_points(self, node: exp.Expr) -> tuple[Point, Point]:
        """Two points out of two POINTs or columns, or four numbers. Raises AdqlError."""
        given = node.expressions
        if len(given) == 4:
            return self.shapes.point_of(*given[:2]), self.shapes.point_of(*given[2:])
        if len(given) != 2:
            raise self.text.error(node, "DISTANCE takes two points or four numbers")
        return self.shapes.point(given[0], "DISTANCE"), self.shapes.point(given[1], "DISTANCE")

    def two_shapes(self, node: exp.Expr) -> tuple[Shape, Shape]:
        """The two regions or points of a predicate. Raises AdqlError."""
        name, given = function_name(node) or "", node.expressions
        if len(given) != 2:
            raise self.text.error(node, f"{name} takes two regions or points")
        return self.shapes.shape(given[0], name), self.shapes.shape(given[1], name)

    def _predicate(self, node: exp.Expr) -> str:
        a, b = self.two_shapes(node)
        write = predicates.contains if function_name(node) == "CONTAINS" else predicates.intersects
        sql = write(a, b)
        if sql is None:
            raise self.text.error(node, f"{function_name(node)} of these is not supported yet")
        return sql

    # conditions

    def condition(self, node: exp.Expr) -> str:
        """A condition; raises AdqlError for a value and for anything that is not ADQL."""
        if isinstance(node, (exp.And, exp.Or)):
            word = " AND " if isinstance(node, exp.And) else " OR "
            return "(" + word.join(self.condition(n) for n in flatten(node)) + ")"
        if isinstance(node, exp.Not):
            return f"NOT {self.condition(node.this)}"
        if isinstance(node, exp.Paren):
            return f"({self.condition(node.this)})"
        if type(node) in COMPARISONS:
            return self._comparison(node)
        if isinstance(node, exp.Between):
            only(node, {"this", "low", "high"}, self.text)
            low, high = self.value(node.args["low"]), self.value(node.args["high"])
            return f"({self.value(node.this).sql} BETWEEN {low.sql} AND {high.sql})"
        if isinstance(node, exp.In):
            return self._in(node)
        if isinstance(node, (exp.Like, exp.ILike)):
            only(node, {"this", "expression", "negate"}, self.text)
            word = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
            word = f"NOT {word}" if node.args.get("negate") else word
            return f"({self._text(node.this)} {word} {self._text(node.expression)})"
        if isinstance(node, exp.Is):
            if not isinstance(node.expression, exp.Null):
                raise self.text.error(node, "IS can only be followed by NULL or NOT NULL")
            return f"({self.value(node.this).sql} IS NULL)"
        if isinstance(node, exp.Exists) and isinstance(node.this, exp.Query):
            return f"EXISTS ({self._subquery(node.this, self.scope)[0]})"
        return self._bare(node)

    def _bare(self, node: exp.Expr) -> str:
        name = function_name(node)
        if name in fn.PREDICATES:
            raise self.text.error(node, f"{name} has to be compared: {name}(...) = 1")
        value = self.value(node)
        column = value.meta.column
        if isinstance(node, exp.Boolean) or (column and column.datatype == "boolean"):
            return value.sql
        raise self.text.error(node, "a value cannot stand where a condition is expected")

    def _comparison(self, node: exp.Expr) -> str:
        operator = COMPARISONS[type(node)]
        left, right = node.this, node.expression
        if function_name(right) in fn.PREDICATES or function_name(right) == "DISTANCE":
            left, right, operator = right, left, MIRRORED[operator]
        name = function_name(left)
        if name in fn.PREDICATES:
            if operator not in ("=", "<>") or constant(right) not in (0.0, 1.0):
                raise self.text.error(left, f"{name} can only be compared with = 1 or = 0")
            inside = (operator == "=") == (constant(right) == 1.0)
            sql = self._predicate(left)
            return sql if inside else f"NOT ({sql})"
        limit = constant(right)
        if name == "DISTANCE" and limit is not None:
            a, b = self.two_points(left)
            return predicates.distance_test(a, operator, b, limit)
        first, second = self.value(left), self.value(right)
        self._check_comparable(first.meta.column, right)
        self._check_comparable(second.meta.column, left)
        return f"({first.sql} {operator} {second.sql})"

    def _check_comparable(self, column: Column | None, other: exp.Expr) -> None:
        if not isinstance(other, exp.Literal) or column is None or column.arraysize:
            return
        if other.is_string and column.datatype != "boolean":
            raise self.text.error(
                other, f"{column.name} is a number and cannot be compared with a text"
            )

    def _in(self, node: exp.In) -> str:
        only(node, {"this", "expressions", "query"}, self.text)
        this = self.value(node.this).sql
        query = node.args.get("query")
        if query is not None:
            inner = query.this if isinstance(query, exp.Subquery) else query
            sql, width = self._subquery(inner, self.scope)
            if width != 1:
                raise self.text.error(node, "the subquery after IN needs one column")
            return f"({this} IN ({sql}))"
        if not node.expressions:
            raise self.text.error(node, "the list after IN is empty")
        return f"({this} IN ({', '.join(self.value(e).sql for e in node.expressions)}))"


def _unit(meta: Meta) -> str | None:
    return meta.column.unit if meta.column else meta.unit


def flatten(node: exp.Expr) -> list[exp.Expr]:
    """The operands of a chain of one AND or OR, without recursion: chains may be long."""
    kind, operands, stack = type(node), [], [node]
    while stack:
        current = stack.pop()
        if type(current) is kind:
            stack += [current.expression, current.this]
        else:
            operands.append(current)
    return operands


def has_aggregate(node: exp.Expr) -> bool:
    """Whether an aggregate is called here, subqueries apart."""
    for inner in node.walk(prune=lambda n: isinstance(n, exp.Query)):
        name = function_name(inner)
        if name is not None and (name in fn.AGGREGATES or name == "COUNT"):
            return True
    return False
