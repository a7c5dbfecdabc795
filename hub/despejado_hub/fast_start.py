"""What the hub's process leaves out when it starts, because this platform never needs it.

``python -X importtime`` and ``tests/bench/bench_start.py`` say what each is worth: of 3.2 s for
``import jupyterhub.app``, 1 s is a grammar for identifiers that nobody checks and 0.4 s is the
library that upgrades databases.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

# jsonschema looks for these to check formats (international resource identifiers, durations)
# that no schema of JupyterHub's events has; the first builds its grammar at import
# (jupyter-server/jupyter_server#1559).
UNUSED = ("rfc3987_syntax", "rfc3987", "isoduration")


def skip_unused() -> None:
    """Make the imports of unused packages fail at once, as if they were not installed."""
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    for name in UNUSED:
        # None there means ImportError (The import system, section 5.3.1).
        modules.setdefault(name, None)


@dataclass(frozen=True)
class Schema:
    """A revision of the hub's database that a version of JupyterHub has found to be its own."""

    jupyterhub: str
    revision: str


def revision_of(database: Path) -> str | None:
    """The schema revision that a database says it has; None if it says nothing."""
    if not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])


def is_checked(database: Path, note: Path, version: str) -> bool:
    """Whether this version of JupyterHub has checked this very revision before."""
    revision = revision_of(database)
    try:
        known = json.loads(note.read_text())
    except (OSError, ValueError):
        return False
    return revision is not None and known == asdict(Schema(version, revision))


def remember_check(database: Path, note: Path, version: str) -> None:
    """Note that JupyterHub found the database's revision to be its own."""
    revision = revision_of(database)
    if revision is not None:
        note.write_text(json.dumps(asdict(Schema(version, revision))))


class _Absent(ModuleType):
    """Stands in for a module that is imported by name and then not used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def skip_migrations() -> None:
    """Leave the library that upgrades databases out of this process."""
    for name in ("alembic", "alembic.command", "alembic.config", "alembic.script"):
        sys.modules.setdefault(name, _Absent(name))


def check_once(database: Path, note: Path) -> Callable[[], None]:
    """Skip JupyterHub's check of its database if it passed before; call before the import.

    The answer is to be called after ``jupyterhub.orm`` was imported.
    """
    from jupyterhub._version import __version__ as version

    known = is_checked(database, note, version)
    if known:
        skip_migrations()

    def adopt() -> None:
        from jupyterhub import orm

        check = orm.check_db_revision

        def check_and_remember(engine: Any) -> None:
            check(engine)
            remember_check(database, note, version)

        orm.check_db_revision = (lambda engine: None) if known else check_and_remember

    return adopt
