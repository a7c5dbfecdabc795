"""TAP_SCHEMA as rows (TAP 1.1 §4), made from the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from despejado_services.catalog.metadata import (
    SQL_TYPES,
    Catalogue,
    ColumnInfo,
    SchemaInfo,
    TableInfo,
    quote,
)

if TYPE_CHECKING:
    import duckdb

Row = tuple[str | int | None, ...]


def tap_schema_rows(catalogue: Catalogue) -> dict[str, list[Row]]:
    """The rows of the five tables, in the column order of ``tap_schema.yaml``."""
    rows: dict[str, list[Row]] = {
        name: [] for name in ("schemas", "tables", "columns", "keys", "key_columns")
    }
    table_index = 0
    for schema_index, schema in enumerate(catalogue.schemas):
        rows["schemas"].append((schema.name, schema.utype, schema.description, schema_index))
        for table in schema.tables:
            name = f"{schema.name}.{table.name}"
            rows["tables"].append(
                (schema.name, name, table.table_type, table.utype, table.description, table_index)
            )
            table_index += 1
            rows["columns"] += [_column(name, c, i) for i, c in enumerate(table.columns)]
            for key in table.foreign_keys:
                rows["keys"].append((key.id, name, key.target, key.utype, key.description))
                pairs = zip(key.columns, key.target_columns, strict=True)
                rows["key_columns"] += [(key.id, a, b) for a, b in pairs]
    return rows


def _column(table: str, column: ColumnInfo, index: int) -> Row:
    field = column.field
    # "size" is a reserved word and stands in TAP_SCHEMA as it has to be written (TAP 1.1 §4.3)
    name = quote(column.name) if column.name == "size" else column.name
    return (
        table,
        name,
        field.datatype,
        field.arraysize,
        field.xtype,
        column.length,
        column.description,
        column.utype,
        column.unit,
        column.ucd,
        int(column.indexed),
        column.principal,
        column.std,
        index,
    )


def fill_tap_schema(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Make the tables of TAP_SCHEMA (TAP 1.1 §4) in the store."""
    rows = tap_schema_rows(catalogue)
    for schema, table in _own_tables(catalogue):
        name = Catalogue.physical(schema, table)
        columns = ", ".join(f"{quote(c.name)} {SQL_TYPES[c.datatype]}" for c in table.columns)
        connection.execute(f"CREATE TABLE {name} ({columns})")
        if values := rows[table.name]:
            marks = ", ".join("?" * len(table.columns))
            block = ", ".join([f"({marks})"] * len(values))
            flat = [value for row in values for value in row]
            connection.execute(f"INSERT INTO {name} VALUES {block}", flat)  # noqa: S608


def _own_tables(catalogue: Catalogue) -> list[tuple[SchemaInfo, TableInfo]]:
    return [(s, t) for s in catalogue.schemas if s.name == "tap_schema" for t in s.tables]
