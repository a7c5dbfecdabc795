"""The user's home at the start of a lab: reset when asked for, and a lab even when it is full.

All of it runs as the user. A home that cannot be written gives a lab in *degraded* mode: HOME is
a folder for this lab only, and ``ABNORMAL_STARTUP*`` tell the lab extension what to say.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

RESET_NAMES = (".cache", ".conda", ".config", ".eups", ".jupyter", ".local")
USER_SETUPS = Path("notebooks") / ".user_setups"
_TEST_BYTES = 2**20
_TRUSTED = "Do not trust this lab for work that you want to keep."
_FREE_SPACE = (
    "Delete old .user_env.* folders and large files that you no longer need, then stop and "
    "start your lab."
)
_ADVICE = {
    "EDQUOT": f"Your quota is used up. {_FREE_SPACE}",
    "ENOSPC": f"The file system is full. {_FREE_SPACE} If others fill it, tell the administrator.",
    "EROFS": "Your home folder is read-only. Ask the administrator to check it.",
    "EACCES": "You may not write to your home folder. Ask the administrator to check its owner.",
    "EBADENV": "The platform did not say where your home folder is. Report this.",
}


@dataclass(frozen=True)
class Trouble:
    """Why the home cannot be used: the error's number, name and text, and advice."""

    number: int
    code: str
    text: str

    @property
    def message(self) -> str:
        advice = _ADVICE.get(
            self.code, f"Report error {self.number} ({self.text}) to the administrator."
        )
        return f"{advice} {_TRUSTED}"


def prepare_home(environment: MutableMapping[str, str]) -> list[str]:
    """Reset the environment if asked for, check the home, and change HOME if it cannot be used.

    The user's Jupyter configuration is set aside for this start if it would end the server.
    Changes ``environment`` (HOME, ``ABNORMAL_STARTUP*``; ``RESET_USER_ENV`` is taken out, so that
    it happens once) and returns lines for the log.
    """
    told: list[str] = []
    name = environment.get("HOME", "")
    if name and environment.pop("RESET_USER_ENV", ""):
        told += _reset_and_tell(Path(name))
    trouble = check_home(Path(name)) if name else Trouble(0, "EBADENV", "HOME is not set")
    if trouble is None:
        if broken := broken_settings(Path(name)):
            environment["JUPYTERHUB_DISABLE_USER_CONFIG"] = "1"
            told.append(f"Your Jupyter configuration is not used: {broken[0]} is no JSON.")
        return told
    emergency = tempfile.mkdtemp(prefix="despejado-home-")
    changed = {
        "HOME": emergency,
        "JUPYTERHUB_ROOT_DIR": emergency,
        "ABNORMAL_STARTUP": "TRUE",
        "ABNORMAL_STARTUP_ERRNO": str(trouble.number),
        "ABNORMAL_STARTUP_STRERROR": trouble.text,
        "ABNORMAL_STARTUP_ERRORCODE": trouble.code,
        "ABNORMAL_STARTUP_MESSAGE": trouble.message,
    }
    environment.update(changed)
    return [*told, f"The home folder cannot be used ({trouble.text}); HOME is {emergency}."]


def broken_settings(home: Path) -> list[Path]:
    """Jupyter's JSON files of the user that are no JSON: one of them would end the server."""
    folder = home / ".jupyter"
    files = [
        *folder.glob("*.json"),
        *folder.glob("*.d/*.json"),
        *folder.glob("labconfig/*.json"),
    ]
    return [file for file in files if not _is_json(file)]


def check_home(home: Path) -> Trouble | None:
    """Whether a megabyte can be written; caches are removed before giving up."""
    trouble = _write_test(home)
    if trouble is None or trouble.code not in ("EDQUOT", "ENOSPC"):
        return trouble
    for cache in (home / ".cache", home / ".astropy" / "cache"):
        if not cache.is_symlink():
            shutil.rmtree(cache, ignore_errors=True)
    return _write_test(home)


def reset_environment(home: Path, now: datetime | None = None) -> Path | None:
    """Move what configures the user's software to ``.user_env.<UTC time>``; None if nothing is.

    Leading dots are removed (``.local`` becomes ``.user_env.…/local``). Nothing is deleted, and
    a second reset within a second gets a folder of its own.
    """
    moves = [(home / name, Path(name.lstrip("."))) for name in RESET_NAMES]
    moves.append((home / USER_SETUPS, USER_SETUPS.parent / USER_SETUPS.name.lstrip(".")))
    moves = [(source, target) for source, target in moves if os.path.lexists(source)]
    if not moves:
        return None
    aside = _new_folder(home, (now or datetime.now(UTC)).strftime("%Y%m%d%H%M%S"))
    for source, target in moves:
        (aside / target).parent.mkdir(parents=True, exist_ok=True)
        source.rename(aside / target)
    return aside


def _new_folder(home: Path, stamp: str) -> Path:
    count = 0
    while True:
        folder = home / (f".user_env.{stamp}" if count == 0 else f".user_env.{stamp}-{count}")
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            count += 1
        else:
            return folder


def _reset_and_tell(home: Path) -> list[str]:
    try:
        aside = reset_environment(home)
    except OSError as error:
        return [f"The environment could not be reset: {error.strerror} ({error.filename})."]
    if aside is None:
        return ["The environment was to be reset; there was nothing to move."]
    return [f"The environment was reset; your old files are in {aside}."]


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _write_test(home: Path) -> Trouble | None:
    try:
        with tempfile.TemporaryFile(dir=home) as stream:
            stream.write(b"\0" * _TEST_BYTES)
            stream.flush()
    except OSError as error:
        number = error.errno or 0
        return Trouble(number, errno.errorcode.get(number, str(number)), error.strerror or "")
    return None
