"""The images that the cluster itself needs, and Debian as a base for the builds of others."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.harness import registry
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import cache_folder
from tests.cluster.harness.programs import Built
from tests.cluster.harness.registry import Image, Link
from tests.cluster.harness.say import say

BASE = "docker.io/library/debian:trixie-slim"
# As Debian's own slim images: no manuals, no translations.
_SLIM = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
)


def push_own(address: str, built: Built) -> None:
    """The images that pods of the cluster itself need: pause, busybox, coredns."""
    wanted: dict[tuple[str, str], Callable[[Built], Image]] = {
        ("library/pause", "1"): pause,
        ("library/busybox", "latest"): busybox,
        ("coredns/coredns", "latest"): coredns,
    }
    for (name, tag), make in wanted.items():
        if not registry.has(address, name, tag):
            registry.push(address, name, tag, make(built))


def pause(built: Built) -> Image:
    program = Path(built["pause"]).read_bytes()
    return Image({"/pause": program}, entrypoint=("/pause",), user="65535:65535")


def coredns(built: Built) -> Image:
    return Image({"/coredns": Path(built["coredns"]).read_bytes()}, entrypoint=("/coredns",))


def busybox(_: Built | None = None) -> Image:
    """Debian's static busybox with a link for each of its tools; runs as any user."""
    program = Path("/bin/busybox")
    if not program.exists():
        raise HarnessError(f"{program} is missing; install Debian's busybox-static")
    tools = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    files: dict[str, bytes | Link] = {
        f"/bin/{name}": Link("busybox") for name in tools.stdout.split()
    }
    files["/bin/busybox"] = program.read_bytes()
    return Image(files, command=("sh",))


def import_base() -> str:
    """Make Debian's slim image known to buildah under its usual name; returns that name.

    Nothing can be pulled from Docker Hub on machines that run the tests, but Debian's packages can.
    """
    if _buildah_has(BASE):
        return BASE
    tar = _base_tar()
    with tempfile.TemporaryDirectory() as folder:
        # A tar given as a build's only context is unpacked: ADD needs it as a file inside one.
        shutil.copyfile(tar, Path(folder) / "debian.tar")
        containerfile = Path(folder) / "Containerfile"
        containerfile.write_text('FROM scratch\nADD debian.tar /\nCMD ["bash"]\n')
        command = ["buildah", "bud", "--isolation", "chroot", "--quiet", "--timestamp", "0"]
        _run([*command, "--tag", BASE, "--file", str(containerfile), folder])
    return BASE


def _base_tar() -> Path:
    tar = cache_folder() / f"debian-trixie-slim-{platform.machine()}.tar"
    if tar.exists():
        return tar
    say("Making Debian's slim base image from its packages (once; 30 s)")
    tar.parent.mkdir(parents=True, exist_ok=True)
    options = [f"--dpkgopt={option}" for option in _SLIM]
    with tempfile.TemporaryDirectory(dir=tar.parent) as folder:
        made = Path(folder) / "base.tar"
        _run(["mmdebstrap", "--quiet", "--variant=minbase", *options, "trixie", str(made)])
        made.replace(tar)
    return tar


def _buildah_has(name: str) -> bool:
    found = subprocess.run(
        ["buildah", "images", "--quiet", name], capture_output=True, text=True, check=False
    )
    return found.returncode == 0 and bool(found.stdout.strip())


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise HarnessError(f"{' '.join(command)} failed:\n{result.stderr.strip()[-2000:]}")
