"""An engine of a few lines: DuckDB without a language, for faults that a real query cannot make."""

from __future__ import annotations

import os
from collections.abc import Iterator

import duckdb
import pyarrow as pa
from despejado_services.models import (
    AdqlError,
    Cancel,
    Column,
    Datatype,
    Plan,
    QueryCancelled,
    QueryError,
    QueryTimeout,
)

_DATATYPES: dict[pa.DataType, tuple[Datatype, str | None]] = {
    pa.bool_(): ("boolean", None),
    pa.int32(): ("int", None),
    pa.int64(): ("long", None),
    pa.float64(): ("double", None),
    pa.string(): ("char", "*"),
}


class SmallStream:
    """Rows of one query; ``breaks_after`` rows it fails."""

    def __init__(self, plan: Plan, cancel: Cancel, batches: Iterator[pa.RecordBatch]) -> None:
        self.columns = plan.columns
        self.rows = 0
        self.overflow = False
        self._maxrec = plan.maxrec
        self._cancel = cancel
        self._source = batches

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._source:
            if self._cancel.cancelled:
                raise QueryCancelled("stopped")
            left = self._maxrec - self.rows
            self.overflow = self.overflow or batch.num_rows > left
            piece = batch.slice(0, max(left, 0))
            self.rows += piece.num_rows
            yield piece

    def close(self) -> None:
        pass


class SmallEngine:
    """Understands ``BREAK n`` (fails after n batches), ``WAIT`` (until stopped) and plain SQL.

    ``WAIT-ONCE`` waits unless the variable SMALL_ENGINE_WAITS says no.
    """

    def plan(self, adql: str, *, maxrec: int) -> Plan:
        if adql.startswith(("BREAK", "WAIT")):
            columns: tuple[Column, ...] = (Column("n", "long"),)
        else:
            try:
                with duckdb.connect() as connection:
                    schema = connection.sql(adql).to_arrow_table().schema
            except duckdb.Error as problem:
                raise AdqlError(str(problem), line=1, column=1) from problem
            columns = tuple(
                Column(field.name, *_DATATYPES[field.type], description=f"column {field.name}")
                for field in schema
            )
        return Plan(adql, adql, columns, maxrec, ())

    def run(self, plan: Plan, *, cancel: Cancel) -> SmallStream:
        return SmallStream(plan, cancel, self._batches(plan, cancel))

    def _batches(self, plan: Plan, cancel: Cancel) -> Iterator[pa.RecordBatch]:
        verb, _, rest = plan.sql.partition(" ")
        if verb == "BREAK":
            for start in range(int(rest)):
                yield pa.record_batch({"n": pa.array(range(start, start + 1000), pa.int64())})
            raise QueryError("The disk under the store made a strange noise.")
        if verb == "WAIT-ONCE" and os.environ.get("SMALL_ENGINE_WAITS") == "no":
            yield pa.record_batch({"n": pa.array([1], pa.int64())})
            return
        if verb.startswith("WAIT"):
            if not cancel._event.wait(cancel.timeout):
                raise QueryTimeout("The query took too long.")
            raise QueryCancelled("stopped")
        with duckdb.connect() as connection:
            yield from connection.sql(plan.sql).to_arrow_table().to_batches()


def main() -> None:
    """The service with this engine: ``small_engine.py --config FILE``."""
    import sys
    from pathlib import Path

    from despejado_services.__main__ import serve
    from despejado_services.config import load_config
    from despejado_services.vosi.capabilities import Language

    language = Language(geometry=("POINT",), functions=())
    serve(load_config(Path(sys.argv[2])), SmallEngine(), language)


if __name__ == "__main__":
    main()
