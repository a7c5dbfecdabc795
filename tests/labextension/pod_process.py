"""The launcher as a pod runs it: another UID without capabilities, a root that cannot be written.

Made with a mount namespace of its own, so that nothing of it is seen or left on the machine. The
kubelet's places are there: /tmp, /dev/termination-log, /scratch, and a home as the test wants it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from tests.labextension.lab_process import HubStandIn, Log

UID, GROUP = 5001, 6001
HOME, SCRATCH = "/home/rachel", "/srv/scratch"
ROOM = Path(__file__).parents[2]
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx")

# How the home comes to be, as commands of a shell.
HOMES = {
    "good": f"mount -t tmpfs -o mode=0700,uid={UID},gid={UID} home {HOME}",
    "full": f"mount -t tmpfs -o size=64k,mode=0700,uid={UID},gid={UID} home {HOME}",
    "of root": f"mount -t tmpfs -o mode=0755 home {HOME}",
    "read-only": f"mount -t tmpfs -o mode=0700,uid={UID},ro home {HOME}",
    "missing": f"rmdir {HOME}",
    "with folders of root": (
        f"mount -t tmpfs -o mode=0700,uid={UID},gid={UID} home {HOME}"
        f" && mkdir -m 0700 {HOME}/.local {HOME}/.jupyter {HOME}/.ipython"
    ),
}


@dataclass(frozen=True)
class Pod:
    """A running launcher; ``termination_log`` is the file behind /dev/termination-log."""

    process: subprocess.Popen[str]
    log: Log
    termination_log: Path

    def last_words(self) -> str:
        """What the kubelet would read after the end."""
        self.process.wait(timeout=120)
        return self.termination_log.read_text()


def environment(hub: HubStandIn, port: int) -> dict[str, str]:
    """The variables of a pod's container."""
    return {
        "HOME": HOME,
        "USER": "rachel",
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/user/rachel/",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/rachel/",
        "JUPYTERHUB_ROOT_DIR": HOME,
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-rachel",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/rachel/oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=rachel/"]',
        "JUPYTERHUB_ACTIVITY_URL": f"{hub.url}/hub/api/users/rachel/activity",
        "DESPEJADO_EARLY_SOCKET": "1",
        **hub.environ(),
    }


@contextmanager
def pod(folder: Path, variables: Mapping[str, str], home: str = "good") -> Iterator[Pod]:
    """Run the launcher with one of ``HOMES``; ended at the end."""
    log = folder / "termination-log"
    log.touch()
    log.chmod(0o666)  # as the kubelet makes it
    script = _script(log, HOMES[home])
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script],
        cwd="/",
        env=dict(variables),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Pod(process, Log(process), log)
    finally:
        process.kill()
        process.wait()


def _script(log: Path, home: str) -> str:
    """Mounts, then the launcher in place of the shell."""
    lines = [
        "mount -t tmpfs stage /mnt",
        "mkdir /mnt/dev /mnt/dev/pts /mnt/dev/shm",
        f"touch {' '.join(f'/mnt/dev/{name}' for name in (*DEVICES, 'termination-log'))}",
        *(f"mount --bind /dev/{name} /mnt/dev/{name}" for name in (*DEVICES, "pts", "shm")),
        f"mount --bind {quote(str(log))} /mnt/dev/termination-log",
        *_open_to_others(),
        "mount --rbind /mnt/dev /dev",
        "mount -t tmpfs -o mode=1777 tmp /tmp",
        "mount -t tmpfs -o mode=1777 var /var/tmp",
        "mount -t tmpfs home /home",
        f"mkdir {HOME}",
        home,
        "mount -t tmpfs srv /srv",
        f"mkdir -m 1777 {SCRATCH}",
        "mount -o remount,bind,ro /",
        "mount -o remount,bind,ro /var/tmp",
        f"exec setpriv --reuid {UID} --regid {UID} --groups {UID},{GROUP} --no-new-privs"
        " --bounding-set=-all --inh-caps=-all"
        f" {quote(sys.executable)} -I -m despejado_lab.launch",
    ]
    return "\n".join(lines)


def _open_to_others() -> Iterator[str]:
    """Commands that let another UID reach Python and this checkout, wherever they are."""
    closed: dict[Path, list[Path]] = {}
    for path in (Path(sys.base_prefix), Path(sys.prefix), ROOM):
        for above in reversed(path.parents):
            if not above.stat().st_mode & 0o001:
                closed.setdefault(above, []).append(path)
                break
    for number, (above, paths) in enumerate(closed.items()):
        for place, path in enumerate(paths):
            yield f"mkdir /mnt/{number}-{place}"
            yield f"mount --bind {quote(str(path))} /mnt/{number}-{place}"
        yield f"mount -t tmpfs open {quote(str(above))}"
        for place, path in enumerate(paths):
            yield f"mkdir -p {quote(str(path))}"
            yield f"mount --bind /mnt/{number}-{place} {quote(str(path))}"
