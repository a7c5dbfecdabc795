"""Copies a tutorial into the user's home; never over something without being told to."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from despejado_lab.errors import (
    BadRequest,
    DiskFull,
    LabError,
    NotWritable,
    PathRefused,
    StorageFailed,
    TutorialExists,
    TutorialMissing,
)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


@dataclass(frozen=True)
class Copied:
    """``path`` and ``backup`` are relative to the server's root, as JupyterLab wants them."""

    path: str
    backup: str | None


def checked_path(path: str) -> PurePosixPath:
    """A path inside the tutorials; BadRequest or PathRefused for anything else."""
    if not path or "\0" in path or "\\" in path:
        raise BadRequest("'path' should be the path of a tutorial, as the list of tutorials says.")
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise PathRefused(f"{path!r} leads out of the tutorials. Take a path from their list.")
    if pure.suffix != ".ipynb" or any(part.startswith(".") for part in pure.parts):
        raise TutorialMissing(f"There is no tutorial {path!r}.")
    return pure


def find_source(tutorials: Path, path: PurePosixPath) -> Path:
    """The notebook in the tutorials; links out of them are refused."""
    source = (tutorials / path).resolve()
    if not source.is_relative_to(tutorials.resolve()):
        raise PathRefused(f"{str(path)!r} is a link out of the tutorials and is not copied.")
    if not source.is_file():
        raise TutorialMissing(f"There is no tutorial {str(path)!r}. The list may have changed.")
    return source


def find_target(root: Path, folder: PurePosixPath, path: PurePosixPath) -> Path:
    """Where the copy goes; no part of the way may be a link out of the server's root."""
    target = root / folder / path
    resolved_root = root.resolve()
    if not target.parent.resolve().is_relative_to(resolved_root):
        raise PathRefused(
            f"{(folder / path).parent} leads out of {root} through a link. "
            "Rename the link, then try again; nothing was copied."
        )
    return target


def copy_tutorial(
    tutorials: Path, root: Path, folder: PurePosixPath, path: str, *, overwrite: bool
) -> Copied:
    """Copy the tutorial ``path`` to ``root/folder/path``. Blocking.

    With ``overwrite`` an existing file is kept beside it under a numbered name. The new file
    appears whole or not at all. Raises TutorialExists (with path, size and time of the file that
    is there), PathRefused, TutorialMissing, BadRequest, DiskFull, NotWritable or StorageFailed.
    """
    relative = checked_path(path)
    source = find_source(tutorials, relative)
    target = find_target(root, folder, relative)
    shown = (folder / relative).as_posix()
    with _storage_errors(shown):
        if not overwrite and os.path.lexists(target):
            raise _exists(target, shown)
        content = source.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        with _written_beside(target, content) as fresh:
            if overwrite and os.path.lexists(target):
                backup = _keep(target)
                fresh.replace(target)
                return Copied(shown, (folder / relative).with_name(backup.name).as_posix())
            try:
                _publish(fresh, target)
            except FileExistsError as error:
                raise _exists(target, shown) from error
    return Copied(shown, None)


def _exists(target: Path, shown: str) -> TutorialExists:
    state = target.lstat()
    return TutorialExists(
        f"You already have {shown}.",
        details={"path": shown, "size": state.st_size, "modified": state.st_mtime},
    )


@contextlib.contextmanager
def _written_beside(target: Path, content: bytes) -> Iterator[Path]:
    """A complete file in the target's folder, gone at the end unless it was moved."""
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        # Mode 0666 less the umask, as for every file that a user makes.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _publish(fresh: Path, target: Path) -> None:
    """Give a complete file its name, in one step; FileExistsError if the name is taken."""
    try:
        target.hardlink_to(fresh)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        # A file system without hard links: reserve the name, then move the file over it.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        fresh.replace(target)


def _keep(target: Path) -> Path:
    """Give the user's file a second, numbered name; the first is then free to be replaced."""
    for number in itertools.count(1):
        backup = target.with_name(f"{target.stem}.backup-{number}{target.suffix}")
        try:
            os.link(target, backup, follow_symlinks=False)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in NO_HARD_LINKS or target.is_dir():
                raise
            if os.path.lexists(backup):
                continue
            target.rename(backup)
        return backup
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _storage_errors(shown: str) -> Iterator[None]:
    """The file system's answers in words."""
    try:
        yield
    except LabError:
        raise
    except OSError as error:
        said = error.strerror or str(error)
        details = {"path": shown, "error": said}
        if error.errno in FULL:
            raise DiskFull(
                f"{shown} was not written, because there is no space left ({said}). Delete what "
                "you no longer need, then try again. Your files are as they were.",
                details=details,
            ) from error
        if error.errno in NOT_WRITABLE:
            raise NotWritable(
                f"{shown} was not written, because the folder or file may not be changed ({said}).",
                details=details,
            ) from error
        raise StorageFailed(f"{shown} was not written: {said}.", details=details) from error
