"""What the machine must have, and the Debian packages that bring it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.processes import PATH
from tests.cluster.harness.say import say

PACKAGES = {
    "buildah": ("buildah",),
    "busybox-static": ("/bin/busybox",),
    "conntrack": ("conntrack",),
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "containernetworking-plugins": ("/usr/lib/cni/ptp",),
    "docker-registry": ("docker-registry",),
    "iproute2": ("ip",),
    "mmdebstrap": ("mmdebstrap",),
    "mount": ("mount", "umount"),
    "nftables": ("nft",),
    "openssl": ("openssl",),
    "runc": ("runc",),
}
"""Debian packages, each with the programs by which one sees that it is there."""

_DAEMONS = ("containerd", "docker-registry")
_NO_START = Path("/usr/sbin/policy-rc.d")


def prepare() -> None:
    """Check what the machine can do and install what is missing; raises HarnessError."""
    if os.geteuid() != 0:
        raise HarnessError(
            "the cluster needs root (network namespaces, mounts, cgroups): run `sudo make "
            "cluster`, or set KUBECONFIG to a cluster that you have (kind, k3s)"
        )
    if "overlay" not in Path("/proc/filesystems").read_text():
        subprocess.run(["modprobe", "overlay"], check=False, capture_output=True)
        if "overlay" not in Path("/proc/filesystems").read_text():
            raise HarnessError("the kernel has no overlay file system, on which containerd stands")
    missing = missing_packages()
    if missing:
        _install(missing)
        missing = missing_packages()
        if missing:
            raise HarnessError(f"still missing after the installation: {', '.join(missing)}")


def missing_packages() -> list[str]:
    return [
        package
        for package, programs in PACKAGES.items()
        if not all(_there(program) for program in programs)
    ]


def _there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=PATH) is not None


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get", path=PATH) is None:
        raise HarnessError(
            f"not installed: {', '.join(packages)} (names of Debian's packages; this system has no "
            "apt-get, so install what brings them here)"
        )
    say(f"Installing Debian packages: {' '.join(packages)} (about a minute)")
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "PATH": PATH}
    quiet = not _NO_START.exists()
    if quiet:
        # Debian starts the daemons of packages that it installs; ours are started by us.
        _NO_START.write_text("#!/bin/sh\nexit 101\n")
        _NO_START.chmod(0o755)
    try:
        install = [*apt, "install", "--no-install-recommends", *packages]
        for command in ([*apt, "update"], install):
            result = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            if result.returncode != 0:
                raise HarnessError(f"{' '.join(command)} failed:\n{result.stderr.strip()[-2000:]}")
    finally:
        if quiet:
            _NO_START.unlink()
    if Path("/run/systemd/system").exists():
        for daemon in set(_DAEMONS) & set(packages):
            subprocess.run(["systemctl", "disable", daemon], check=False, capture_output=True)
