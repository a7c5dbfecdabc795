"""The open store: an immutable snapshot of all tables, replaced when a file behind it changes.

A snapshot is a DuckDB instance in memory that has the cache attached read-only and holds
TAP_SCHEMA and ObsCore; once filled it is locked: no file, network, extension or setting can be
reached from SQL. Queries that run keep their snapshot; new ones get the newest.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from despejado_services.catalog.build import SAMPLE, ensure_cache, sample_schema
from despejado_services.catalog.metadata import Catalogue, load_schema, quote

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

OBSCORE_NAME = "obscore.parquet"
_BUILTIN = Path(__file__).parent


class StoreError(Exception):
    """The store cannot be opened; the message says which file and why."""


@dataclass(frozen=True)
class Limits:
    """What all queries of a process together may use."""

    memory: str = "1GB"
    threads: int = 2


FileKey = tuple[int, int, int] | None


def _key(path: Path) -> FileKey:
    """Changes whenever the file is replaced or rewritten; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


class Store:
    """The tables under a data folder. Thread-safe; opens nothing until the first query."""

    def __init__(self, data: Path, *, limits: Limits | None = None, sample: Path = SAMPLE) -> None:
        self._data = data
        self._sample = sample
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._current: tuple[FileKey, duckdb.DuckDBPyConnection] | None = None
        self.catalogue = Catalogue(
            [
                sample_schema(sample),
                load_schema(_BUILTIN / "ivoa.yaml"),
                load_schema(_BUILTIN / "tap_schema.yaml"),
            ]
        )

    def prepare(self) -> None:
        """Make the cache if there is none that fits. Without it the first query pays for that."""
        ensure_cache(self._data, self._sample)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the newest snapshot; the caller closes it."""
        return self._snapshot().cursor()

    def close(self) -> None:
        """Close the connections; the next query opens them again."""
        with self._lock:
            if self._current:
                self._current[1].close()
            self._current = None

    def _snapshot(self) -> duckdb.DuckDBPyConnection:
        key = _key(self._data / OBSCORE_NAME)
        with self._lock:
            if self._current is None or self._current[0] != key:
                # the old one is freed with its last cursor
                self._current = (key, self._open(with_obscore=key is not None))
            return self._current[1]

    def _open(self, *, with_obscore: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        cache = ensure_cache(self._data, self._sample)
        try:
            return self._fill(cache, with_obscore)
        except duckdb.Error as error:
            log.warning("%s cannot be used and is made anew: %s", cache, error)
        cache = ensure_cache(self._data, self._sample, force=True)
        try:
            return self._fill(cache, with_obscore)
        except duckdb.Error as error:
            raise StoreError(f"the catalogue store {cache} cannot be opened: {error}") from error

    def _fill(self, cache: Path, with_obscore: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        from despejado_services.catalog.macros import MACROS
        from despejado_services.catalog.obscore import fill_obscore
        from despejado_services.catalog.tap_schema import fill_tap_schema

        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": self._limits.memory,
                "threads": self._limits.threads,
                "python_enable_replacements": False,  # no variable of ours is a table
                "temp_directory": "",  # the default writes into the working directory
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        try:
            path = str(cache).replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS cache (READ_ONLY)")
            for macro in MACROS:
                connection.execute(f"CREATE MACRO {macro}")
            for schema in self.catalogue.schemas:
                connection.execute(f"CREATE SCHEMA {quote(schema.name.lower())}")
            for table in sample_schema(self._sample).tables:
                name = quote(table.name.lower())
                connection.execute(f"CREATE VIEW sample.{name} AS FROM cache.main.{name}")
            fill_tap_schema(connection, self.catalogue)
            fill_obscore(connection, self.catalogue, self._data / OBSCORE_NAME, with_obscore)
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        except duckdb.Error:
            connection.close()
            raise
        return connection
