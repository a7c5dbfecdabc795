"""What the language, the store and the web side of the data services say to each other.

No I/O, and nothing heavy is imported: a worker that only relays columns pays for none of the store.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

Datatype = Literal[
    "boolean", "unsignedByte", "short", "int", "long", "float", "double", "char", "unicodeChar"
]
"""VOTable primitive types (VOTable 1.4 §2.1) that our tables use."""


@dataclass(frozen=True)
class Column:
    """A result column, described as a VOTable FIELD (VOTable 1.4 §4.1).

    ``arraysize`` is the VOTable form (``"*"``, ``"12"``, ``"12*"``, ``"2"``) or None for a scalar.
    Text is always ``char`` or ``unicodeChar`` with an arraysize; its Arrow type is string.
    A numeric array has the Arrow type list.
    """

    name: str
    datatype: Datatype
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Plan:
    """A checked query: everything decided, nothing run.

    ``sql`` was generated from the checked syntax tree; no text of the user is in it except as
    quoted literals. It asks for one row more than ``maxrec`` so that overflow can be told.
    """

    adql: str
    sql: str
    columns: tuple[Column, ...]
    maxrec: int
    tables: tuple[str, ...]


class AdqlError(Exception):
    """A query that cannot be answered as written, with the place of the trouble.

    ``line`` and ``column`` count from 1 and are None where no single place is to blame.
    ``str()`` is a whole message for the person who wrote the query.
    """

    def __init__(
        self,
        message: str,
        *,
        token: str | None = None,
        line: int | None = None,
        column: int | None = None,
        suggestions: tuple[str, ...] = (),
    ) -> None:
        self.message = message
        self.token = token
        self.line = line
        self.column = column
        self.suggestions = suggestions
        text = message
        if line is not None and column is not None:
            text += f" (line {line}, column {column})"
        if suggestions:
            text += ". Did you mean " + " or ".join(suggestions) + "?"
        super().__init__(text)


class QueryError(Exception):
    """A query that was accepted and did not finish; the message is for its author."""


class QueryCancelled(QueryError):
    """The query was stopped on request."""


class QueryTimeout(QueryError):
    """The query ran longer than it was allowed to."""


class StoreBusy(QueryError):
    """The store cannot take the query now (memory); trying again later may work."""


@dataclass
class Cancel:
    """A request to stop that any thread may make, once, for one query.

    ``timeout`` is the wall time in seconds that the query may take, None for no limit. It is
    measured by the engine from the start of ``run``.
    """

    timeout: float | None = None
    _event: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _callbacks: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def cancel(self) -> None:
        """Stop the query; harmless when it is over or was stopped before."""
        with self._lock:
            self._event.set()
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    @contextmanager
    def watched_by(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call ``callback`` if a stop is requested while the block runs (or was before it)."""
        with self._lock:
            self._callbacks.append(callback)
            already = self._event.is_set()
        if already:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


class ResultStream(Protocol):
    """Rows as they come. One consumer; ``overflow`` and ``rows`` are final once drained.

    Batches have one Arrow type for each VOTable datatype (``formats.cells.arrow_type``), which all
    writers rely on. Iterating them raises a :class:`QueryError` when the query does not finish.
    ``close`` frees the cursor and may be called at any time, more than once, from the consumer.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the columns of each batch are."""

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, once. Raises QueryError and its kinds."""

    @property
    def overflow(self) -> bool:
        """Whether there were more rows than allowed; known at the end."""

    @property
    def rows(self) -> int:
        """Rows read so far."""

    def close(self) -> None:
        """End the query, if it still runs."""
