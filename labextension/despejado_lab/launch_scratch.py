"""Scratch space of a lab, where the platform names some (lab contract, section 11).

``DESPEJADO_SCRATCH`` is a folder that all labs share. The user's own folder in it becomes
``SCRATCH_DIR``; temporary files and the Butler's cache go there. A folder is used only if it is
the user's own: others can write to the shared one as well.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import MutableMapping
from pathlib import Path, PurePosixPath

VARIABLE = "DESPEJADO_SCRATCH"
_PRIVATE = 0o700
_OTHERS = 0o077
_CACHE = "butler_cache"


def prepare_scratch(environment: MutableMapping[str, str]) -> list[str]:
    """Set ``SCRATCH_DIR``, ``TMPDIR`` and ``DAF_BUTLER_CACHE_DIRECTORY``; returns log lines.

    Variables that are set already stay. Without usable scratch the Butler's cache is a folder
    for temporary files, so that all kernels of the lab share it there.
    """
    named, user = environment.get(VARIABLE, ""), environment.get("USER", "")
    if not named or not user:
        return []
    own = Path(named) / layout(user, environment.get("HOME", ""))
    try:
        own_folder(own)
        temporary = own_folder(own / "tmp", private=True)
        cache = own_folder(own / _CACHE, private=True)
    except OSError as error:
        return [f"Scratch space {own} is not used: {error.strerror}.", *_without(environment)]
    environment.setdefault("SCRATCH_DIR", str(own))
    environment.setdefault("TMPDIR", str(temporary))
    environment.setdefault("DAF_BUTLER_CACHE_DIRECTORY", str(cache))
    return []


def layout(user: str, home: str) -> PurePosixPath:
    """The user's folder below the scratch folder.

    It follows the layout of homes: ``r/rachel`` or ``rachel``.
    """
    last = PurePosixPath(home).parts[-2:]
    return PurePosixPath(*last) if last == (user[0], user) else PurePosixPath(user)


def own_folder(path: Path, *, private: bool = False) -> Path:
    """Make a folder that only its owner may enter, if it is not there; one level only.

    Parameters
    ----------
    path
        The folder.
    private
        Whether one that is there already loses the rights of others.

    Raises
    ------
    OSError
        If it cannot be made, belongs to somebody else, or cannot be written.
    """
    try:
        path.mkdir(mode=_PRIVATE)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise _error(errno.ENOTDIR, path) from None
        if found.st_uid != os.geteuid():
            raise OSError(errno.EPERM, "it belongs to somebody else", str(path)) from None
        if private and found.st_mode & _OTHERS:
            path.chmod(_PRIVATE)
    if not os.access(path, os.W_OK | os.X_OK):
        raise _error(errno.EACCES, path)
    return path


def _without(environment: MutableMapping[str, str]) -> list[str]:
    if "DAF_BUTLER_CACHE_DIRECTORY" in environment:
        return []
    folder = Path(environment.get("TMPDIR") or "/tmp") / _CACHE  # noqa: S108 (checked below)
    try:
        own_folder(folder, private=True)
    except OSError as error:
        return [f"The Butler makes a cache for each kernel: {folder}: {error.strerror}."]
    environment["DAF_BUTLER_CACHE_DIRECTORY"] = str(folder)
    return []


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
