"""A job as UWS 1.1 §2.1 describes it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Phase(StrEnum):
    """UWS 1.1 §2.1.3; the phases this service uses."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"


ACTIVE = (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)
"""Phases that a job can still leave."""
ALL_PHASE_NAMES = (*Phase, "ARCHIVED", "HELD", "SUSPENDED", "UNKNOWN")
"""What a filter may name; no job of ours is ever in the last four."""


@dataclass(frozen=True)
class Result:
    """A finished result file."""

    content_type: str
    size: int
    rows: int


@dataclass(frozen=True)
class Job:
    """One job. Times are UTC; ``seconds`` is the execution duration, 0 for no limit."""

    id: str
    owner: str
    owner_name: str
    run_id: str | None
    phase: Phase
    created: datetime
    started: datetime | None
    ended: datetime | None
    destruction: datetime
    seconds: int
    parameters: Mapping[str, str]
    error: str | None
    transient: bool
    result: Result | None
    attempts: int
    note: str | None


def now() -> datetime:
    """The time to the millisecond, as documents show it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """UTC with a Z, as UWS 1.1 §2.1.11 asks."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{moment.microsecond // 1000:03d}Z"
    )


def parse_time(value: str) -> datetime:
    """An ISO 8601 time; one without a zone is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(value.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
