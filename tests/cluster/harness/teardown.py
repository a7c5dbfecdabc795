"""Taking the cluster down: ends what was started, undoes what was changed, leaves the cache."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

from tests.cluster.harness import cgroups, network, processes
from tests.cluster.harness.components import until
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import NAME, Layout
from tests.cluster.harness.settings import Settings, boot_id, check_place, load

_LAST = ("kwok", "local-path", "kubelet", "controller-manager", "scheduler")
"""These would start pods or processes anew, so they end first."""


def tear_down(layout: Layout) -> bool:
    """Remove the cluster; False when there was none."""
    settings = load(layout.settings)
    if settings is None and not layout.root.exists() and not layout.run.exists():
        return False
    if settings is not None:
        check_place(settings)
    names = [path.stem for path in layout.records.glob("*.json")]
    for name in sorted(names, key=lambda name: name not in _LAST):
        if name != "containerd":
            _end(layout, name)
    sockets = _shim_sockets(layout)
    _end(layout, "containerd")
    cgroups.kill_members()
    _end_shims(layout)
    unmount(layout)
    if not until(_cgroups_removed, 10.0, 0.1):
        raise HarnessError(f"cgroups named {NAME} cannot be removed; is a process left in them?")
    if settings is not None and settings.boot == boot_id():
        network.restore(settings.before)
    _remove_outside(layout, settings, sockets)
    for folder in (layout.run, layout.root):
        if folder.exists():
            shutil.rmtree(folder)
    return True


def unmount(layout: Layout) -> None:
    """Unmount all below our folders, the latest first.

    Network namespaces of pods are mounts too: with the last holder their links and routes go.
    """
    for target in reversed(mounts_below(Path("/proc/self/mountinfo").read_text(), layout)):
        # Lazily: what holds a mount is about to go itself.
        result = subprocess.run(
            ["umount", "--lazy", target], capture_output=True, text=True, check=False
        )
        if result.returncode != 0 and "not mounted" not in result.stderr:
            raise HarnessError(f"cannot unmount {target}: {result.stderr.strip()}")
    left = mounts_below(Path("/proc/self/mountinfo").read_text(), layout)
    if left:
        # Removing the folders now would remove files of whatever is mounted there.
        raise HarnessError(f"still mounted: {', '.join(left)}; unmount it by hand and try again")


def mounts_below(mountinfo: str, layout: Layout) -> list[str]:
    """The targets below our folders, in the order in which they were mounted."""
    targets = [_unescape(line.split()[4]) for line in mountinfo.splitlines()]
    ours = (layout.root, layout.run)
    return [it for it in targets if any(Path(it).is_relative_to(folder) for folder in ours)]


def shims(layout: Layout) -> list[processes.Record]:
    """containerd's helpers of our pods, known by the socket that they report to."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        program = Path(arguments[0].decode(errors="replace")).name
        if program.startswith("containerd-shim") and _is_ours(arguments, layout):
            record = processes.find(int(folder.name))
            if record is not None:
                found.append(record)
    return found


def _is_ours(arguments: list[bytes], layout: Layout) -> bool:
    return str(layout.containerd_socket).encode() in arguments


def _end(layout: Layout, name: str) -> None:
    path = layout.records / f"{name}.json"
    record = processes.load(path)
    if record is not None:
        processes.end(record, patience=3.0)
    path.unlink(missing_ok=True)


def _end_shims(layout: Layout) -> None:
    def none_left() -> bool:
        left = shims(layout)
        for record in left:
            processes.send(record, signal.SIGKILL)
        return not left

    if not until(none_left, 20.0, 0.1):
        raise HarnessError("containerd's shims of our pods do not end")


def _shim_sockets(layout: Layout) -> list[Path]:
    """containerd puts them into a folder of its own choice, and each shim notes its own."""
    found = []
    for note in layout.containerd_state.glob("io.containerd.runtime.v2.task/*/*/address"):
        found.append(Path(note.read_text().strip().removeprefix("unix://")))
    return found


def _cgroups_removed() -> bool:
    try:
        cgroups.remove()
    except OSError:
        return False
    return True


def _remove_outside(layout: Layout, settings: Settings | None, sockets: list[Path]) -> None:
    """What the programs wrote into folders whose paths are fixed in them."""
    for socket in sockets:
        socket.unlink(missing_ok=True)
    for cached in Path("/var/lib/cni/results").glob(f"{NAME}-*-eth0"):
        pod = cached.name.removeprefix(f"{NAME}-").removesuffix("-eth0")
        cached.unlink()
        cached.with_name(f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and layout.pod_logs in link.readlink().parents:
            link.unlink()
    if settings is not None:
        for folder in network.FOREIGN_FOLDERS:
            if folder not in settings.before.folders and Path(folder).exists():
                shutil.rmtree(folder)


def _unescape(text: str) -> str:
    """proc(5): blanks and backslashes of a path are written as octal numbers."""
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\134", "\\")):
        text = text.replace(escaped, character)
    return text
