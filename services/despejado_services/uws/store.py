"""Jobs in SQLite, where they survive the process.

One connection behind a lock: statements take well below a millisecond, and every change of phase is
a compare-and-set, so that an abort and an end that meet are told apart.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from despejado_services.uws.models import Job, Phase, Result, iso, now, parse_time

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    run_id TEXT,
    phase TEXT NOT NULL,
    created TEXT NOT NULL,
    queued INTEGER,
    started TEXT,
    ended TEXT,
    destruction TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    error TEXT,
    transient INTEGER NOT NULL DEFAULT 0,
    content_type TEXT,
    size INTEGER,
    rows INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    note TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, number);
CREATE INDEX IF NOT EXISTS jobs_by_phase ON jobs (phase, queued);
CREATE INDEX IF NOT EXISTS jobs_by_destruction ON jobs (destruction);
"""
_VERSION = 1
SqlValue = str | int | None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _job(row: sqlite3.Row) -> Job:
    result = None
    if row["content_type"] is not None:
        result = Result(row["content_type"], row["size"], row["rows"])
    return Job(
        id=row["id"],
        owner=row["owner"],
        owner_name=row["owner_name"],
        run_id=row["run_id"],
        phase=Phase(row["phase"]),
        created=parse_time(row["created"]),
        started=_moment(row["started"]),
        ended=_moment(row["ended"]),
        destruction=parse_time(row["destruction"]),
        seconds=row["seconds"],
        parameters=json.loads(row["parameters"]),
        error=row["error"],
        transient=bool(row["transient"]),
        result=result,
        attempts=row["attempts"],
        note=row["note"],
    )


class JobStore:
    """All jobs of all users. Methods may be called from any thread.

    Any method raises ``sqlite3.OperationalError`` when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # a kill of the process loses nothing; only the machine's own failure may lose the last
        # commits, and then a job is run once more
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _VERSION):
            raise RuntimeError(f"{path} was written by another version of the services ({found}).")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version={_VERSION}")

    def close(self) -> None:
        """Close the file; no method works afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _rows(self, sql: str, values: Sequence[SqlValue] = ()) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            cursor = self._connection.execute(sql, values)
            try:
                yield cursor
            finally:
                cursor.close()

    def create(
        self,
        *,
        owner: str,
        owner_name: str,
        run_id: str | None,
        parameters: Mapping[str, str],
        seconds: int,
        destruction: datetime,
    ) -> Job:
        """A new PENDING job."""
        identifier = secrets.token_hex(10)
        values = {
            "id": identifier,
            "owner": owner,
            "owner_name": owner_name,
            "run_id": run_id,
            "phase": Phase.PENDING,
            "created": iso(now()),
            "destruction": iso(destruction),
            "seconds": seconds,
            "parameters": json.dumps(dict(parameters)),
        }
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        with self._rows(
            f"INSERT INTO jobs ({names}) VALUES ({marks}) RETURNING *",  # noqa: S608
            list(values.values()),
        ) as cursor:
            return _job(cursor.fetchall()[0])

    def get(self, identifier: str) -> Job | None:
        """The job, whoever owns it."""
        with self._rows("SELECT * FROM jobs WHERE id = ?", (identifier,)) as cursor:
            row = cursor.fetchone()
        return None if row is None else _job(row)

    def of_owner(
        self,
        owner: str,
        *,
        phases: Collection[str] = (),
        after: datetime | None = None,
        last: int | None = None,
    ) -> list[Job]:
        """A user's jobs, newest first (UWS 1.1 §2.2.2.1: PHASE, AFTER, LAST)."""
        sql = "SELECT * FROM jobs WHERE owner = ?"
        values: list[SqlValue] = [owner]
        if phases:
            sql += f" AND phase IN ({', '.join('?' for _ in phases)})"
            values += phases
        if after is not None:
            sql += " AND created > ?"
            values.append(iso(after))
        sql += " ORDER BY number DESC LIMIT ?"
        values.append(-1 if last is None else last)
        with self._rows(sql, values) as cursor:
            return [_job(row) for row in cursor.fetchall()]

    def update(
        self, identifier: str, *, when: Collection[Phase] = tuple(Phase), **changes: SqlValue
    ) -> Job | None:
        """Change columns of a job if it is in one of the phases; None if it is not (any more)."""
        sets = ", ".join(f"{name} = ?" for name in changes)
        marks = ", ".join("?" for _ in when)
        with self._rows(
            f"UPDATE jobs SET {sets} WHERE id = ? AND phase IN ({marks}) RETURNING *",  # noqa: S608
            [*changes.values(), identifier, *when],
        ) as cursor:
            rows = cursor.fetchall()
        return _job(rows[0]) if rows else None

    def set_parameters(self, identifier: str, parameters: Mapping[str, str]) -> Job | None:
        """Replace the parameters of a PENDING job."""
        return self.update(
            identifier, when=(Phase.PENDING,), parameters=json.dumps(dict(parameters))
        )

    def queue(self, identifier: str, *, when: Collection[Phase]) -> Job | None:
        """Put a job at the end of the queue."""
        with self._rows("SELECT coalesce(max(queued), 0) + 1 FROM jobs") as cursor:
            place = cursor.fetchone()[0]
        return self.update(identifier, when=when, phase=Phase.QUEUED, queued=place)

    def in_phase(self, phase: Phase) -> list[Job]:
        """Jobs of all users in the order in which they were queued."""
        with self._rows(
            "SELECT * FROM jobs WHERE phase = ? ORDER BY queued, number", (phase,)
        ) as cursor:
            return [_job(row) for row in cursor.fetchall()]

    def count(self, owner: str, phases: Collection[Phase]) -> int:
        """How many jobs of a user are in one of the phases."""
        marks = ", ".join("?" for _ in phases)
        with self._rows(
            f"SELECT count(*) AS n FROM jobs WHERE owner = ? AND phase IN ({marks})",  # noqa: S608
            [owner, *phases],
        ) as cursor:
            number: int = cursor.fetchone()["n"]
        return number

    def delete(self, identifier: str) -> None:
        """Forget a job."""
        with self._rows("DELETE FROM jobs WHERE id = ?", (identifier,)):
            pass

    def expired(self, moment: datetime) -> list[str]:
        """Identifiers of jobs whose destruction time has come."""
        with self._rows("SELECT id FROM jobs WHERE destruction <= ?", (iso(moment),)) as cursor:
            return [row["id"] for row in cursor.fetchall()]

    def next_destruction(self) -> datetime | None:
        """When the next job expires."""
        with self._rows("SELECT min(destruction) AS next FROM jobs") as cursor:
            row = cursor.fetchone()
        return _moment(row["next"])

    def identifiers(self) -> set[str]:
        """All jobs there are."""
        with self._rows("SELECT id FROM jobs") as cursor:
            return {row["id"] for row in cursor.fetchall()}
