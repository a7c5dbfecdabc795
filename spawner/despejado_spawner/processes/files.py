"""Writing a lab's runtime folder.

The folder belongs to the lab's user, and the writer may be root, so it is made afresh beside its
place by names that only the writer controls, given away when it is complete, and renamed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from despejado_spawner.errors import LabFolderError
from despejado_spawner.models import LabFile

TRAVERSABLE = 0o711
FOLDER_MODE = 0o500
_OLD = ".old-"


@contextlib.contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """What the file system refuses in a lab's folder as ``LabFolderError``."""
    try:
        yield
    except OSError as error:
        raise LabFolderError(
            f"The files of your lab could not be written ({error.strerror or error}). Nothing of "
            "yours was touched.",
            "Tell the administrator, who should check the disk and the permissions of "
            f"{folder}; then start again.",
        ) from error


def make_lab_folder(labs: Path, user: str, server: str) -> Path:
    """``labs/<user>/<server>``, owned by whoever runs the spawner, traversable by the lab."""
    folder = labs / user / server
    with storage_errors(folder):
        for path in (labs, labs / user, folder):
            try:
                path.mkdir(parents=path == labs)
            except FileExistsError:
                continue
            path.chmod(TRAVERSABLE)  # whatever the umask is
    return folder


def write_runtime(runtime: Path, files: Iterable[LabFile], uid: int, gid: int) -> None:
    """Replace the runtime folder by one with these files, owned by ``uid`` and ``gid``.

    Each ``LabFile.path`` must be below ``runtime``. Ownership is only changed as root. Raises
    ``LabFolderError`` for what the file system refuses; nothing half-made stays.
    """
    with storage_errors(runtime.parent):
        _write_runtime(runtime, files, uid, gid)


def _write_runtime(runtime: Path, files: Iterable[LabFile], uid: int, gid: int) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=".runtime-", dir=runtime.parent))
    try:
        for file in files:
            target = fresh / file.path.relative_to(runtime)
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(file.content)
                os.fchmod(stream.fileno(), file.mode)
        _give_away(fresh, uid, gid)
        remove_runtime(runtime)
        fresh.rename(runtime)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def remove_runtime(runtime: Path) -> None:
    """Remove a runtime folder (its secrets with it), if there is one."""
    if runtime.is_symlink():
        runtime.unlink()
    if runtime.exists():
        # Nothing is made for this: a full disk must not keep a lab from ending.
        runtime.rename(runtime.with_name(f"{_OLD}{secrets.token_hex(8)}"))
    for old in runtime.parent.glob(f"{_OLD}*"):  # also what a hub that was killed here left
        _remove(old)


def _remove(old: Path) -> None:
    # Read-only folders cannot be emptied by ordinary users. By descriptor: the folders belong to
    # the lab's user, and what the lab left running may put links in their place meanwhile.
    for _, _, _, folder in os.fwalk(old):
        os.fchmod(folder, 0o700)
    shutil.rmtree(old)


def _give_away(folder: Path, uid: int, gid: int) -> None:
    """Leaves first, the top last: nothing is entered that has been given away."""
    as_root = os.geteuid() == 0
    for path, folders, names in os.walk(folder, topdown=False):
        for name in names:
            if as_root:
                os.chown(Path(path) / name, uid, gid, follow_symlinks=False)
        for name in folders:
            _hand_over(Path(path) / name, uid, gid, as_root=as_root)
    _hand_over(folder, uid, gid, as_root=as_root)


def _hand_over(folder: Path, uid: int, gid: int, *, as_root: bool) -> None:
    if as_root:
        os.chown(folder, uid, gid, follow_symlinks=False)
    folder.chmod(FOLDER_MODE)
