"""ADQL 2.1 to the store's SQL (IVOA Recommendation 2023-12-15).

``translate`` is the whole public face: parse strictly, resolve every name against the catalogue,
rewrite geometry, and write SQL of the checked tree only. No text of the user reaches the store but
as a quoted name or literal.

Where ADQL leaves it open: ``/`` of whole numbers is not whole; nulls sort last; a function outside
its domain (LOG of a negative number) gives null.
"""

from __future__ import annotations

from dataclasses import dataclass

from despejado_services.adql.dialect import parse
from despejado_services.adql.select import QueryWriter
from despejado_services.adql.shape import check
from despejado_services.adql.tables import Output
from despejado_services.catalog.metadata import Catalogue
from despejado_services.models import AdqlError

__all__ = ["Translation", "translate"]


@dataclass(frozen=True)
class Translation:
    """``sql`` gives at most maxrec + 1 rows; ``outputs`` are its columns in order."""

    sql: str
    outputs: tuple[Output, ...]
    tables: tuple[str, ...]


def translate(query: str, catalogue: Catalogue, *, maxrec: int) -> Translation:
    """Translate one ADQL query; raises :class:`AdqlError` naming the place and what to do."""
    tree, text = parse(query)
    try:
        check(tree, text)
        writer = QueryWriter(catalogue, text)
        written = writer.write_top(tree, maxrec + 1)
    except RecursionError as error:
        raise AdqlError("the query is nested too deeply") from error
    return Translation(written.sql, written.columns, writer.tables)
