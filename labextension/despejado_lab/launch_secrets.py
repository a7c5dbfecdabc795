"""Secrets of a lab in a pod: files of mode 0400 that belong to the user, renewed while it runs.

A Secret that Kubernetes mounts belongs to root, and who is not root can read it only if everybody
can. So it is mounted aside (``mounted-secrets``), and the launcher keeps copies in ``secrets``, a
folder in memory. The kubelet replaces the mounted files when the Secret changes, by pointing the
link ``..data`` to another folder; there is no event for that which a thread could wait for without
a library, so the link is looked at every few seconds.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from despejado_lab.launch_end import LaunchError

RUNTIME_VARIABLE = "DESPEJADO_RUNTIME_DIR"
HUB_TOKEN = "hub-token"  # noqa: S105 (a file's name)
TOKEN_VARIABLE = "JUPYTERHUB_API_TOKEN"  # noqa: S105
_MODE = 0o400
_LOOK_SECONDS = 5.0


def runtime_folder(environment: Mapping[str, str]) -> Path | None:
    """The runtime folder of a lab whose secrets are mounted aside; None elsewhere."""
    name = environment.get(RUNTIME_VARIABLE, "")
    folder = Path(name) if name else None
    return folder if folder is not None and (folder / "mounted-secrets").is_dir() else None


def copy_secrets(runtime: Path) -> list[str]:
    """Bring ``secrets`` up to date with ``mounted-secrets``; returns the names of what changed.

    Each file is replaced as a whole, so that a reader sees the old or the new one. A secret that
    was taken away is gone here too.
    """
    target = runtime / "secrets"
    changed = []
    sources = [
        source
        for source in sorted((runtime / "mounted-secrets").iterdir())
        if not source.name.startswith("..") and source.is_file()
    ]
    for gone in {path.name for path in target.iterdir()} - {source.name for source in sources}:
        (target / gone).unlink(missing_ok=True)
        changed.append(gone)
    for source in sources:
        content = source.read_bytes()
        place = target / source.name
        if place.exists() and place.read_bytes() == content:
            continue
        _replace(place, content)
        changed.append(source.name)
    return changed


def take_hub_token(runtime: Path, environment: MutableMapping[str, str]) -> None:
    """Give the server its own token, which JupyterHub's code reads from the environment only."""
    for folder in ("secrets", "mounted-secrets"):
        with contextlib.suppress(OSError):
            token = (runtime / folder / HUB_TOKEN).read_text("utf-8").strip()
            if token:
                environment[TOKEN_VARIABLE] = token
                return


def prepare_secrets(environment: MutableMapping[str, str]) -> list[str]:
    """Copy a pod's secrets before anything needs them; returns lines for the log.

    Raises
    ------
    LaunchError
        If the server has no token of its own: nobody could log in to it.
    """
    runtime = runtime_folder(environment)
    if runtime is None:
        return []
    told = []
    try:
        copy_secrets(runtime)
    except OSError as error:
        told = [f"The lab's secrets cannot be copied: {error.strerror} ({error.filename})."]
    take_hub_token(runtime, environment)
    if not environment.get(TOKEN_VARIABLE):
        mounted = runtime / "mounted-secrets" / HUB_TOKEN
        raise LaunchError(
            f"The lab has no token of the hub: {mounted} cannot be read, and {TOKEN_VARIABLE} is "
            "not set. Start the lab again; if that happens again, tell the administrators."
        )
    return told


def keep_secrets(environment: Mapping[str, str], stop: threading.Event | None = None) -> None:
    """Renew the copies from now on, in a thread that does not hold up the server's end."""
    runtime = runtime_folder(environment)
    if runtime is None:
        return
    waiter = stop or threading.Event()
    thread = threading.Thread(target=_keep, args=(runtime, waiter), name="secrets", daemon=True)
    thread.start()


def _keep(runtime: Path, stop: threading.Event) -> None:
    link = runtime / "mounted-secrets" / "..data"
    seen = ""  # the secret may have changed since the copies of the start
    while not stop.wait(_LOOK_SECONDS):
        found = _target(link)
        if found == seen:
            continue
        try:
            copy_secrets(runtime)
        except OSError:
            continue  # between two versions: the next look finds the new one
        seen = found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _replace(place: Path, content: bytes) -> None:
    new = place.with_name(f".{place.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    new.replace(place)
