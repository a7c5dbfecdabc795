"""The user's home at the start of a lab: reset when asked for, and a lab even when it is full.

All of it runs as the user. A home that cannot be written gives a lab in *degraded* mode: HOME is
a folder for this lab only, and ``ABNORMAL_STARTUP*`` tell the lab extension what to say. Where
only Jupyter's own folders in the home cannot be written, only those are elsewhere.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from despejado_lab.launch_end import LaunchError

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
    "ENOENT": "Your home folder is not there. Ask the administrator to make it.",
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
        """What happened and what to do, for the user."""
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
        return [*told, *_keep_the_server_up(Path(name), environment)]
    emergency = _temporary_folder("despejado-home-", environment, trouble)
    changed = {
        "HOME": emergency,
        "JUPYTERHUB_ROOT_DIR": emergency,
        "ABNORMAL_STARTUP": "TRUE",
        "ABNORMAL_STARTUP_ERRNO": str(trouble.number),
        "ABNORMAL_STARTUP_STRERROR": trouble.text,
        "ABNORMAL_STARTUP_ERRORCODE": trouble.code,
        "ABNORMAL_STARTUP_MESSAGE": " ".join(
            [trouble.message, *([f"Your home folder is {name}."] if name else [])]
        ),
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


def _keep_the_server_up(home: Path, environment: MutableMapping[str, str]) -> list[str]:
    """Go round what would end the server in a home that can be written otherwise."""
    told = []
    if broken := broken_settings(home):
        environment["JUPYTERHUB_DISABLE_USER_CONFIG"] = "1"
        told.append(f"Your Jupyter configuration is not used: {broken[0]} is no JSON.")
    data = _data_folder(home, environment)
    trouble = _unusable(data, write=False)
    if trouble is not None:
        elsewhere = _temporary_folder("despejado-jupyter-", environment, trouble)
        environment["JUPYTER_DATA_DIR"] = elsewhere
        told.append(f"{data} cannot be used ({trouble.text}); Jupyter uses {elsewhere}.")
        data = Path(elsewhere)
    runtime = Path(environment.get("JUPYTER_RUNTIME_DIR") or data / "runtime")
    trouble = _unusable(runtime, write=True)
    if trouble is not None:
        elsewhere = _temporary_folder("despejado-runtime-", environment, trouble)
        environment["JUPYTER_RUNTIME_DIR"] = elsewhere
        told.append(f"{runtime} cannot be used ({trouble.text}); Jupyter uses {elsewhere}.")
    return told


def _data_folder(home: Path, environment: Mapping[str, str]) -> Path:
    """Where Jupyter keeps the user's data (``jupyter_core.paths``)."""
    if named := environment.get("JUPYTER_DATA_DIR"):
        return Path(named)
    return Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def _unusable(folder: Path, *, write: bool) -> Trouble | None:
    """Why a folder cannot be made, or cannot be written if ``write``; nothing is changed."""
    try:
        found = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        return _trouble(error)
    if found == folder and not write:
        return None
    if os.access(found, os.W_OK | os.X_OK):
        return None
    return _trouble(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _temporary_folder(prefix: str, environment: Mapping[str, str], trouble: Trouble) -> str:
    """A new folder in the user's scratch space or among temporary files.

    Raises
    ------
    LaunchError
        If there is no such place: a server that can write nowhere cannot run.
    """
    named = environment.get("SCRATCH_DIR") or environment.get("TMPDIR") or None
    try:
        return tempfile.mkdtemp(prefix=prefix, dir=named)
    except OSError as error:
        raise LaunchError(
            f"There is no folder that the lab can write to: the home folder ({trouble.text}), and "
            f"{named or 'the folders for temporary files'} ({error.strerror}). Tell the "
            "administrators of the platform."
        ) from error


def _trouble(error: OSError) -> Trouble:
    number = error.errno or 0
    return Trouble(number, errno.errorcode.get(number, str(number)), error.strerror or "")


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
        return _trouble(error)
    return None
