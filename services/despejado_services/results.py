"""Result columns: what the store gives, described for VOTable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from despejado_services.models import Column, Datatype

if TYPE_CHECKING:
    from despejado_services.adql.tables import Output

_TYPES: dict[str, tuple[Datatype, str | None, str | None]] = {
    "BOOLEAN": ("boolean", None, None),
    "UTINYINT": ("unsignedByte", None, None),
    "TINYINT": ("short", None, None),
    "SMALLINT": ("short", None, None),
    "USMALLINT": ("int", None, None),
    "INTEGER": ("int", None, None),
    "UINTEGER": ("long", None, None),
    "BIGINT": ("long", None, None),
    "UBIGINT": ("long", None, None),
    "HUGEINT": ("long", None, None),
    "FLOAT": ("float", None, None),
    "DOUBLE": ("double", None, None),
    "VARCHAR": ("char", "*", None),
    "TIMESTAMP": ("char", "*", "timestamp"),
    "DATE": ("char", "*", "timestamp"),
    '"NULL"': ("int", None, None),
    "NULL": ("int", None, None),
    "DOUBLE[]": ("double", "*", None),
}


def describe(output: Output, store_type: str) -> Column:
    """The VOTable description of a result column of a type of the store.

    A plain column keeps all that the catalogue says of it; an expression has its type, and unit
    and UCD where those are certain.
    """
    if output.meta.column is not None:
        known = output.meta.column
        return Column(
            output.name, known.datatype, known.arraysize, known.xtype, known.unit, known.ucd,
            known.utype, known.description,
        )  # fmt: skip
    kind = re.sub(r"\(.*\)", "", store_type)
    datatype, arraysize, xtype = _TYPES.get(kind, ("double", None, None))
    if output.meta.xtype in ("point", "circle"):
        arraysize = "2" if output.meta.xtype == "point" else "3"
    return Column(
        name=output.name,
        datatype=datatype,
        arraysize=arraysize,
        xtype=output.meta.xtype or xtype,
        unit=output.meta.unit,
        ucd=output.meta.ucd,
        description=output.meta.description,
    )
