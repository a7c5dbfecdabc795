"""Which UIDs and GIDs a lab may have.

Numbers below 1000 belong to the system (Debian Policy 9.2.2). The other ranges that are closed
here are those that systemd and container managers hand out by themselves (systemd, "Users,
Groups, UIDs and GIDs on systemd Systems"): a lab there could meet a dynamic service, a home of
systemd-homed or the inside of somebody's container.
"""

from __future__ import annotations

LOWEST = 1000
HIGHEST = 2**31 - 2
"""File servers and tools that keep ids in signed 32 bits agree up to here."""

RESERVED = (
    (60001, 65535, "systemd's homed, mapped and dynamic users, nobody, and 16-bit -1"),
    (524288, 1879048191, "user namespaces of containers"),
)

ALLOWED = "a number from " + ", ".join(
    f"{low} to {high}"
    for low, high in zip(
        (LOWEST, *(end + 1 for _, end, _ in RESERVED)),
        (*(start - 1 for start, _, _ in RESERVED), HIGHEST),
        strict=True,
    )
)


def refusal(number: int) -> str | None:
    """Why no lab may have this UID or GID; None if it may."""
    if number < LOWEST:
        return f"ids below {LOWEST} belong to the system"
    if number > HIGHEST:
        return f"ids above {HIGHEST} do not fit everywhere"
    for start, end, owner in RESERVED:
        if start <= number <= end:
            return f"ids from {start} to {end} are reserved: {owner}"
    return None


def next_allowed(number: int) -> int | None:
    """The smallest allowed id that is not below ``number``; None if there is none."""
    candidate = max(number, LOWEST)
    for start, end, _ in RESERVED:
        if start <= candidate <= end:
            candidate = end + 1
    return candidate if candidate <= HIGHEST else None
