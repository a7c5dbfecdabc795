"""VOSI tables (VOSI 1.1 §2.4) from TAP_SCHEMA, read through the engine like any query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from despejado_services.xml import DECLARATION, Markup, element, lines

Row = Mapping[str, Any]
Select = Callable[[str], list[Row]]
"""Runs ADQL and gives all its rows."""

_ROOT = {
    "xmlns:vosi": "http://www.ivoa.net/xml/VOSITables/v1.0",
    "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


@dataclass(frozen=True)
class TableSet:
    """The rows of TAP_SCHEMA (TAP 1.1 §4)."""

    schemas: tuple[Row, ...]
    tables: tuple[Row, ...]
    columns: tuple[Row, ...]
    keys: tuple[Row, ...]

    def names(self) -> dict[str, str]:
        """Table names as written, by their lower-case form."""
        return {row["table_name"].lower(): row["table_name"] for row in self.tables}


def read_tables(select: Select) -> TableSet:
    """All that TAP_SCHEMA says."""
    return TableSet(
        schemas=tuple(select("SELECT * FROM TAP_SCHEMA.schemas ORDER BY schema_index")),
        tables=tuple(select("SELECT * FROM TAP_SCHEMA.tables ORDER BY table_index")),
        columns=tuple(select("SELECT * FROM TAP_SCHEMA.columns ORDER BY table_name, column_index")),
        keys=tuple(
            select(
                "SELECT k.key_id, k.from_table, k.target_table, c.from_column, c.target_column "
                "FROM TAP_SCHEMA.keys AS k JOIN TAP_SCHEMA.key_columns AS c "
                "ON k.key_id = c.key_id ORDER BY k.key_id"
            )
        ),
    )


def _optional(name: str, value: object) -> Markup | None:
    return None if value in (None, "") else element(name, None, str(value))


def _column(row: Row) -> Markup:
    flags = [name for name in ("indexed", "principal") if row.get(name)]
    return element(
        "column",
        {"std": "true" if row.get("std") else "false"},
        lines(
            element("name", None, row["column_name"]),
            _optional("description", row.get("description")),
            _optional("unit", row.get("unit")),
            _optional("ucd", row.get("ucd")),
            _optional("utype", row.get("utype")),
            element(
                "dataType",
                {
                    "xsi:type": "vs:VOTableType",
                    "arraysize": row.get("arraysize"),
                    "extendedType": row.get("xtype"),
                },
                row["datatype"],
            ),
            *(element("flag", None, flag) for flag in flags),
        ),
    )


def _foreign_key(rows: list[Row]) -> Markup:
    return element(
        "foreignKey",
        None,
        lines(
            element("targetTable", None, rows[0]["target_table"]),
            *(
                element(
                    "fkColumn",
                    None,
                    element("fromColumn", None, row["from_column"]),
                    element("targetColumn", None, row["target_column"]),
                )
                for row in rows
            ),
        ),
    )


def _keys_of(table: str, rows: Iterable[Row]) -> list[Markup]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        if row["from_table"] == table:
            grouped.setdefault(row["key_id"], []).append(row)
    return [_foreign_key(group) for group in grouped.values()]


def _table(name: str, attributes: Mapping[str, str], row: Row, found: TableSet) -> Markup:
    table = row["table_name"]
    return element(
        name,
        {**attributes, "type": row.get("table_type") or "table"},
        lines(
            element("name", None, table),
            _optional("description", row.get("description")),
            _optional("utype", row.get("utype")),
            *(_column(c) for c in found.columns if c["table_name"] == table),
            *_keys_of(table, found.keys),
        ),
    )


def _document(root: Markup) -> str:
    return f"{DECLARATION}{root.text}\n"


def tableset_document(found: TableSet) -> str:
    """All schemas and tables with their columns and keys."""
    schemas = [
        element(
            "schema",
            None,
            lines(
                element("name", None, schema["schema_name"]),
                _optional("description", schema.get("description")),
                _optional("utype", schema.get("utype")),
                *(
                    _table("table", {}, row, found)
                    for row in found.tables
                    if row["schema_name"] == schema["schema_name"]
                ),
            ),
        )
        for schema in found.schemas
    ]
    return _document(element("vosi:tableset", _ROOT, lines(*schemas)))


def table_document(found: TableSet, name: str) -> str | None:
    """One table by its name in any case, None when there is none."""
    written = found.names().get(name.lower())
    for row in found.tables:
        if row["table_name"] == written:
            return _document(_table("vosi:table", _ROOT, row, found))
    return None
