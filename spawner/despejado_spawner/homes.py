"""Home folders: made when absent, refused when not safe, never touched inside."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from despejado_spawner.errors import HomeError
from despejado_spawner.models import Identity

HOME_MODE = 0o700


@dataclass(frozen=True)
class HomeReport:
    """What was done: ``created``, and what an administrator should know."""

    created: bool
    warnings: tuple[str, ...] = ()


def ensure_home(home: Path, identity: Identity) -> HomeReport:
    """A home folder that belongs to the identity, created with mode 0700 if absent.

    Only the folder itself is made or given away, never what is in it; its parent must exist. As
    an ordinary user only the own user's home can be made.

    Raises
    ------
    HomeError
        For a missing parent, a symbolic link, anything that is no folder, a folder of somebody
        else with files in it, and for refusals of the file system.
    """
    try:
        # O_PATH is Linux's: it needs no right to list the parent
        parent = os.open(home.parent, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
    except OSError as error:
        raise HomeError(
            f"The home folder {home} cannot be made: its parent folder is not there "
            f"({error.strerror}).",
            f"Ask the administrator to mount or create {home.parent}.",
        ) from error
    try:
        return _ensure_in(parent, home, identity)
    except OSError as error:
        raise HomeError(
            f"The home folder {home} cannot be prepared: {error.strerror}.",
            "Ask the administrator to check its ownership and the disk.",
        ) from error
    finally:
        os.close(parent)


def _ensure_in(parent: int, home: Path, identity: Identity) -> HomeReport:
    """All steps go through folder descriptors: a name that is swapped meanwhile is not followed."""
    try:
        os.mkdir(home.name, HOME_MODE, dir_fd=parent)
        created = True
    except FileExistsError:
        created = False
    found = os.stat(home.name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        raise HomeError(
            f"The home folder {home} is a symbolic link. Homes must be folders.",
            "Ask the administrator to replace the link by the folder that it points to.",
        )
    if not stat.S_ISDIR(found.st_mode):
        raise HomeError(f"The home folder {home} is not a folder.", "Ask the administrator.")
    folder = os.open(home.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        return _ensure_owner(folder, home, identity, created=created)
    finally:
        os.close(folder)


def _ensure_owner(folder: int, home: Path, identity: Identity, *, created: bool) -> HomeReport:
    found = os.fstat(folder)
    if created:
        os.fchmod(folder, HOME_MODE)
        if (found.st_uid, found.st_gid) != (identity.uid, identity.gid):
            os.fchown(folder, identity.uid, identity.gid)
        return HomeReport(created=True)
    if found.st_uid == identity.uid:
        mode = stat.S_IMODE(found.st_mode)
        if mode == HOME_MODE:
            return HomeReport(created=False)
        return HomeReport(False, (f"{home} has mode {mode:04o}, not {HOME_MODE:04o}",))
    if os.listdir(folder):
        raise HomeError(
            f"The home folder {home} belongs to UID {found.st_uid}, not to "
            f"{identity.username!r} (UID {identity.uid}), and is not empty. Nothing was changed.",
            "Ask the administrator to check whose files these are.",
        )
    os.fchown(folder, identity.uid, identity.gid)
    os.fchmod(folder, HOME_MODE)
    return HomeReport(False, (f"{home} was empty and belonged to UID {found.st_uid}",))
