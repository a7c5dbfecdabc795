"""Each private name of KubeSpawner and JupyterHub that this package relies on.

There is no public name for what these do. A test compares the table with the code and with the
installed releases: it fails when one of them loses a name, when the code uses one that is not
here, and when one here is not used any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Inherited:
    """One name.

    ``owner`` is who defines it, ``use`` what we do with it (an overridden one may be called as
    well), ``since`` the release that it came with or the oldest one that was looked at.
    """

    name: str
    owner: Literal["JupyterHub", "KubeSpawner"]
    use: Literal["called", "overridden", "set"]
    since: str
    why: str


INHERITED = (
    Inherited(
        "_apply_overrides",
        "JupyterHub",
        "overridden",
        "5.5",
        "It changes mappings of the configuration in place: what a group gets stays for all.",
    ),
    Inherited(
        "_check_pending",
        "JupyterHub",
        "called",
        "5.5",
        "Whether a hub that has just started asks for the first time: only then may a start of an "
        "earlier hub be gone on with, and only then is a cluster that is away waited for.",
    ),
    Inherited(
        "_log_name",
        "JupyterHub",
        "called",
        "5.5",
        "What the hub's own lines call a server.",
    ),
    Inherited(
        "_run_apply_user_options",
        "JupyterHub",
        "overridden",
        "5.5",
        "The one place between the saving of options and any work whose failure is the answer to "
        "the request. It logs tracebacks for refusals and warns of options that it does not know.",
    ),
    Inherited(
        "_spawn_future",
        "JupyterHub",
        "set",
        "5.5",
        "A start that is gone on with is shown, waited for and cancelled as any other.",
    ),
    Inherited("_spawn_pending", "JupyterHub", "set", "5.5", "As _spawn_future: `pending` says it."),
    Inherited(
        "_expand_all",
        "KubeSpawner",
        "called",
        "7.0",
        "Templates in mounts and in the labels of a user's namespace, as in KubeSpawner's own.",
    ),
    Inherited(
        "_expand_user_properties",
        "KubeSpawner",
        "overridden",
        "7.0",
        "Braces in a text that is no template end the start there; ours keeps them.",
    ),
    Inherited(
        "_get_initialized_profile_list",
        "KubeSpawner",
        "called",
        "7.0",
        "The slugs and defaults of profiles, which saved options and forms of sites refer to.",
    ),
    Inherited(
        "_get_pod_url",
        "KubeSpawner",
        "called",
        "7.0",
        "Where a server is, by get_pod_url, pod_connect_ip, TLS and Services of the site.",
    ),
    Inherited(
        "_options_form_default",
        "KubeSpawner",
        "overridden",
        "7.0",
        "It renders a list of profiles once, with the first choice, and fails on a wrong one.",
    ),
    Inherited(
        "_options_from_form",
        "KubeSpawner",
        "overridden",
        "7.0",
        "Sites call it from options_from_form of their own.",
    ),
    Inherited(
        "_render_options_form",
        "KubeSpawner",
        "overridden",
        "7.0",
        "Sites call it from options_form of their own, and KubeSpawner for callable lists.",
    ),
    Inherited(
        "_pvc_exists",
        "KubeSpawner",
        "set",
        "7.0",
        "A claim that is known to be there is noted in KubeSpawner's state under this name.",
    ),
    Inherited(
        "_state_kubespawner_version",
        "KubeSpawner",
        "called",
        "7.0",
        "Which KubeSpawner has saved the state: 6 named claims otherwise.",
    ),
)
"""JupyterHub 5.5 to 6.1 and KubeSpawner 7.0 to 7.1 have them all."""
