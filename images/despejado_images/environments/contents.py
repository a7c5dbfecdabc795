"""The files of an environment: what they occupy, and bytecode that others have already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_OTHERS_READ = 0o044
_OTHERS_PASS = 0o055


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes on disk: of all files, and of those that no other environment has."""

    total: int
    added: int


def site_packages(prefix: Path) -> Path:
    """The library folder of a virtual environment."""
    (found,) = sorted((prefix / "lib").glob("python3.*/site-packages"))[:1]
    return found


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    stack = [str(folder)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry


def measure(prefix: Path, others: Iterable[Path]) -> Size:
    """What an environment occupies; a file with several names counts once."""
    theirs = {entry.inode() for other in others for entry in _files(other)}
    seen: set[int] = set()
    total = added = 0
    for entry in _files(prefix):
        inode = entry.inode()
        if inode in seen:
            continue
        seen.add(inode)
        bytes_ = entry.stat(follow_symlinks=False).st_blocks * 512
        total += bytes_
        if inode not in theirs:
            added += bytes_
    return Size(total, added)


def open_to_others(prefix: Path) -> None:
    """Let every user read an environment, whatever the umask was when its files were unpacked."""
    prefix.chmod(0o755)
    stack = [str(prefix)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    continue
                mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
                wanted = mode | _OTHERS_READ
                if entry.is_dir(follow_symlinks=False):
                    wanted |= _OTHERS_PASS
                    stack.append(entry.path)
                elif mode & 0o100:
                    wanted |= 0o011
                if wanted != mode:
                    Path(entry.path).chmod(wanted)


def share_bytecode(site: Path, donors: Iterable[Path], cache_tag: str) -> int:
    """Link the bytecode of modules that are one file with a donor's; how many were linked.

    Two names of one file have one size and time, which is what Python compares, so the bytecode
    of the one is right for the other; the path inside it is corrected when it is loaded.
    """
    linked = 0
    ending = f".{cache_tag}.pyc"
    for donor in donors:
        for entry in _files(donor):
            if not entry.name.endswith(ending) or not entry.path.endswith(
                f"/__pycache__/{entry.name}"
            ):
                continue
            folder = Path(entry.path).parent.parent
            name = f"{entry.name.removesuffix(ending)}.py"
            here = site / folder.relative_to(donor)
            if not _one_file(folder / name, here / name):
                continue
            cache = here / "__pycache__"
            cache.mkdir(mode=0o755, exist_ok=True)
            target = cache / entry.name
            if not target.exists():
                os.link(entry.path, target)
                linked += 1
    return linked


def _one_file(one: Path, other: Path) -> bool:
    try:
        a, b = one.stat(), other.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (a.st_ino, a.st_dev) == (b.st_ino, b.st_dev)


def uncompiled(site: Path, cache_tag: str) -> int:
    """How many modules below a library folder have no bytecode yet."""
    names = [entry.path for entry in _files(site)]
    modules = sum(name.endswith(".py") for name in names)
    return modules - sum(name.endswith(f".{cache_tag}.pyc") for name in names)


def processes_in(folder: Path) -> list[int]:
    """Processes that were started from below a folder, as far as this user may see them."""
    needle = f"{folder}/"
    return [
        process.pid
        for process in psutil.process_iter()
        if any(needle in argument for argument in _command(process))
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        found: list[str] = process.cmdline()
    except psutil.Error:
        return []  # gone, or somebody else's
    return found
