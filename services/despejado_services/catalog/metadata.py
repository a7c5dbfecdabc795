"""Schemas, tables and columns as their YAML files describe them.

The form is close to the Felis files of the Rubin Observatory (``ivoa:ucd``, ``tap:principal``,
``votable:xtype``, ...), read by our own model because Felis itself is under the GPL. Two keys are
ours: ``position`` names the columns of a table's main sky position and its HEALPix column, and
``indexed`` says what TAP_SCHEMA says of a column. ``region`` names the outline columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from despejado_services.models import Column, Datatype


class SchemaFileError(ValueError):
    """A schema file that cannot be used; the message lists every problem with its place."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


_VOTABLE: dict[str, tuple[Datatype, str | None, str | None]] = {
    "boolean": ("boolean", None, None),
    "byte": ("unsignedByte", None, None),
    "short": ("short", None, None),
    "int": ("int", None, None),
    "long": ("long", None, None),
    "float": ("float", None, None),
    "double": ("double", None, None),
    "string": ("char", "*", None),
    "unicode": ("unicodeChar", "*", None),
    "timestamp": ("char", "*", "timestamp"),
}
SQL_TYPES = {
    "boolean": "BOOLEAN",
    "byte": "UTINYINT",
    "short": "SMALLINT",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "unicode": "VARCHAR",
    "timestamp": "TIMESTAMP",
}


class ColumnInfo(_Model):
    """One column of a table (TAP 1.1 §4.3)."""

    name: str
    datatype: Literal[
        "boolean", "byte", "short", "int", "long", "float", "double", "string", "unicode",
        "timestamp",
    ]  # fmt: skip
    description: str
    length: int | None = None
    nullable: bool = True
    unit: str | None = Field(None, alias="ivoa:unit")
    ucd: str | None = Field(None, alias="ivoa:ucd")
    utype: str | None = Field(None, alias="votable:utype")
    xtype: str | None = Field(None, alias="votable:xtype")
    principal: Literal[0, 1] = Field(0, alias="tap:principal")
    std: Literal[0, 1] = Field(0, alias="tap:std")
    indexed: bool = False

    @cached_property
    def field(self) -> Column:
        """The column as a VOTable FIELD."""
        datatype, arraysize, xtype = _VOTABLE[self.datatype]
        if arraysize and self.length:
            arraysize = f"{self.length}*"
        return Column(
            name=self.name,
            datatype=datatype,
            arraysize=arraysize,
            xtype=self.xtype or xtype,
            unit=self.unit,
            ucd=self.ucd,
            utype=self.utype,
            description=self.description,
        )


class Position(_Model):
    """The columns of a table's main position (degrees) and its order-29 nested HEALPix number."""

    ra: str
    dec: str
    healpix: str


class ForeignKey(_Model):
    """Columns that refer to the key of another table of the catalogue (``schema.table``)."""

    id: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    description: str | None = None
    utype: str | None = None


class TableInfo(_Model):
    """One table or view; ``columns`` stand in the order of column_index."""

    name: str
    description: str
    columns: tuple[ColumnInfo, ...]
    table_type: Literal["table", "view"] = Field("table", alias="tap:type")
    utype: str | None = Field(None, alias="votable:utype")
    primary_key: tuple[str, ...] = Field((), alias="primaryKey")
    position: Position | None = None
    region: str | None = None
    foreign_keys: tuple[ForeignKey, ...] = Field((), alias="foreignKeys")

    @model_validator(mode="after")
    def _names_exist(self) -> TableInfo:
        names = [c.name for c in self.columns]
        folded = [n.lower() for n in names]
        if len(set(folded)) != len(folded):
            raise ValueError(f"table {self.name}: a column name occurs twice")
        wanted = [*self.primary_key]
        if self.position:
            wanted += [self.position.ra, self.position.dec]
        if self.region:
            wanted.append(self.region)
        for name in wanted:
            if name not in names:
                raise ValueError(f"table {self.name}: there is no column {name}")
        return self


class SchemaInfo(_Model):
    """A named group of tables (TAP 1.1 §4.1)."""

    name: str
    description: str
    utype: str | None = Field(None, alias="votable:utype")
    tables: tuple[TableInfo, ...]


def load_schema(path: Path) -> SchemaInfo:
    """Read a schema file; raises :class:`SchemaFileError`."""
    try:
        return SchemaInfo.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SchemaFileError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SchemaFileError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SchemaFileError(f"{path}: " + "; ".join(problems)) from error


def quote(name: str) -> str:
    """A delimited SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Catalogue:
    """All schemas that can be queried, found by name without regard to case."""

    def __init__(self, schemas: Iterable[SchemaInfo]) -> None:
        self.schemas = tuple(schemas)
        self._tables = {
            (schema.name.lower(), table.name.lower()): (schema, table)
            for schema in self.schemas
            for table in schema.tables
        }

    def find(self, schema: str | None, table: str) -> list[tuple[SchemaInfo, TableInfo]]:
        """Tables of that name; more than one only where the schema is not given."""
        if schema is not None:
            found = self._tables.get((schema.lower(), table.lower()))
            return [found] if found else []
        return [v for (_, name), v in self._tables.items() if name == table.lower()]

    def table_names(self) -> list[str]:
        """Qualified names as TAP_SCHEMA writes them."""
        return [f"{s.name}.{t.name}" for s in self.schemas for t in s.tables]

    @staticmethod
    def physical(schema: SchemaInfo, table: TableInfo) -> str:
        """The table's name in the store's SQL: the store makes it so."""
        return f"{quote(schema.name.lower())}.{quote(table.name.lower())}"
