"""ivoa.ObsCore out of ``DATA/obscore.parquet``; empty while there is no such file.

Columns that the file lacks are null, and columns we do not know are left out. What is wrong with
the file is logged and leaves the table empty: the stars stay available.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from despejado_services.catalog.metadata import SQL_TYPES, Catalogue, quote
from despejado_services.catalog.regions import pieces, region_row
from despejado_services.geometry.sphere import RegionError
from despejado_services.geometry.stc import parse_region

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

REGION_COLUMNS = ("_region_x", "_region_y", "_region_z", "_region_r", "_region_edges")
_TABLE = "ivoa.obscore"


def fill_obscore(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, path: Path, there: bool
) -> None:
    """Make ``ivoa.ObsCore`` (ObsCore 1.1) in the store, from ``path`` if the file is ``there``."""
    import duckdb

    ((_, table),) = catalogue.find("ivoa", "ObsCore")
    columns = {c.name: SQL_TYPES[c.datatype] for c in table.columns}
    declared = [f"{quote(name)} {kind}" for name, kind in columns.items()]
    declared += [f"{quote(name)} DOUBLE" for name in REGION_COLUMNS[:-1]]
    declared.append(f"{quote(REGION_COLUMNS[-1])} DOUBLE[]")
    connection.execute(f"CREATE TABLE {_TABLE} ({', '.join(declared)})")
    if not there:
        return
    try:
        connection.execute("BEGIN")
        _load(connection, columns, path)
        connection.execute("COMMIT")
    except duckdb.Error as error:
        connection.execute("ROLLBACK")
        log.warning("%s cannot be used, ivoa.ObsCore stays empty: %s", path, error)


def _load(connection: duckdb.DuckDBPyConnection, columns: dict[str, str], path: Path) -> None:
    source = "read_parquet(?)"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)]).fetchall()  # noqa: S608
    present = {str(row[0]) for row in described}
    values = [
        f"CAST({quote(name)} AS {kind})" if name in present else f"CAST(NULL AS {kind})"
        for name, kind in columns.items()
    ]
    connection.execute(
        "CREATE TEMP TABLE regions (s_region VARCHAR, x DOUBLE, y DOUBLE, z DOUBLE, r DOUBLE,"
        " edges DOUBLE[])"
    )
    if "s_region" in present:
        texts = connection.execute(
            f"SELECT DISTINCT CAST(s_region AS VARCHAR) FROM {source} WHERE s_region IS NOT NULL",  # noqa: S608
            [str(path)],
        ).fetchall()
        rows = _region_rows([str(row[0]) for row in texts])
        if rows:
            connection.executemany("INSERT INTO regions VALUES (?, ?, ?, ?, ?, ?)", rows)
    given = "CAST(o.s_region AS VARCHAR)" if "s_region" in present else "NULL"
    connection.execute(
        f"INSERT INTO {_TABLE} SELECT {', '.join(values)}, r.x, r.y, r.z, r.r, r.edges"  # noqa: S608
        f" FROM {source} AS o LEFT JOIN regions AS r ON r.s_region = {given}".replace(
            'CAST("s_region"', 'CAST(o."s_region"'
        ),
        [str(path)],
    )
    connection.execute("DROP TABLE regions")


def _region_rows(texts: list[str]) -> list[list[object]]:
    """One row a region; those that cannot be used have none and no geometry finds them."""
    rows: list[list[object]] = []
    for text in texts:
        try:
            convex = pieces(parse_region(text))
        except RegionError as error:
            log.warning("s_region %.60r in ObsCore cannot be used: %s", text, error)
            continue
        if len(convex) != 1:
            log.warning("s_region %.60r in ObsCore is not convex and is left out", text)
            continue
        row = region_row(convex[0])
        rows.append([text, row.x, row.y, row.z, row.r, list(row.edges)])
    return rows
