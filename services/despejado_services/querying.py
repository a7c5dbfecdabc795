"""The web side's view of the engine."""

from __future__ import annotations

from typing import Protocol

from despejado_services.models import Cancel, Plan, ResultStream
from despejado_services.parameters import TapRequest


class QueryEngine(Protocol):
    """What the web side needs of ``despejado_services.engine.Engine``. Thread-safe."""

    def plan(self, adql: str, *, maxrec: int) -> Plan:
        """Check and translate a query. Raises AdqlError."""

    def run(self, plan: Plan, *, cancel: Cancel) -> ResultStream:
        """Start a query; the caller closes the stream."""


def run_query(engine: QueryEngine, asked: TapRequest, cancel: Cancel) -> ResultStream:
    """Plan and run. The caller closes the stream. Raises AdqlError and QueryError."""
    return engine.run(engine.plan(asked.query, maxrec=asked.maxrec), cancel=cancel)
