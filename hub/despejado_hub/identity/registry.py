"""The embedded registry: UIDs and GIDs that the platform gives itself, and never takes back.

One SQLite file. Every number that was ever given stays in it, so none is given twice: files of a
retired user never become those of a new one. User and group numbers come from one space, because
a user's primary group has the user's number.
"""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from despejado_spawner.errors import IdentityError
from despejado_spawner.models import Group, Identity

from despejado_hub.check.result import Result
from despejado_hub.config import posix_ids
from despejado_hub.config.identity import IdentitySettings

from .login import login_names
from .policy import EVERYONE, GroupPolicy, IdentityPolicy
from .source import IdentitySource

Kind = Literal["user", "group"]

_APPLICATION = 0x44455350  # "DESP", in the header of the file (SQLite, application_id)
_VERSION = 1
_SCHEMA = """
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
    name TEXT NOT NULL,
    login TEXT UNIQUE CHECK ((login IS NULL) = (kind = 'group')),
    created TEXT NOT NULL,
    retired TEXT
);
CREATE UNIQUE INDEX active_names ON identities (kind, name) WHERE retired IS NULL;
"""


class RegistryError(IdentityError):
    """The registry cannot be used; the message says why and what an operator can do."""


@dataclass(frozen=True)
class Entry:
    """One number of the registry; ``login`` is empty for groups.

    ``created`` and ``retired`` are times in UTC (ISO 8601); ``retired`` is None while in use.
    """

    id: int
    kind: Kind
    name: str
    login: str
    created: str
    retired: str | None


def on_this_machine(number: int) -> bool:
    """Whether the machine itself knows a user or group of this number."""
    try:
        pwd.getpwuid(number)
    except KeyError:
        try:
            grp.getgrgid(number)
        except KeyError:
            return False
    return True


class EmbeddedRegistry(IdentitySource):
    """Stable UIDs and GIDs in ``path``, for any number of processes at once.

    ``taken`` says which numbers to pass over because somebody else has them.
    """

    settings_model: ClassVar[type[IdentitySettings]] = IdentityPolicy

    def __init__(
        self,
        path: Path,
        policy: IdentityPolicy | None = None,
        *,
        taken: Callable[[int], bool] = on_this_machine,
        patience: float = 10.0,
    ) -> None:
        self.path = path
        self.policy = policy or IdentityPolicy()
        self._taken = taken
        self._patience = patience

    @classmethod
    def of(cls, settings: Any, state: Path) -> EmbeddedRegistry:
        """The registry in ``hub/identities.sqlite`` of the state folder."""
        return cls(state / "hub" / "identities.sqlite", settings)

    async def identity(self, username: str, auth_state: Mapping[str, Any] | None) -> Identity:
        """The identity of a hub user; made at the first call, the same ever after."""
        return await asyncio.to_thread(self.assign, username)

    async def groups(self, username: str, auth_state: Mapping[str, Any] | None) -> Collection[str]:
        """The names of the groups that the policy gives the user."""
        return list(self._groups_of(username))

    async def preview(self, username: str) -> Identity:
        """See `IdentitySource.preview`; numbers that nobody has yet may be others later."""
        return await asyncio.to_thread(self.would_assign, username)

    async def seen(self, username: str) -> Identity | None:
        """See `IdentitySource.seen`."""
        if not self.path.exists():
            return None
        with self._connection() as database:
            known = _active(database, "user", username)
        return None if known is None else await self.preview(username)

    def assign(self, username: str) -> Identity:
        """As :meth:`identity`, and blocking: reads one row, or waits for the write lock.

        Raises IdentityError for a name that cannot be kept, RegistryError for a file that
        cannot be used.
        """
        _refuse_name(username)
        groups = self._groups_of(username)
        with self._connection() as database:
            user = _active(database, "user", username)
            known = {name: _active(database, "group", name) for name in groups}
            if user is None or not all(
                _as_configured(entry, policy)
                for entry, policy in zip(known.values(), groups.values(), strict=True)
            ):
                with _writing(database):
                    user = _active(database, "user", username) or self._add_user(database, username)
                    known = {
                        name: self._group(database, name, policy) for name, policy in groups.items()
                    }
        members = tuple(Group(name, entry.id) for name, entry in known.items() if entry)
        own = user.login if user.login not in groups else f"{user.login}-own"
        return Identity(
            username=user.login,
            uid=user.id,
            gid=user.id,
            groups=(Group(own, user.id), *members),
        )

    def retire(self, username: str) -> None:
        """Forget a user; the UID and login name stay taken for ever.

        Raises IdentityError if there is no such user.
        """
        with self._connection() as database, _writing(database):
            entry = _active(database, "user", username)
            if entry is None:
                raise IdentityError(f"There is no user {username!r} in {self.path}.")
            _retire(database, entry)

    def would_assign(self, username: str) -> Identity:
        """What :meth:`assign` would answer, without keeping anything.

        Raises as :meth:`assign`.
        """
        with tempfile.TemporaryDirectory(prefix="despejado-") as folder:
            copy = Path(folder) / self.path.name
            if self.path.exists():
                with self._connection() as database, closing(sqlite3.connect(copy)) as target:
                    database.backup(target)
            return EmbeddedRegistry(copy, self.policy, taken=self._taken).assign(username)

    def entries(self) -> list[Entry]:
        """Every number ever given, in order."""
        with self._connection() as database:
            rows = database.execute(f"{_SELECT} ORDER BY id").fetchall()
        return [Entry(*row) for row in rows]

    def verify(self) -> None:
        """Read the whole file; RegistryError if it is damaged."""
        with self._connection() as database:
            answer = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if answer != "ok":
            raise RegistryError(self._damaged(str(answer)))

    def check(self) -> Iterator[Result]:
        """Whether the registry is whole, and still there if it was there once."""
        homes = self.path.parent.parent / "homes"
        try:
            there = self.path.exists()
            used = homes.is_dir() and any(homes.iterdir())
        except OSError as error:
            message = f"{self.path} cannot be seen: {error.strerror}"
            yield Result("identity", "fail", message, "run this as the platform's user")
            return
        if not there and used:
            yield Result(
                "identity",
                "fail",
                f"there are homes, and {self.path} is gone: users would get other UIDs than "
                "their files",
                "restore it from the backup",
            )
            return
        if not there:
            yield Result("identity", "ok", "the registry will be made at the first login")
            return
        try:
            self.verify()
            users = sum(1 for entry in self.entries() if entry.kind == "user")
        except RegistryError as error:
            message, _, advice = str(error).partition(". ")
            yield Result("identity", "fail", message, advice or None)
            return
        yield Result("identity", "ok", f"the registry is whole ({users} UIDs given)")

    def _groups_of(self, username: str) -> dict[str, GroupPolicy]:
        return {
            name: policy
            for name, policy in self.policy.groups.items()
            if policy.members == EVERYONE or username in policy.members
        }

    def _add_user(self, database: sqlite3.Connection, username: str) -> Entry:
        number = self._next(database, "user", self.policy.first_uid)
        group_names = self.policy.groups
        for login in login_names(username):
            if login not in group_names and not _login_taken(database, login):
                return _add(database, number, "user", username, login)
        # Both are taken: the hub name was used and retired twice. The number is unique.
        return _add(database, number, "user", username, f"u{number}")

    def _group(self, database: sqlite3.Connection, name: str, policy: GroupPolicy) -> Entry:
        entry = _active(database, "group", name)
        if entry is not None and _as_configured(entry, policy):
            return entry
        if policy.gid is None:
            number = self._next(database, "group", self.policy.first_gid)
        else:
            number = self._configured(database, name, policy.gid)
        if entry is not None:
            _retire(database, entry)
        return _add(database, number, "group", name, None)

    def _configured(self, database: sqlite3.Connection, name: str, gid: int) -> int:
        refusal = posix_ids.refusal(gid)
        if refusal is not None:
            raise IdentityError(f"The group {name!r} cannot have the GID {gid}: {refusal}.")
        holder = _by_number(database, gid)
        if holder is not None:
            raise IdentityError(
                f"The group {name!r} cannot have the GID {gid}: {self.path} gave that number to "
                f"the {holder.kind} {holder.name!r}.",
                "Choose another gid in identity.groups.",
            )
        return gid

    def _next(self, database: sqlite3.Connection, kind: Kind, first: int) -> int:
        """The next number of a kind: above all given ones, and nobody else's."""
        last = database.execute(
            "SELECT MAX(id) FROM identities WHERE kind = ?", (kind,)
        ).fetchone()[0]
        fixed = {policy.gid for policy in self.policy.groups.values()}
        candidate = first if last is None or kind == "group" else max(first, int(last) + 1)
        while True:
            allowed = posix_ids.next_allowed(candidate)
            if allowed is None:
                raise IdentityError(
                    f"No {kind} number is left from {first} on.",
                    "Set identity.first_uid or identity.first_gid lower; allowed: "
                    f"{posix_ids.ALLOWED}.",
                )
            free = _by_number(database, allowed) is None and allowed not in fixed
            if free and not self._taken(allowed):
                return allowed
            candidate = allowed + 1

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._open()) as database:
                yield database
        except sqlite3.Error as error:
            raise RegistryError(self._explain(error)) from error
        except OSError as error:
            raise RegistryError(
                f"The registry of UIDs {self.path} cannot be opened: {error.strerror}. "
                "Check that its folder exists and that the hub's user may write there."
            ) from error

    def _open(self) -> sqlite3.Connection:
        new = not self.path.exists()
        if new:
            # Made here and not by SQLite, for the mode: who has which UID is nobody's business.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(self.path, timeout=self._patience, isolation_level=None)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        if _header(database) == (_APPLICATION, _VERSION):
            return
        with _writing(database):
            application, version = _header(database)  # another process may have been first
            if (application, version) == (_APPLICATION, _VERSION):
                return
            tables = database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            if application == _APPLICATION:
                raise RegistryError(
                    f"The registry of UIDs {self.path} was written by a newer version (its format "
                    f"is {version}, this version reads {_VERSION}). Update the platform."
                )
            if tables:
                raise RegistryError(
                    f"{self.path} is a database, but not a registry of UIDs. Move it away, and "
                    "restore the registry from the backup."
                )
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {_VERSION}")

    def _damaged(self, detail: str) -> str:
        return (
            f"The registry of UIDs {self.path} is damaged ({detail}). Stop the platform and "
            "restore the file from the backup; without it users would get other UIDs than their "
            "files have."
        )

    def _explain(self, error: sqlite3.Error) -> str:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return (
                f"The registry of UIDs {self.path} was locked by another process for "
                f"{self._patience:g} s. Try again; if it stays so, find who has it open."
            )
        if code == sqlite3.SQLITE_READONLY:
            return (
                f"The registry of UIDs {self.path} is read-only, and this user is new. Make the "
                "file and its folder writable for the hub's user."
            )
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            return (
                f"The registry of UIDs {self.path} cannot be written ({error}). Make space on "
                "its disk; nothing was lost."
            )
        if code == sqlite3.SQLITE_CANTOPEN:
            return (
                f"The registry of UIDs {self.path} cannot be opened. Check that its folder "
                "exists and that the hub's user may write there."
            )
        return self._damaged(str(error))


_SELECT = "SELECT id, kind, name, COALESCE(login, ''), created, retired FROM identities"


def _refuse_name(username: str) -> None:
    if not username:
        raise IdentityError("The user has no name.", "Log in with one.")
    if len(username) > 255:
        raise IdentityError("The user name is longer than 255 characters.", "Choose a shorter one.")
    try:
        username.encode()
    except UnicodeEncodeError:
        raise IdentityError("The user name is not Unicode text.", "Choose another one.") from None
    if "\0" in username:
        raise IdentityError("The user name holds a NUL character.", "Choose another one.")


def _as_configured(entry: Entry | None, policy: GroupPolicy) -> bool:
    return entry is not None and policy.gid in {None, entry.id}


def _header(database: sqlite3.Connection) -> tuple[int, int]:
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    return int(application), int(version)


@contextmanager
def _writing(database: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its first statement on."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # SQLite ends it by itself when a disk is full
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _row(cursor: sqlite3.Cursor) -> Entry | None:
    row = cursor.fetchone()
    return None if row is None else Entry(*row)


def _active(database: sqlite3.Connection, kind: Kind, name: str) -> Entry | None:
    where = "kind = ? AND name = ? AND retired IS NULL"
    return _row(database.execute(f"{_SELECT} WHERE {where}", (kind, name)))


def _by_number(database: sqlite3.Connection, number: int) -> Entry | None:
    return _row(database.execute(f"{_SELECT} WHERE id = ?", (number,)))


def _login_taken(database: sqlite3.Connection, login: str) -> bool:
    found = database.execute("SELECT 1 FROM identities WHERE login = ?", (login,)).fetchone()
    return found is not None


def _add(
    database: sqlite3.Connection, number: int, kind: Kind, name: str, login: str | None
) -> Entry:
    created = _now()
    database.execute(
        "INSERT INTO identities (id, kind, name, login, created) VALUES (?, ?, ?, ?, ?)",
        (number, kind, name, login, created),
    )
    return Entry(number, kind, name, login or "", created, None)


def _retire(database: sqlite3.Connection, entry: Entry) -> None:
    database.execute("UPDATE identities SET retired = ? WHERE id = ?", (_now(), entry.id))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
