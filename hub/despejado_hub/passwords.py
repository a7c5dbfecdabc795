"""The password of the demo's login, and what the hub keeps of it."""

from __future__ import annotations

import hashlib
import os
import secrets

# Letters and digits that cannot be taken for one another, for a password that is typed.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
SCRYPT = {"n": 2**12, "r": 8, "p": 1}
"""Cost of the hash (RFC 7914): 4 MiB and about 10 ms."""


def make_password() -> str:
    """A password to read from the terminal: 12 characters, 59 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3))
    return "-".join(groups)


def hash_password(password: str, salt: bytes) -> bytes:
    """The scrypt hash of a password."""
    return hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)


def password_record(password: str) -> dict[str, str]:
    """What the hub reads: salt and hash, in hexadecimal digits."""
    salt = os.urandom(16)
    return {"salt": salt.hex(), "scrypt": hash_password(password, salt).hex()}
