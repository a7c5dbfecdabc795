"""POSIX login names for users whose hub name cannot be one. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 32
"""utmp and useradd keep 32 characters."""

# POSIX.1-2017, 3.437 "User Name": the portable filename character set, no hyphen in front.
# A digit in front is legal there, but tools (chown, ps) then take the name for a number.
_LOGIN = re.compile(r"[a-z_][a-z0-9_.-]*", re.ASCII)

_SYSTEM = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc _apt nobody
nogroup operator adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip src shadow
utmp video sasl plugdev staff users input kvm render wheel jovyan messagebus sshd
systemd-network systemd-resolve systemd-timesync
"""
SYSTEM_NAMES = frozenset(_SYSTEM.split())
"""Users and groups of a usual system; a lab's passwd file may hold these already."""


def is_login(name: str) -> bool:
    """Whether a name can be a login name as it is."""
    return len(name) <= LONGEST and bool(_LOGIN.fullmatch(name)) and name not in SYSTEM_NAMES


def login_names(username: str) -> tuple[str, str]:
    """The login name for a user, and the one to take if somebody else has that.

    An ordinary name stays as it is. Any other, and the second choice, is its readable rest, a
    hyphen and ten hexadecimal digits of the name's SHA-256.
    """
    plain = unicodedata.normalize("NFKD", username).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    readable = re.sub(r"^[0-9-]+", "", readable)[: LONGEST - 11].rstrip("-") or "user"
    digest = hashlib.sha256(username.encode()).hexdigest()
    derived = f"{readable}-{digest[:10]}"
    first = username if is_login(username) else derived
    # A second user of one hub name exists only after the first was retired; the second choice
    # of a derived name must differ from it too.
    second = f"{readable}-{digest[10:20]}" if first == derived else derived
    return first, second
