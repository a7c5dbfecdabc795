"""A lab that could not start as it should: what happened and what to do (lab contract, §10)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

_PREFIX = "ABNORMAL_STARTUP"
_FREE_SPACE = (
    "Delete what you no longer need, for example old .user_env.* folders and large files: "
    "`du -ah FOLDER | sort -h | tail -20` in a terminal shows the largest below a folder.",
)
_ADVICE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "EDQUOT": (
        "Your disk quota is used up",
        (*_FREE_SPACE, "Then exit and start the lab again: it will start normally."),
    ),
    "ENOSPC": (
        "The file system of your home folder is full",
        (
            *_FREE_SPACE,
            "Others share this file system: if you have little in it, tell the administrators.",
            "When there is space again, exit and start the lab again.",
        ),
    ),
    "EROFS": (
        "Your home folder cannot be written",
        ("Ask the administrators to check how the file system of the homes is mounted.",),
    ),
    "EACCES": (
        "You have no permission to write to your home folder",
        ("Ask the administrators to check who owns your home folder and its permissions.",),
    ),
    "ENOENT": (
        "Your home folder is not there",
        ("Ask the administrators to make it, or to check how the homes are mounted.",),
    ),
    "EBADENV": (
        "The lab was started without settings that it needs",
        ("This is a mistake of the platform, not yours: send the details to its administrators.",),
    ),
    "ENOWRITEABLESERVERROOT": (
        "There is no folder that the lab can write to",
        ("Send the details below to the administrators.",),
    ),
}
_OTHER = (
    "The lab did not start normally",
    ("Send the details below to the administrators.",),
)
DO_NOT_TRUST = (
    "Do not do work here that you want to keep: files of this session may be lost when it ends."
)


@dataclass(frozen=True)
class AbnormalStartup:
    """``code`` is the symbolic name (``ENOSPC``), ``details`` what the start-up wrote."""

    code: str
    title: str
    advice: tuple[str, ...]
    details: str


def read_startup(environ: Mapping[str, str]) -> AbnormalStartup | None:
    """What the variables ``ABNORMAL_STARTUP*`` say; None after a normal start."""
    if environ.get(_PREFIX, "").strip().upper() not in {"TRUE", "1", "YES"}:
        return None
    number = environ.get(f"{_PREFIX}_ERRNO", "").strip()
    code = environ.get(f"{_PREFIX}_ERRORCODE", "").strip()
    if not code and number.isdigit():
        code = errno.errorcode.get(int(number), "")
    code = code or "UNKNOWN"
    title, advice = _ADVICE.get(code, _OTHER)
    said = (environ.get(f"{_PREFIX}_{part}", "").strip() for part in ("STRERROR", "MESSAGE"))
    heading = f"{code} (errno {number})" if number else code
    details = "\n".join((heading, *filter(None, said)))
    return AbnormalStartup(code, title, (*advice, DO_NOT_TRUST), details)
