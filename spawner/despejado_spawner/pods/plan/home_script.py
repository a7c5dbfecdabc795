"""Makes one home folder on a mounted volume; the source of the home job's command.

``python3 -I -S -c SOURCE REQUEST [VOLUME [VERDICT]]``: runs where nothing of ours is installed,
with the standard library alone and as UID 0 with the capabilities CHOWN, DAC_OVERRIDE and FOWNER.
REQUEST is the JSON of ``HomeRequest`` (``homes.py``), VOLUME where the homes' volume is mounted.
The verdict is one JSON object in the file VERDICT, which Kubernetes shows in the pod's status, and
on standard output.

Only the folder itself is made or given away, never what is in it. Every step goes through a folder
descriptor and follows no symbolic link, so that a name that is swapped meanwhile does no harm.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any

HOME_MODE = 0o700
INITIAL_MODE = 0o755
NO_ID = 2**32 - 1
LONGEST = 4000
"""Bytes of a verdict: Kubernetes keeps 4096, and half of one could not be read."""


class Refused(Exception):
    """A home that is not safe to use or cannot be made; the text is for its user."""


def make_home(volume: str, request: dict[str, Any]) -> dict[str, Any]:
    """Make the home of a request below ``volume``; says whether it was created, and warnings."""
    home, uid, gid = request["path"], request["uid"], request["gid"]
    for what, number in (("UID", uid), ("GID", gid)):
        if type(number) is not int or not 0 < number < NO_ID:
            raise Refused(f"No home can be made for {what} {number}. Ask the administrator.")
    parts = request["sub_path"].split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise Refused(
            f"{request['sub_path']!r} is no folder below the homes. Ask the administrator."
        )
    folder = os.open(volume, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number, part in enumerate(parts[:-1], 2):
            may_make = request["make_initial"] and number == len(parts)
            folder = enter(folder, part, home, may_make)
        return ensure(folder, parts[-1], request)
    finally:
        os.close(folder)


def enter(folder: int, name: str, home: str, may_make: bool) -> int:
    """The descriptor of a folder on the way; ``folder`` is closed when it is open."""
    if may_make:
        try:
            os.mkdir(name, INITIAL_MODE, dir_fd=folder)
        except FileExistsError:
            pass
        else:
            os.chmod(name, INITIAL_MODE, dir_fd=folder)  # whatever the umask is
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        raise Refused(
            f"The home folder {home} cannot be made: the folder {name!r} above it is not there or "
            f"is no folder ({error.strerror}). Ask the administrator to create it."
        ) from error
    os.close(folder)
    return inner


def ensure(parent: int, name: str, request: dict[str, Any]) -> dict[str, Any]:
    """Make the folder ``name`` or check the one that is there."""
    home = request["path"]
    try:
        os.mkdir(name, HOME_MODE, dir_fd=parent)
        created = True
    except FileExistsError:
        created = False
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        raise Refused(
            f"The home folder {home} is a symbolic link. Homes must be folders; ask the "
            "administrator to replace the link by the folder that it points to."
        )
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"The home folder {home} is not a folder. Ask the administrator.")
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        return ensure_owner(folder, request, created)
    except OSError:
        if created:
            os.rmdir(name, dir_fd=parent)
        raise
    finally:
        os.close(folder)


def ensure_owner(folder: int, request: dict[str, Any], created: bool) -> dict[str, Any]:
    """Give a new or an empty folder to its user; refuse one with files of somebody else."""
    home, uid, gid = request["path"], request["uid"], request["gid"]
    found = os.fstat(folder)
    warnings = []
    if not created and found.st_uid == uid:
        mode = stat.S_IMODE(found.st_mode)
        if mode != HOME_MODE:
            warnings.append(f"{home} has mode {mode:04o}, not {HOME_MODE:04o}")
        return {"created": False, "warnings": warnings}
    if not created:
        if os.listdir(folder):
            raise Refused(
                f"The home folder {home} belongs to UID {found.st_uid}, not to "
                f"{request['username']!r} (UID {uid}), and is not empty. Nothing was changed; ask "
                "the administrator to check whose files these are."
            )
        warnings.append(f"{home} was empty and belonged to UID {found.st_uid}")
    # The owner last: a job that is ended before leaves an empty folder that the next one mends.
    os.fchmod(folder, HOME_MODE)
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.fchown(folder, uid, gid)
    return {"created": created, "warnings": warnings}


def verdict_of(request: str, volume: str) -> dict[str, Any]:
    """What is to be told of a request: what was done, or why nothing was."""
    try:
        return make_home(volume, json.loads(request))
    except Refused as error:
        return {"error": str(error)}
    except OSError as error:
        home = json.loads(request)["path"]
        return {
            "error": f"The home folder {home} cannot be prepared: {error.strerror}. "
            "Ask the administrator to check its ownership and the disk."
        }


def written(found: dict[str, Any]) -> str:
    """A verdict as JSON that Kubernetes keeps whole; a text that is too long loses its end."""
    text = json.dumps(found)
    while len(text) > LONGEST:
        if "error" in found:
            found = {"error": found["error"][: len(found["error"]) // 2]}
        else:
            found = {**found, "warnings": []}
        text = json.dumps(found)
    return text


def main(request: str, volume: str = "/homes", verdict: str = "/dev/termination-log") -> int:
    """Do what the module says; the exit code is 0 if there is a home."""
    found = verdict_of(request, volume)
    text = written(found)
    print(text, flush=True)
    with open(verdict, "w", encoding="ascii") as stream:  # noqa: PTH123 (no pathlib: it is slow)
        stream.write(text)
    return 1 if "error" in found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
