"""The records of a store as files: environments, progress, history, the catalogue."""

from __future__ import annotations

import fcntl
import os
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import psutil

from despejado_images.environments.layout import MANIFEST, Layout, folder_name
from despejado_images.environments.models import (
    BuildPhase,
    BuildProgress,
    BuildState,
    Catalogue,
    Environment,
    EnvironmentKind,
    Sort,
    sort_of,
)
from despejado_images.files import read_record, write_record
from despejado_images.image import PLAIN_TAG, UI_TAG

_KEPT_BUILDS = 60
_KINDS = get_args(EnvironmentKind)
_PHASES = get_args(BuildPhase)
_STATES = get_args(BuildState)


def now() -> datetime:
    """The time, aware of its zone."""
    return datetime.now(UTC)


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value))


# Environments


def read_environment(prefix: Path) -> Environment | None:
    """The finished environment in a folder; None if it has no manifest or no Python runs it."""
    record = read_record(prefix / MANIFEST)
    python = prefix / "bin" / "python"
    if record is None or not os.access(python, os.X_OK):
        return None
    try:
        kind: EnvironmentKind = _KINDS[_KINDS.index(record["kind"])]
        return Environment(
            tag=str(record["tag"]),
            title=str(record["title"]),
            kind=kind,
            prefix=prefix,
            python=python,
            digest=str(record["digest"]),
            versions={str(k): str(v) for k, v in record["versions"].items()},
            size_bytes=int(record["size"]),
            added_bytes=int(record["added"]),
            created=_time(record["created"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def write_environment(environment: Environment, folder: Path) -> None:
    """Write the manifest of an environment that is (still) in ``folder``."""
    write_record(
        folder / MANIFEST,
        {
            "tag": environment.tag,
            "title": environment.title,
            "kind": environment.kind,
            "digest": environment.digest,
            "versions": dict(environment.versions),
            "size": environment.size_bytes,
            "added": environment.added_bytes,
            "created": environment.created.isoformat(),
        },
    )


def read_current(layout: Layout, tag: str) -> Environment | None:
    """The environment of a tag that is in use."""
    try:
        name = layout.current(tag).read_text().strip()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    if not name or name != folder_name(name):
        return None
    return read_environment(layout.ready(tag) / name)


# Progress


def read_progress(layout: Layout, tag: str) -> BuildProgress | None:
    """What the last build of a tag said."""
    record = read_record(layout.progress(tag))
    if record is None:
        return None
    try:
        phase: BuildPhase = _PHASES[_PHASES.index(record["phase"])]
        state: BuildState = _STATES[_STATES.index(record["state"])]
        fraction = record["fraction"]
        reason = record["reason"]
        return BuildProgress(
            tag=tag,
            phase=phase,
            fraction=None if fraction is None else float(fraction),
            message=str(record["message"]),
            state=state,
            pid=int(record["pid"]),
            started=_time(record["started"]),
            updated=_time(record["updated"]),
            reason=None if reason is None else str(reason),
        )
    except (KeyError, ValueError, TypeError):
        return None


def write_progress(layout: Layout, progress: BuildProgress) -> None:
    """Say where a build stands."""
    write_record(
        layout.progress(progress.tag),
        {
            "tag": progress.tag,
            "phase": progress.phase,
            "fraction": progress.fraction,
            "message": progress.message,
            "pid": progress.pid,
            "started": progress.started.isoformat(),
            "updated": progress.updated.isoformat(),
            "state": progress.state,
            "reason": progress.reason,
        },
    )


def is_building(layout: Layout, progress: BuildProgress | None) -> bool:
    """Whether the builder that wrote this still runs: its lock is held and its process lives."""
    if progress is None or progress.state != "building":
        return False
    return process_lives(progress.pid) and lock_is_held(layout.lock(progress.tag))


def lock_is_held(path: Path) -> bool:
    """Whether somebody holds the flock on a file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's store: whether its builder lives is all one can see
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def process_lives(pid: int) -> bool:
    """Whether a process exists and is no zombie that its parent has yet to collect."""
    try:
        status: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # somebody else's
        return True
    return status not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


# History

# Seconds and bytes before anything was built: 2 cores, packages to download at 50 MB/s.
_FIRST: dict[Sort, tuple[float, int]] = {
    "ui": (30.0, 300_000_000),
    "plain": (40.0, 500_000_000),
    "stack": (60.0, 700_000_000),
}


def expected(layout: Layout, tag: str) -> tuple[float, int]:
    """Seconds that a build of a tag takes and bytes it adds, judged by the last of its sort."""
    return _expected((read_record(layout.history) or {}).get("builds"), tag)


def _expected(builds: object, tag: str) -> tuple[float, int]:
    sort = sort_of(tag)
    same = [
        build
        for build in (builds if isinstance(builds, list) else [])
        if isinstance(build, dict) and sort_of(str(build.get("tag"))) == sort
    ]
    if not same:
        return _FIRST[sort]
    try:
        recent = [float(build["seconds"]) for build in same[-5:]]
        return statistics.median(recent), int(same[-1]["added"])
    except (KeyError, TypeError, ValueError):
        return _FIRST[sort]


def expectations(layout: Layout) -> dict[Sort, tuple[float, int]]:
    """What ``expected`` says for each sort, with one look at the file."""
    builds = (read_record(layout.history) or {}).get("builds")
    return {
        "ui": _expected(builds, UI_TAG),
        "plain": _expected(builds, PLAIN_TAG),
        "stack": _expected(builds, "stack"),
    }


def add_history(layout: Layout, environment: Environment, seconds: float) -> None:
    """Remember how long a build took; builds of other tags may end at the same moment."""
    lock = os.open(layout.root / ".history.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(lock, 0o600)  # a lock that others could open they could hold for ever
        fcntl.flock(lock, fcntl.LOCK_EX)
        builds: list[Any] = (read_record(layout.history) or {}).get("builds") or []
        entry = {
            "tag": environment.tag,
            "seconds": round(seconds, 2),
            "added": environment.added_bytes,
            "finished": time.time(),
        }
        write_record(layout.history, {"builds": [*builds, entry][-_KEPT_BUILDS:]})
    finally:
        os.close(lock)


# The catalogue


def read_catalogue(layout: Layout) -> Catalogue:
    """The last good list of tags; an empty one if there never was any."""
    record = read_record(layout.catalogue) or {}
    try:
        return Catalogue(
            tags={str(tag): str(version) for tag, version in record.get("tags", {}).items()},
            checked=_time(record["checked"]) if record.get("checked") else None,
            problem=str(record["problem"]) if record.get("problem") else None,
        )
    except (AttributeError, ValueError):
        return Catalogue(tags={})


def write_catalogue(layout: Layout, catalogue: Catalogue) -> None:
    """Keep a list of tags for the days without a network."""
    write_record(
        layout.catalogue,
        {
            "tags": dict(catalogue.tags),
            "checked": catalogue.checked.isoformat() if catalogue.checked else None,
            "problem": catalogue.problem,
        },
    )
