"""Who a lab in a pod runs as: what the site's hook says, else KubeSpawner's numbers."""

from __future__ import annotations

from typing import Any, Protocol

from jupyterhub.utils import maybe_future

from despejado_spawner.identity import check_identity
from despejado_spawner.models import Identity

DEFAULT_UID = 1000
DEFAULT_GID = 100
"""The user of the Jupyter images and the defaults of z2jh: *restricted* needs a number."""


class IdentifiedLab(Protocol):
    """The settings of a spawner that are about who labs run as."""

    user: Any
    identity_hook: Any
    uid: Any
    gid: Any
    lowest_uid: int


async def lab_identity(lab: IdentifiedLab) -> Identity:
    """Who the lab runs as, checked.

    Raises
    ------
    IdentityError
        If no lab may run as that.
    """
    if lab.identity_hook is not None:
        identity: Identity = await maybe_future(lab.identity_hook(lab))
        return check_identity(identity, lowest=lab.lowest_uid)
    uid, gid = await _number(lab, lab.uid), await _number(lab, lab.gid)
    identity = Identity(
        lab.user.name,
        DEFAULT_UID if uid is None else uid,
        DEFAULT_GID if gid is None else gid,
    )
    # z2jh's own group 100 is below what a site's users have.
    return check_identity(identity, lowest=1)


async def _number(lab: IdentifiedLab, value: Any) -> int | None:
    number: int | None = await maybe_future(value(lab)) if callable(value) else value
    return number
