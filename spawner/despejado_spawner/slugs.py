"""Folder names from user and server names."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_SAFE = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_LONGEST = 48


def folder_name(name: str) -> str:
    """A folder name for a user or server name: safe, and different for different names.

    An ordinary name (lower-case ASCII letters and digits with single inner ``.``, ``_``, ``-``,
    at most 48 characters) stays as it is. Any other becomes its readable rest, ``---`` and 16
    hexadecimal digits of its SHA-256. No ordinary name holds ``---``, so the two kinds never
    meet, also where the file system ignores case; within the second kind a collision needs one
    of SHA-256's first 64 bits.
    """
    if len(name) <= _LONGEST and _SAFE.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{readable or 'x'}---{digest}"
