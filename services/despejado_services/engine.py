"""ADQL in, Arrow batches out: the seam between the web side and the catalogue store.

Importing this module is cheap; DuckDB, pyarrow and sqlglot (about 90 MB together) are loaded by
the first query, so that a service nobody asks anything stays small.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from despejado_services.catalog.build import SAMPLE
from despejado_services.catalog.metadata import Catalogue
from despejado_services.catalog.store import Limits, Store
from despejado_services.models import (
    AdqlError,
    Cancel,
    Column,
    Plan,
    QueryCancelled,
    QueryError,
    QueryTimeout,
    StoreBusy,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["Engine", "Limits", "Stream"]

log = logging.getLogger(__name__)

BATCH_ROWS = 100_000
_AGAIN = 0.05  # seconds; an interrupt that comes before the query has begun is lost


class Engine:
    """Plans and runs queries over the tables in a data folder. Thread-safe."""

    def __init__(self, data: Path, *, limits: Limits | None = None, sample: Path = SAMPLE) -> None:
        self._limits = limits or Limits()
        self._store = Store(data, limits=self._limits, sample=sample)

    @property
    def catalogue(self) -> Catalogue:
        """Schemas, tables and columns, for VOSI tables; the same that TAP_SCHEMA holds."""
        return self._store.catalogue

    def prepare(self) -> None:
        """Build what the first query would otherwise have to wait for; blocking."""
        self._store.prepare()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def plan(self, adql: str, *, maxrec: int) -> Plan:
        """Check and translate a query. ``maxrec`` >= 0 caps its rows.

        Raises :class:`AdqlError` for a query that cannot be answered as written.
        """
        import duckdb

        from despejado_services.adql import translate
        from despejado_services.results import describe

        if maxrec < 0:
            raise ValueError("maxrec must not be negative")
        translation = translate(adql, self._store.catalogue, maxrec=maxrec)
        cursor = self._store.cursor()
        try:
            types = [str(kind) for kind in cursor.sql(translation.sql).types]
        except duckdb.Error as error:
            log.info("the store refused %s", translation.sql, exc_info=True)
            raise AdqlError(f"the query does not fit together: {_reason(error)}") from error
        finally:
            cursor.close()
        pairs = zip(translation.outputs, types, strict=True)
        columns = tuple(describe(output, kind) for output, kind in pairs)
        return Plan(adql, translation.sql, columns, maxrec, translation.tables)

    def run(self, plan: Plan, *, cancel: Cancel) -> Stream:
        """Start nothing yet: the query runs while the stream's batches are iterated."""
        return Stream(self._store, plan, cancel, self._limits.memory)


class Stream:
    """The rows of one query (a :class:`~despejado_services.models.ResultStream`)."""

    def __init__(self, store: Store, plan: Plan, cancel: Cancel, memory: str) -> None:
        self.columns: tuple[Column, ...] = plan.columns
        self.overflow = False
        self.rows = 0
        self._store = store
        self._plan = plan
        self._cancel = cancel
        self._memory = memory
        self._iterator = self._read()

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Arrow batches with the columns' names and types; can be iterated once."""
        return self._iterator

    def close(self) -> None:
        """End the query, if it still runs."""
        self._iterator.close()

    def _read(self) -> Generator[pa.RecordBatch, None, None]:
        import duckdb
        import pyarrow as pa

        from despejado_services.formats.cells import canonical

        if self._cancel.cancelled:
            raise QueryCancelled("the query was cancelled before it began")
        cursor = self._store.cursor()
        watch = _Watch(cursor, self._cancel)
        try:
            with watch:
                for batch in _batches(cursor, self._plan.sql):
                    part = canonical(self.columns, batch)
                    if self.rows + part.num_rows > self._plan.maxrec:
                        part = part.slice(0, self._plan.maxrec - self.rows)
                        self.overflow = True
                    self.rows += part.num_rows
                    if part.num_rows:
                        yield part
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise self._failure(error, watch) from error
        finally:
            cursor.close()

    def _failure(self, error: Exception, watch: _Watch) -> QueryError:
        text = str(error)
        if watch.timed_out:
            return QueryTimeout(
                f"the query ran longer than {self._cancel.timeout:g} s and was stopped"
            )
        if self._cancel.cancelled:
            return QueryCancelled("the query was cancelled")
        if "Out of Memory" in text:
            return StoreBusy(
                f"the queries that run now need more than the {self._memory} of memory they have"
                " together; select fewer rows or columns, sort less, or try again later"
            )
        log.info("a query failed: %s", self._plan.sql, exc_info=error)
        return QueryError(f"the query failed: {_reason(error)}")


class _Watch:
    """Interrupts a cursor's query when it is cancelled or its time is over."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, cancel: Cancel) -> None:
        self.timed_out = False
        self._cursor = cursor
        self._cancel = cancel
        self._wake = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="query-watch", daemon=True)

    def __enter__(self) -> None:
        self._watching = self._cancel.watched_by(self._wake.set)
        self._watching.__enter__()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._wake.set()
        self._thread.join()
        self._watching.__exit__(None, None, None)

    def _watch(self) -> None:
        if not self._wake.wait(self._cancel.timeout):
            self.timed_out = True
        while not self._done.is_set():
            self._cursor.interrupt()
            self._done.wait(_AGAIN)


def _batches(cursor: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    """Rows as they come. The relation streams; execute() would hold them all first."""
    relation = cursor.sql(sql)
    if hasattr(relation, "to_arrow_reader"):
        yield from relation.to_arrow_reader(BATCH_ROWS)
    else:
        yield from relation.fetch_record_batch(BATCH_ROWS)  # DuckDB before 2.0


def _reason(error: Exception) -> str:
    """The first line of the store's message, without its own name for the kind of trouble."""
    first = (str(error).splitlines() or [""])[0]
    head, colon, rest = first.partition("Error: ")
    return (rest if colon and len(head) < 40 else first).strip() or type(error).__name__
