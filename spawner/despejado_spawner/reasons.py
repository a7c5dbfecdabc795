"""Why a lab is not up: the stable codes, and what a person can do about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_TELL = "Tell the administrator"


@dataclass(frozen=True)
class Reason:
    """``title`` is a heading, ``advice`` what to do, ``status`` the HTTP status of the answer.

    What a person can help by another choice is below 500: a hub of JupyterHub 5 counts only the
    others as its own trouble, and ends itself after some of them (``consecutive_failure_limit``).
    """

    title: str
    advice: str
    status: int = 500


REASONS: Mapping[str, Reason] = {
    "image_not_found": Reason(
        "The image does not exist",
        "Choose another image; tell the administrator that this one is missing.",
        400,
    ),
    "image_refused": Reason(
        "The image may not be downloaded",
        "Choose another image; tell the administrator that the cluster needs credentials for it.",
        400,
    ),
    "image_name": Reason(
        "The image has no valid name",
        "Choose another image; tell the administrator if this one is on the menu.",
        400,
    ),
    "image_pull": Reason(
        "The image cannot be downloaded", "Try again later, or choose another image.", 503
    ),
    "container_config": Reason(
        "The lab's container cannot be made",
        f"{_TELL}: something that the lab needs is not in the cluster.",
    ),
    "command": Reason(
        "The image cannot start a lab",
        "Choose another image; this one does not have what a lab needs to start.",
        400,
    ),
    "crashed": Reason(
        "The lab ended with an error",
        "Start it again; with the option to reset your environment if you changed it lately.",
        400,
    ),
    "out_of_memory": Reason(
        "The lab ran out of memory", "Start a bigger lab, or have less in memory at a time.", 400
    ),
    "unschedulable": Reason(
        "No machine may run the lab", f"{_TELL}: no machine of the cluster may run this lab.", 503
    ),
    "quota": Reason(
        "The quota is used up", "Stop another of your labs, or choose a smaller size.", 403
    ),
    "limit_range": Reason("The size is not allowed", "Choose another size.", 403),
    "pod_security": Reason(
        "Pod Security refuses the lab",
        f"{_TELL}: the labs' namespace does not take labs as they are configured.",
    ),
    "admission": Reason(
        "A rule of the cluster refuses the lab", f"{_TELL}, with the words of the refusal."
    ),
    "invalid": Reason(
        "The cluster cannot use the configuration",
        f"{_TELL}: the configuration of labs has a mistake.",
    ),
    "volume": Reason(
        "A volume is not to be had", f"{_TELL}: a volume of the lab is not to be had."
    ),
    "home": Reason("The home folder cannot be used", f"{_TELL}."),
    "evicted": Reason(
        "The cluster ended the lab",
        "Start it again; keep large files in your home or in scratch space.",
        400,
    ),
    "node_lost": Reason(
        "The lab's machine is gone", "Start it again; it will get another machine.", 503
    ),
    "deleted": Reason("The lab was deleted", "Start it again.", 400),
    "ended": Reason("The lab has ended", "Start it again.", 400),
    "api": Reason(
        "The cluster does not answer",
        "Try again in a minute; if it goes on, tell the administrator.",
        503,
    ),
    "timeout": Reason(
        "The start took too long", "Try again; if it happens again, tell the administrator.", 504
    ),
    "permission": Reason(
        "The hub lacks a right", f"{_TELL}: the hub's Role in the cluster lacks this right."
    ),
    "invalid_options": Reason("A spawn option is wrong", "Choose among the values on offer.", 400),
    "identity": Reason("No lab may run as this user", f"{_TELL}, who gives out UIDs and groups."),
    "lab_folder": Reason(
        "The lab's files cannot be written", f"{_TELL}, who should check the disk."
    ),
    "environment": Reason(
        "The software environment cannot be had",
        "Choose an environment that is ready, or try again later.",
        503,
    ),
    "error": Reason("The lab is not up", "Try again; if it happens again, tell the administrator."),
}
"""By code, for processes and pods alike. The codes label JupyterHub's metrics and never change
their meaning."""
