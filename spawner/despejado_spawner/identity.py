"""The passwd and group files of a lab (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from despejado_spawner.errors import IdentityError
from despejado_spawner.models import Group, Identity

FIRST_USER_ID = 1000
_NO_ID = 2**32 - 1
_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._@-]*", re.ASCII)


def check_identity(identity: Identity, *, lowest: int = FIRST_USER_ID) -> Identity:
    """The identity, if a lab may run as it.

    UIDs and GIDs below ``lowest`` belong to the system; 2**32 - 1 (-1) means "leave it as it is"
    to the kernel and would keep the spawner's own rights.

    Raises
    ------
    IdentityError
        Naming the user, the number and what is allowed.
    """
    numbers = [("UID", identity.uid), ("GID", identity.gid)]
    numbers += [(f"GID of group {group.name!r}", group.gid) for group in identity.groups]
    for what, number in numbers:
        floor = lowest if what in ("UID", "GID") else 1
        if not floor <= number < _NO_ID:
            raise IdentityError(
                f"No lab may run for {identity.username!r} with {what} {number}: allowed are "
                f"{floor} to {_NO_ID - 1}.",
                "Ask the administrator to correct the identity.",
            )
    return identity


def passwd_file(identity: Identity, home: str, base: str = "", shell: str = "/bin/bash") -> str:
    """The site's base file and one line for the user; an entry of the base file wins."""
    name = account_name(identity.username)
    lines = _lines(base)
    if name not in _names(lines):
        full_name = clean_text(identity.full_name)
        lines.append(f"{name}:x:{identity.uid}:{identity.gid}:{full_name}:{home}:{shell}")
    return _text(lines)


def group_file(identity: Identity, base: str = "") -> str:
    """The site's base file and one line for each group of the user, the primary one always.

    The primary group is called after the user if the source has no name for it and has no
    members listed; a group that the base file has keeps its line and gains the user as member.
    """
    user = account_name(identity.username)
    lines = _lines(base)
    in_base = _names(lines)
    written = set(in_base)
    groups: dict[int, Group] = {}
    for group in identity.groups:
        groups.setdefault(group.gid, group)
    primary = groups.pop(identity.gid, Group(user, identity.gid))
    name = account_name(primary.name)
    if name not in written and str(identity.gid) not in _numbers(lines):
        lines.append(f"{name}:x:{identity.gid}:")
        written.add(name)
    for group in groups.values():
        name = account_name(group.name)
        if name in in_base:
            lines = [_with_member(line, name, user) for line in lines]
        elif name not in written:
            lines.append(f"{name}:x:{group.gid}:{user}")
            written.add(name)
    return _text(lines)


def account_name(name: str) -> str:
    """A name that a passwd or group line can hold; characters that it cannot become ``_``."""
    if _NAME.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-zA-Z0-9._@-]", "_", plain).lstrip("-.@") or "user"


def clean_text(text: str) -> str:
    """Free text for a passwd field: no ``:`` and no control characters, single spaces."""
    kept = "".join(
        " " if char == ":" or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char
        for char in text
    )
    return " ".join(kept.split())


def _lines(base: str) -> list[str]:
    return [line for line in base.splitlines() if line]


def _names(lines: Iterable[str]) -> set[str]:
    return {line.split(":", 1)[0] for line in lines}


def _numbers(lines: Iterable[str]) -> set[str]:
    return {parts[2] for line in lines if len(parts := line.split(":")) > 2}


def _with_member(line: str, group: str, user: str) -> str:
    name, *rest = line.split(":")
    if name != group or len(rest) != 3:
        return line
    members = [member for member in rest[2].split(",") if member]
    if user not in members:
        members.append(user)
    return ":".join((name, *rest[:2], ",".join(members)))


def _text(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
