"""FROM: tables, subqueries and joins, and what they bring into scope (ADQL 2.1 §2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from despejado_services.adql.names import Found, Meta, Scope, Source, SourceColumn, same
from despejado_services.adql.shape import only
from despejado_services.adql.text import QueryText, nearest
from despejado_services.catalog.metadata import Catalogue, quote


@dataclass(frozen=True)
class Output:
    """A column that a query gives."""

    name: str
    meta: Meta


@dataclass(frozen=True)
class Written:
    """A query in the store's SQL."""

    sql: str
    columns: tuple[Output, ...]


@dataclass
class Join:
    """``kind`` is the SQL word; ``on`` the condition as written, ``tests`` what was made of it."""

    kind: str
    right: Part
    on: exp.Expr | None = None
    tests: list[str] = field(default_factory=list)


@dataclass
class Part:
    """A source, or joined parts in parentheses, with what is joined to it."""

    first: Source | Part
    joins: list[Join] = field(default_factory=list)

    def sources(self) -> list[Source]:
        """All tables below, from left to right."""
        own = [self.first] if isinstance(self.first, Source) else self.first.sources()
        return own + [s for join in self.joins for s in join.right.sources()]

    def all_joins(self) -> list[Join]:
        """All joins below, from left to right."""
        inner = self.first.all_joins() if isinstance(self.first, Part) else []
        return inner + [j for join in self.joins for j in (*join.right.all_joins(), join)]

    def render(self) -> str:
        """SQL of a FROM clause, without the word."""
        if isinstance(self.first, Source):
            sql = self.first.from_sql
        else:
            sql = f"({self.first.render()})" if self.first.joins else self.first.render()
        for join in self.joins:
            right = join.right.render()
            if join.right.joins:
                right = f"({right})"
            if join.kind == ",":
                sql += f", {right}"
            else:
                sql += f" {join.kind} {right} ON {' AND '.join(join.tests) or 'true'}"
        return sql


WriteQuery = Callable[[exp.Expr, "Scope | None"], Written]


class TableReader:
    """Reads FROM clauses into parts and fills a scope with their sources."""

    def __init__(
        self,
        catalogue: Catalogue,
        common: Mapping[str, Written],
        text: QueryText,
        write_query: WriteQuery,
    ) -> None:
        self._catalogue = catalogue
        self._common = common
        self._text = text
        self._write_query = write_query
        self._taken: set[str] = set()
        self.used: dict[str, None] = {}

    def read(self, select: exp.Select, scope: Scope) -> Part:
        """The tables of a SELECT; they are added to ``scope``. Raises AdqlError."""
        part = Part(self._reference(select.args["from_"].this, scope))
        return self._join(part, select.args.get("joins") or [], scope)

    def _join(self, part: Part, joins: list[exp.Join], scope: Scope) -> Part:
        for node in joins:
            left = part.sources()
            first = self._reference(node.this, scope)
            right = first if isinstance(first, Part) else Part(first)
            if node.meta.get("comma"):
                part.joins.append(Join(",", right))
                continue
            side = node.args.get("side") or ""
            join = Join(f"{side} JOIN".strip(), right, node.args.get("on"))
            part.joins.append(join)
            names = list(node.args.get("using") or [])
            if node.args.get("method") == "NATURAL":
                names = self._common_names(node, left, right.sources())
            for name in names:
                join.tests.append(self._merge(name, left, right.sources(), side, scope))
        return part

    def _common_names(
        self, node: exp.Join, left: list[Source], right: list[Source]
    ) -> list[exp.Identifier]:
        in_left = {c.name.lower() for s in left for c in s.columns}
        names = [c.name for s in right for c in s.columns if c.name.lower() in in_left]
        if not names:
            raise self._text.error(node, "NATURAL JOIN: the tables have no column in common")
        return [exp.to_identifier(name, quoted=False) for name in names]

    def _merge(
        self, name: exp.Identifier, left: list[Source], right: list[Source], side: str, scope: Scope
    ) -> str:
        earlier = [m for m in scope.merged if same(name, m.column.name)]
        a = earlier[0] if earlier else self._one(name, left, scope)
        b = self._one(name, right, scope)
        test = f"{a.sql} = {b.sql}"
        merged = b if side == "RIGHT" else a
        if side == "FULL":
            merged = Found(f"coalesce({a.sql}, {b.sql})", a.column, None)
        scope.hidden |= {a.sql, b.sql}
        scope.merged = [m for m in scope.merged if m is not a and not same(name, m.column.name)]
        scope.merged.append(merged)
        return test

    def _one(self, name: exp.Identifier, sources: list[Source], scope: Scope) -> Found:
        found = [
            Found(s.reference(c.physical), c, s)
            for s in sources
            for c in s.columns
            if same(name, c.name) and s.reference(c.physical) not in scope.hidden
        ]
        if len(found) != 1:
            where = ", ".join(s.alias for s in sources)
            what = "is no column" if not found else "is more than one column"
            raise self._text.error(name, f"{name.name} {what} of {where}")
        return found[0]

    def _reference(self, node: exp.Expr, scope: Scope) -> Source | Part:
        if isinstance(node, exp.Subquery):
            if isinstance(node.this, exp.Query) and not isinstance(node.this, exp.Subquery):
                return self._subquery(node, scope)
            if isinstance(node.this, (exp.Table, exp.Subquery)) and not node.alias:
                only(node, {"this", "joins"}, self._text)
                inner = Part(self._reference(node.this, scope))
                outer = Part(inner) if node.args.get("joins") else inner
                return self._join(outer, node.args.get("joins") or [], scope)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            source = self._table(node, scope)
            if node.args.get("joins"):
                return self._join(Part(source), node.args["joins"], scope)
            return source
        raise self._text.error(node, "only tables and subqueries can stand under FROM")

    def _alias(self, node: exp.Expr) -> str | None:
        alias = node.args.get("alias")
        if alias is None:
            return None
        only(alias, {"this"}, self._text)
        return str(alias.this.name)

    def _unique(self, alias: str) -> str:
        name, count = alias, 1
        while name.lower() in self._taken:
            count += 1
            name = f"{alias}_{count}"
        self._taken.add(name.lower())
        return name

    def _subquery(self, node: exp.Subquery, scope: Scope) -> Source:
        only(node, {"this", "alias"}, self._text)
        alias = self._alias(node)
        if alias is None:
            raise self._text.error(node, "a subquery under FROM needs a name: (SELECT ...) AS name")
        written = self._write_query(node.this, scope.outer)
        source = Source(alias, self._unique(alias), _columns(written), f"({written.sql})")
        scope.add(source, node)
        return source

    def _table(self, node: exp.Table, scope: Scope) -> Source:
        if node.args.get("catalog") is not None:
            raise self._text.error(node, "a table name has at most a schema and a table")
        only(node, {"this", "db", "alias", "joins"}, self._text)
        name, schema = node.this, node.args.get("db")
        alias = self._alias(node)
        if schema is None and (written := self._common_table(name)):
            alias = alias or str(name.name)
            source = Source(alias, self._unique(alias), _columns(written[1]), quote(written[0]))
            scope.add(source, node)
            return source
        source = self._catalogue_table(name, schema, alias, node)
        scope.add(source, node)
        return source

    def _common_table(self, name: exp.Identifier) -> tuple[str, Written] | None:
        for known, written in self._common.items():
            if same(name, known):
                return known, written
        return None

    def _catalogue_table(
        self,
        name: exp.Identifier,
        schema: exp.Identifier | None,
        alias: str | None,
        node: exp.Table,
    ) -> Source:
        found = self._catalogue.find(schema.name if schema else None, name.name)
        written = f"{schema.name}.{name.name}" if schema else str(name.name)
        if not found:
            names = [*self._catalogue.table_names(), *self._common]
            by_last = {n.split(".")[-1]: n for n in names}
            close = nearest(written, names) or [
                by_last[n] for n in nearest(str(name.name), by_last)
            ]
            raise self._text.error(node, f"there is no table {written}", close)
        if len(found) > 1:
            options = [f"{s.name}.{t.name}" for s, t in found]
            raise self._text.error(node, f"{written} is in several schemas", options)
        info, table = found[0]
        self.used[f"{info.name}.{table.name}"] = None
        called = alias or table.name
        columns = tuple(SourceColumn(c.name, c.name, Meta(c.field)) for c in table.columns)
        physical = Catalogue.physical(info, table)
        shown = None if alias else info.name
        return Source(called, self._unique(called), columns, physical, shown, table)


def _columns(written: Written) -> tuple[SourceColumn, ...]:
    return tuple(SourceColumn(c.name, c.name, c.meta) for c in written.columns)
