"""A cgroup for all pods of the cluster: an own kubelet of the machine never sees them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.cluster.harness.components import until
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import NAME


def roots(mounts: str) -> dict[str, Path]:
    """The mounted cgroup hierarchies, by version ("1" for each of v1, "2"). Pure but for paths."""
    found: dict[str, Path] = {}
    for line in mounts.splitlines():
        _, target, kind, options, *_ = line.split()
        if kind == "cgroup":
            found.setdefault(f"1 {options}", Path(target))
        elif kind == "cgroup2":
            found.setdefault("2", Path(target))
    return found


def make() -> None:
    """Make the cgroup in each hierarchy; the kubelet demands that it is there."""
    hierarchies = _mounted()
    first = [hierarchy for version, hierarchy in hierarchies.items() if version != "2"]
    if not first:
        _make_second(hierarchies["2"])
        return
    for hierarchy in hierarchies.values():
        folder = hierarchy / NAME
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            # In v1 a new cpuset is empty, and nothing can run in it.
            if (folder / name).exists() and not (folder / name).read_text().strip():
                (folder / name).write_text((hierarchy / name).read_text())


def _make_second(root: Path) -> None:
    folder = root / NAME
    wanted = " ".join(f"+{it}" for it in (root / "cgroup.controllers").read_text().split())
    try:
        (root / "cgroup.subtree_control").write_text(wanted)
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.subtree_control").write_text(wanted)
    except OSError as error:
        raise HarnessError(
            f"cgroup controllers cannot be given to pods below {root} ({error}); in a container, "
            "run it privileged and with --cgroupns=host"
        ) from error


def members() -> set[int]:
    """All processes of pods."""
    found: set[int] = set()
    for hierarchy in _mounted().values():
        for path in (hierarchy / NAME).rglob("cgroup.procs"):
            try:
                found |= {int(line) for line in path.read_text().split()}
            except OSError:
                continue  # It went away meanwhile, and its processes with it.
    return found


def kill_members(seconds: float = 20.0) -> None:
    def none_left() -> bool:
        left = members()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not left

    if not until(none_left, seconds, 0.1):
        raise HarnessError(f"processes of pods do not end: {sorted(members())}")


def remove() -> None:
    """Remove the cgroup everywhere, from the leaves up."""
    for hierarchy in _mounted().values():
        top = hierarchy / NAME
        if not top.exists():
            continue
        folders = [path for path in top.rglob("*") if path.is_dir()]
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            folder.rmdir()
        top.rmdir()


def _mounted() -> dict[str, Path]:
    found = roots(Path("/proc/mounts").read_text())
    if not found:
        raise HarnessError("no cgroup file system is mounted, and pods cannot be without")
    return found
