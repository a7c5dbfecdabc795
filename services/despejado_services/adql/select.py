"""Whole queries: SELECT, set operations, WITH (ADQL 2.1 §2.1)."""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from despejado_services.adql.crossmatch import Pair, conjuncts, explode, find_pair
from despejado_services.adql.expressions import Value, Writer, has_aggregate
from despejado_services.adql.grouping import grouping
from despejado_services.adql.names import Found, Scope, Source, same, shared
from despejado_services.adql.shape import only, whole_number
from despejado_services.adql.shapes import function_name
from despejado_services.adql.tables import Join, Output, Part, TableReader, Written
from despejado_services.adql.text import QueryText
from despejado_services.catalog.metadata import Catalogue, quote

_SET_WORDS: dict[type[exp.Expr], str] = {
    exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT",
}  # fmt: skip


class QueryWriter:
    """Writes one checked query. Used once."""

    def __init__(self, catalogue: Catalogue, text: QueryText) -> None:
        self._text = text
        self._common: dict[str, Written] = {}
        self._tables = TableReader(catalogue, self._common, text, self.write)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that were read, as TAP_SCHEMA names them."""
        return tuple(self._tables.used)

    def write_top(self, tree: exp.Expr, cap: int) -> Written:
        """The whole query, giving at most ``cap`` rows."""
        head = self._with(tree)
        written = self.write(tree, None, cap)
        return Written(head + written.sql, written.columns)

    def _with(self, tree: exp.Expr) -> str:
        clause = tree.args.get("with_")
        if clause is None:
            return ""
        only(clause, {"expressions"}, self._text)
        parts = []
        for node in clause.expressions:
            only(node, {"this", "alias"}, self._text)
            name = str(node.alias)
            if any(name.lower() == known.lower() for known in self._common):
                raise self._text.error(node, f"WITH defines {name} twice")
            written = self.write(node.this, None)
            renamed = node.args["alias"].args.get("columns") or []
            if renamed:
                if len(renamed) != len(written.columns):
                    raise self._text.error(
                        node, f"{name} names {len(renamed)} of {len(written.columns)} columns"
                    )
                columns = tuple(
                    dataclasses.replace(c, name=str(i.name))
                    for c, i in zip(written.columns, renamed, strict=True)
                )
                written = Written(written.sql, columns)
            names = ", ".join(quote(c.name) for c in written.columns)
            parts.append(f"{quote(name)}({names}) AS ({written.sql})")
            self._common[name] = written
        return f"WITH {', '.join(parts)} "

    def write(self, node: exp.Expr, outer: Scope | None, cap: int | None = None) -> Written:
        """A query inside ``outer``; ``cap`` limits its rows besides its own TOP."""
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            only(node, {"this", "order", "offset"}, self._text)
            if node.args.get("order") or node.args.get("offset"):
                raise self._text.error(node, "ORDER BY and OFFSET stand inside the parentheses")
            return self.write(node.this, outer, cap)
        if isinstance(node, exp.Select):
            return self._select(node, outer, cap)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer, cap)
        raise self._text.error(node, "this is not a query")

    def _set_operation(
        self, node: exp.SetOperation, outer: Scope | None, cap: int | None
    ) -> Written:
        left, right = self.write(node.this, outer), self.write(node.expression, outer)
        word = _SET_WORDS[type(node)]
        if len(left.columns) != len(right.columns):
            raise self._text.error(
                node.expression,
                f"{word}: one side has {len(left.columns)} columns, the other {len(right.columns)}",
            )
        outputs = tuple(
            dataclasses.replace(a, meta=shared(a.meta, b.meta))
            for a, b in zip(left.columns, right.columns, strict=True)
        )
        word += "" if node.args.get("distinct") else " ALL"
        if node.args.get("limit"):
            raise self._text.error(node, "TOP stands after SELECT")
        tail = self._order(node, outputs, [], None)
        tail += self._limit(node, cap)
        return Written(f"({left.sql}) {word} ({right.sql}){tail}", outputs)

    # SELECT

    def _select(self, node: exp.Select, outer: Scope | None, cap: int | None) -> Written:
        scope = Scope(self._text, outer)
        part = self._tables.read(node, scope)
        writer = Writer(scope, self._text, self._inner)
        where = node.args.get("where")
        extra = self._cells(part, where.this if where else None, writer)
        for join in part.all_joins():
            if join.on is not None:
                join.tests.append(writer.condition(join.on))
        tests = [*extra, *([writer.condition(where.this)] if where else [])]
        keys = self._group(node, part, writer)
        with writer.aggregates(allowed=True):
            values, outputs = self._list(node, writer)
            having = node.args.get("having")
            having_sql = f" HAVING {writer.condition(having.this)}" if having else ""
            order = self._order(node, outputs, values, writer)
        sql = "SELECT DISTINCT " if node.args.get("distinct") else "SELECT "
        pairs = zip(values, outputs, strict=True)
        sql += ", ".join(f"{value.sql} AS {quote(out.name)}" for value, out in pairs)
        sql += f" FROM {part.render()}"
        if tests:
            sql += f" WHERE {' AND '.join(tests)}"
        if keys:
            sql += f" GROUP BY {', '.join(keys)}"
        return Written(sql + having_sql + order + self._limit(node, cap), outputs)

    def _inner(self, node: exp.Expr, scope: Scope) -> tuple[str, int]:
        written = self.write(node, scope)
        return written.sql, len(written.columns)

    def _list(self, node: exp.Select, writer: Writer) -> tuple[list[Value], tuple[Output, ...]]:
        values: list[Value] = []
        names: list[str] = []
        for item in node.expressions:
            star = self._star(item, writer.scope)
            if star is not None:
                for found in star:
                    if writer.grouping is not None:
                        raise self._text.error(
                            item, "* cannot be selected together with GROUP BY or aggregates"
                        )
                    values.append(Value(found.sql, found.column.meta))
                    names.append(found.column.name)
                continue
            inner = item.this if isinstance(item, exp.Alias) else item
            values.append(writer.value(inner))
            name = str(item.alias) if isinstance(item, exp.Alias) else ""
            names.append(name or self._default_name(inner, writer.scope, len(names) + 1))
        outputs = tuple(
            Output(name, value.meta) for name, value in zip(_unique(names), values, strict=True)
        )
        return values, outputs

    def _star(self, item: exp.Expr, scope: Scope) -> list[Found] | None:
        """The columns that ``*`` or ``table.*`` stands for, None for other items."""
        if isinstance(item, exp.Star):
            only(item, set(), self._text)
            return [*scope.merged, *_all_columns(scope.sources, scope.hidden)]
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            sources = scope.matching(item)
            if not sources:
                known = [s.alias for s in scope.sources]
                raise self._text.error(item, f"there is no table {item.table} in this FROM", known)
            return _all_columns(sources, set())
        return None

    def _default_name(self, node: exp.Expr, scope: Scope, position: int) -> str:
        if isinstance(node, exp.Column):
            return scope.find(node).column.name
        return (function_name(node) or f"column_{position}").lower()

    def _group(self, node: exp.Select, part: Part, writer: Writer) -> list[str]:
        clause = node.args.get("group")
        wanted = clause.expressions if clause is not None else []
        if clause is not None:
            only(clause, {"expressions"}, self._text)
        keys = [self._group_key(item, node, writer) for item in wanted]
        parts = [*node.expressions, *([node.args["order"]] if node.args.get("order") else [])]
        if keys or node.args.get("having") or any(has_aggregate(p) for p in parts):
            equal, fixed = self._equalities(node, part, writer.scope)
            writer.grouping = grouping(keys, equal, fixed, writer.scope)
        return keys

    def _group_key(self, item: exp.Expr, node: exp.Select, writer: Writer) -> str:
        """A grouped expression; the name of a selected expression stands for that."""
        if isinstance(item, exp.Literal):
            raise self._text.error(item, "GROUP BY needs a column or an expression")
        if isinstance(item, exp.Column) and item.args.get("table") is None:
            for selected in node.expressions:
                if not isinstance(selected, exp.Alias) or writer.scope.has(item.this):
                    continue
                if same(item.this, str(selected.alias)):
                    return writer.value(selected.this).sql
        return writer.value(item).sql

    def _equalities(
        self, node: exp.Select, part: Part, scope: Scope
    ) -> tuple[list[tuple[str, str]], list[str]]:
        """Columns that every row has equal to each other, or to a constant."""
        tests = [c for j in part.all_joins() if j.kind == "JOIN" and j.on is not None
                 for c in conjuncts(j.on)]  # fmt: skip
        if node.args.get("where"):
            tests += conjuncts(node.args["where"].this)
        equal, fixed = [], []
        for test in tests:
            if not isinstance(test, exp.EQ):
                continue
            sides = [test.this, test.expression]
            columns = [scope.find(s).sql for s in sides if isinstance(s, exp.Column)]
            if len(columns) == 2:
                equal.append((columns[0], columns[1]))
            elif columns and any(isinstance(s, exp.Literal) for s in sides):
                fixed.append(columns[0])
        return equal, fixed

    # tails

    def _order(
        self,
        node: exp.Expr,
        outputs: tuple[Output, ...],
        values: list[Value],
        writer: Writer | None,
    ) -> str:
        clause = node.args.get("order")
        if clause is None:
            return ""
        only(clause, {"expressions"}, self._text)
        items = []
        for item in clause.expressions:
            only(item, {"this", "desc", "nulls_first"}, self._text)
            term = self._order_term(item.this, outputs, values, writer)
            items.append(f"{term} DESC" if item.args.get("desc") else term)
        return f" ORDER BY {', '.join(items)}"

    def _order_term(
        self,
        node: exp.Expr,
        outputs: tuple[Output, ...],
        values: list[Value],
        writer: Writer | None,
    ) -> str:
        if isinstance(node, exp.Literal) and not node.is_string:
            position = whole_number(node, "ORDER BY", self._text)
            if not 1 <= position <= len(outputs):
                raise self._text.error(node, f"there is no column {position} to order by")
            return str(position)
        if isinstance(node, exp.Column) and node.args.get("table") is None:
            for i, output in enumerate(outputs, 1):
                if same(node.this, output.name):
                    return str(i)
        if writer is None:
            raise self._text.error(
                node, "after a set operation ORDER BY needs the name or number of a column"
            )
        sql = writer.value(node).sql
        for i, value in enumerate(values, 1):
            if value.sql == sql:
                return str(i)
        return sql

    def _limit(self, node: exp.Expr, cap: int | None) -> str:
        sql = ""
        limit = node.args.get("limit")
        rows = [] if cap is None else [cap]
        if limit is not None:
            rows.append(whole_number(limit.expression, "TOP", self._text))
        if rows:
            sql += f" LIMIT {min(rows)}"
        offset = node.args.get("offset")
        if offset is not None:
            sql += f" OFFSET {whole_number(offset.expression, 'OFFSET', self._text)}"
        return sql

    # positional joins

    def _cells(self, part: Part, where: exp.Expr | None, writer: Writer) -> list[str]:
        """Turn positional joins into joins of cells; conditions that go with WHERE."""
        if isinstance(part.first, Part):
            return []
        left = [part.first]
        for join in part.joins:
            if join.on is not None and len(join.right.sources()) == 1:
                self._cell_join(join, left, writer)
            left += join.right.sources()
        inner = all(join.kind in (",", "JOIN") for join in part.all_joins())
        if where is None or not inner or len(left) < 2:
            return []
        pair = self._pair(where, writer)
        if pair is None:
            return []
        position = {id(s): i for i, s in enumerate(left)}
        later = max(pair.a_source, pair.b_source, key=lambda s: position[id(s)])
        return [explode(pair, later)]

    def _cell_join(self, join: Join, left: list[Source], writer: Writer) -> None:
        pair = self._pair(join.on, writer) if join.on is not None else None
        if pair is None:
            return
        (right,) = join.right.sources()
        others = [s for s in (pair.a_source, pair.b_source) if s is not right]
        if len(others) != 1 or not any(others[0] is s for s in left):
            return
        # the rows that an outer join keeps must not be multiplied
        if join.kind in ("JOIN", "LEFT JOIN"):
            join.tests.append(explode(pair, right))
        elif join.kind == "RIGHT JOIN" and len(left) == 1:
            join.tests.append(explode(pair, left[0]))

    def _pair(self, condition: exp.Expr, writer: Writer) -> Pair | None:
        for test in conjuncts(condition):
            if pair := find_pair(test, writer):
                return pair
        return None


def _all_columns(sources: list[Source], hidden: set[str]) -> list[Found]:
    found = [Found(s.reference(c.physical), c, s) for s in sources for c in s.columns]
    return [f for f in found if f.sql not in hidden]


def _unique(names: list[str]) -> list[str]:
    """Output names: a name that was there before gets a number, compared without case."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate.lower())
        result.append(candidate)
    return result
