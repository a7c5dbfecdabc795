"""The identity of whoever runs the spawner."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import replace

from despejado_spawner.models import Group, Identity


def own_identity(username: str) -> Identity:
    """UID, GIDs and group names of this process, under the given user name."""
    uid, gid = os.getuid(), os.getgid()
    groups = tuple(
        Group(_group_name(number), number) for number in dict.fromkeys((gid, *os.getgroups()))
    )
    return Identity(username, uid, gid, groups, _full_name(uid))


def enforceable(identity: Identity) -> Identity:
    """The identity that a process can really have: as root the given one, else the own one.

    Without root nobody else's UID can be taken, so on a laptop all labs run as its owner.
    """
    if os.geteuid() == 0:
        return identity
    return replace(own_identity(identity.username), full_name=identity.full_name)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _full_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_gecos.partition(",")[0]
    except KeyError:
        return ""
