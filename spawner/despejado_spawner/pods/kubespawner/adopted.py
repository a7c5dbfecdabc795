"""Labs of a hub that was made for KubeSpawner: its pod, with what it lacks laid over.

The site's pod template stays as it is written. What is added: no token in clear, Pod Security
*restricted*, one identity for all containers, an end that is told instead of hidden, and a
NetworkPolicy where one is asked for.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from despejado_spawner.identity import group_file, passwd_file
from despejado_spawner.models import NOTHING, Identity
from despejado_spawner.pods.models import Manifest, NetworkRules
from despejado_spawner.pods.names import (
    CONTAINER,
    LAB_LABEL,
    MANAGED_BY,
    START_LABEL,
    object_name,
)

SECRET_VARIABLES = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")
"""Variables that JupyterHub hands to a server and that nobody else may read."""
_SECRETS = "/etc/despejado/secrets"
_NAME = "despejado"


@dataclass(frozen=True)
class AdoptedPlan:
    """One start of a pod that KubeSpawner's traits describe.

    ``base`` is that pod. ``identity`` replaces its UID and GIDs when it is known. ``secrets`` are
    files for the lab's container, ``home`` is only written into passwd.
    """

    namespace: str
    pod_name: str
    start_id: str
    base: Manifest = field(repr=False)
    identity: Identity | None = None
    home: str = "/home/jovyan"
    secrets: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    network: NetworkRules | None = None
    restricted: bool = True
    base_passwd: str = ""
    base_group: str = ""


def adopted_pod(plan: AdoptedPlan) -> Manifest:
    """The site's pod with a lab's guarantees laid over; ``plan.base`` is not changed."""
    pod = copy.deepcopy(plan.base)
    spec = pod["spec"]
    pod["metadata"].setdefault("labels", {}).update(_labels(plan))
    # A server that was killed for its memory must not come back without its kernels and say
    # nothing: the hub tells of it. KubeSpawner's default is OnFailure.
    if spec.get("restartPolicy", "OnFailure") == "OnFailure":
        spec["restartPolicy"] = "Never"
    spec.setdefault("enableServiceLinks", False)
    notebook = next(each for each in spec["containers"] if each["name"] == CONTAINER)
    notebook.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    name = object_name(plan.pod_name, plan.start_id)
    for variable in notebook.get("env", []):
        if variable["name"] in SECRET_VARIABLES and variable.get("value"):
            del variable["value"]
            key = {"name": name, "key": variable["name"]}
            variable["valueFrom"] = {"secretKeyRef": key}
    if plan.secrets:
        items = [{"key": key, "path": key} for key in sorted(plan.secrets)]
        secret = {"secretName": name, "items": items, "defaultMode": 0o444}
        _mount(spec, notebook, "secrets", {"secret": secret}, [{"mountPath": _SECRETS}])
    if plan.identity is not None:
        files = [{"mountPath": f"/etc/{file}", "subPath": file} for file in ("passwd", "group")]
        _mount(spec, notebook, "files", {"configMap": {"name": name}}, files)
    return pod


def adopted_dependents(plan: AdoptedPlan) -> tuple[Manifest, Manifest]:
    """The pod's Secret and its ConfigMap."""
    name = object_name(plan.pod_name, plan.start_id)
    key, ours = MANAGED_BY
    metadata = {
        "name": name,
        "namespace": plan.namespace,
        "labels": {**_labels(plan), key: ours},
    }
    values = dict(plan.secrets)
    notebook = next(each for each in plan.base["spec"]["containers"] if each["name"] == CONTAINER)
    for variable in notebook.get("env", []):
        if variable["name"] in SECRET_VARIABLES and variable.get("value"):
            values[variable["name"]] = variable["value"]
    files: dict[str, str] = {}
    if plan.identity is not None:
        files["passwd"] = passwd_file(plan.identity, plan.home, plan.base_passwd)
        files["group"] = group_file(plan.identity, plan.base_group)
    return (
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "data": {
                key: base64.b64encode(value.encode()).decode()
                for key, value in sorted(values.items())
            },
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": copy.deepcopy(metadata),
            "data": files,
        },
    )


def _labels(plan: AdoptedPlan) -> dict[str, str]:
    # KubeSpawner calls its own pods managed by itself, and some sites select by that.
    key, value = MANAGED_BY
    base = plan.base["metadata"].get("labels", {})
    return {LAB_LABEL: plan.pod_name, START_LABEL: plan.start_id, key: base.get(key, value)}


def _mount(
    spec: Manifest,
    container: Manifest,
    what: str,
    source: Mapping[str, Any],
    mounts: Sequence[Mapping[str, Any]],
) -> None:
    name = f"{_NAME}-{what}"
    spec.setdefault("volumes", []).append({"name": name, **source})
    container.setdefault("volumeMounts", []).extend(
        {"name": name, "readOnly": True, **mount} for mount in mounts
    )
