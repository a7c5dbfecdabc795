"""Sources of a FROM clause, and finding the column that a name means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from despejado_services.adql.text import QueryText, nearest
from despejado_services.catalog.metadata import TableInfo, quote
from despejado_services.models import Column


def same(identifier: exp.Identifier, name: str) -> bool:
    """Regular names are compared without case, delimited ones exactly (ADQL 2.1 §2.1.3)."""
    if identifier.args.get("quoted"):
        return str(identifier.name) == name
    return str(identifier.name).lower() == name.lower()


@dataclass(frozen=True)
class Meta:
    """What is known about a value: a full description for a plain column, else less."""

    column: Column | None = None
    unit: str | None = None
    ucd: str | None = None
    description: str | None = None
    xtype: str | None = None


def shared(a: Meta, b: Meta) -> Meta:
    """What is true of a column that has values of both, as after UNION."""
    if a == b:
        return a
    x, y = a.column or a, b.column or b
    return Meta(
        unit=x.unit if x.unit == y.unit else None,
        ucd=x.ucd if x.ucd == y.ucd else None,
        xtype=x.xtype if x.xtype == y.xtype else None,
    )


@dataclass(frozen=True)
class SourceColumn:
    """A column that can be named; ``physical`` is its name in the store."""

    name: str
    physical: str
    meta: Meta


@dataclass
class Source:
    """One table, common table or subquery under FROM.

    ``alias`` is how the query calls it, ``sql_alias`` how the store does: unique in the whole
    query, so that a column of a query around can never be taken for one of a subquery.
    """

    alias: str
    sql_alias: str
    columns: tuple[SourceColumn, ...]
    sql: str
    schema: str | None = None
    table: TableInfo | None = None

    def reference(self, physical: str) -> str:
        """A column of the source in SQL, by its name in the store."""
        return f"{quote(self.sql_alias)}.{quote(physical)}"

    @property
    def from_sql(self) -> str:
        """The source in a FROM clause."""
        return f"{self.sql} AS {quote(self.sql_alias)}"


@dataclass(frozen=True)
class Found:
    """A resolved column; ``source`` is None for a column merged by USING or NATURAL."""

    sql: str
    column: SourceColumn
    source: Source | None


@dataclass
class Scope:
    """The sources of one SELECT, and those around it for correlated subqueries.

    ``merged`` are the columns that USING or NATURAL made one of two; ``hidden`` is the SQL of
    those that went into them.
    """

    text: QueryText
    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    merged: list[Found] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    def add(self, source: Source, node: exp.Expr) -> None:
        """Make a source visible. Raises AdqlError if its name is taken."""
        if any(s.alias.lower() == source.alias.lower() for s in self.sources):
            raise self.text.error(
                node, f"two tables are called {source.alias}; give one of them another name with AS"
            )
        self.sources.append(source)

    def find(self, node: exp.Column) -> Found:
        """The column that ``node`` names, here or in a query around; raises AdqlError."""
        scope: Scope | None = self
        while scope is not None:
            if found := scope._find_here(node):
                return found
            if node.args.get("table") is not None and scope.matching(node):
                break  # that table is meant, and has no such column
            scope = scope.outer
        raise self._unknown(node)

    def has(self, name: exp.Identifier) -> bool:
        """Whether a source of this SELECT has a column of that name."""
        return any(same(name, c.name) for s in self.sources for c in s.columns)

    def _find_here(self, node: exp.Column) -> Found | None:
        name = node.this
        qualified = node.args.get("table") is not None
        if not qualified:
            for merged in self.merged:
                if same(name, merged.column.name):
                    return merged
        matches = [
            Found(s.reference(c.physical), c, s)
            for s in self.matching(node)
            for c in s.columns
            if same(name, c.name)
        ]
        if not qualified:
            matches = [m for m in matches if m.sql not in self.hidden]
        if len(matches) > 1:
            where = " and ".join(m.source.alias for m in matches if m.source)
            raise self.text.error(
                node, f"the column {name.name} is in {where}; put the table's name before it"
            )
        return matches[0] if matches else None

    def matching(self, node: exp.Column) -> list[Source]:
        """The sources that the table part of a column name allows."""
        table, schema = node.args.get("table"), node.args.get("db")
        if node.args.get("catalog") is not None:
            raise self.text.error(node, "a column name has at most schema, table and column")
        found = self.sources
        if table is not None:
            found = [s for s in found if same(table, s.alias)]
            if schema is not None:
                found = [s for s in found if s.schema and same(schema, s.schema)]
        return found

    def _chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def _unknown(self, node: exp.Column) -> Exception:
        sources = [s for scope in self._chain() for s in scope.sources]
        table = node.args.get("table")
        candidates = [s for scope in self._chain() for s in scope.matching(node)]
        if table is not None and not candidates:
            names = [s.alias for s in sources]
            return self.text.error(
                table,
                f"there is no table {table.name} in this FROM",
                nearest(table.name, names) or names,
            )
        where = ", ".join(dict.fromkeys(s.alias for s in candidates))
        known = [c.name for s in candidates for c in s.columns]
        message = f"there is no column {node.name} in {where}"
        other_case = any(name.lower() == node.name.lower() for name in known)
        if node.this.args.get("quoted") and table is None and not other_case:
            message += f"; a text stands in single quotes: '{node.name}'"
        return self.text.error(node.this, message, nearest(node.name, known))
