"""Why a lab is not up: the stable codes, and what a person can do about each."""

from __future__ import annotations

from collections.abc import Sequence

from despejado_spawner.errors import LabFailed

_ADMINISTRATOR = "Tell the administrator"
ADVICE = {
    "image_not_found": "Choose another image; tell the administrator that this one is missing.",
    "image_refused": f"{_ADMINISTRATOR}: the cluster needs credentials for this registry.",
    "image_name": f"{_ADMINISTRATOR}: the image's name is wrong in the configuration.",
    "image_pull": "Try again later, or choose another image.",
    "container_config": f"{_ADMINISTRATOR}: something that the lab needs is not in the cluster.",
    "command": "Choose another image; this one does not have what a lab needs to start.",
    "crashed": "Try again; with the option to reset your environment if you changed it lately.",
    "out_of_memory": "Start a bigger lab, or one with less in memory.",
    "unschedulable": f"{_ADMINISTRATOR}: no machine of the cluster may run this lab.",
    "quota": "Stop another of your labs or choose a smaller size.",
    "limit_range": "Choose a smaller size.",
    "pod_security": f"{_ADMINISTRATOR}: the labs' namespace does not take the lab as configured.",
    "admission": f"{_ADMINISTRATOR}, with the words of the refusal.",
    "invalid": f"{_ADMINISTRATOR}: the configuration of labs has a mistake.",
    "volume": f"{_ADMINISTRATOR}: a volume of the lab is not to be had.",
    "home": f"{_ADMINISTRATOR}.",
    "evicted": "Start it again; keep large files off the lab's own disk.",
    "node_lost": "Start it again; it will get another machine.",
    "deleted": "Start it again.",
    "ended": "Start it again.",
    "api": "Try again in a minute; if it goes on, tell the administrator.",
    "timeout": "Try again; if it happens again, tell the administrator.",
    "permission": f"{_ADMINISTRATOR}: the hub's Role lacks this right.",
}
"""Reason code to advice; the codes label JupyterHub's metrics and never change their meaning."""


def failed(
    reason: str, message: str, advice: str | None = None, details: Sequence[str] = ()
) -> LabFailed:
    """A failure with the advice of its reason, unless there is a better one."""
    return LabFailed(reason, message, ADVICE[reason] if advice is None else advice, details)
