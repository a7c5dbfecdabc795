"""The pod of a lab: the site's pod with the lab laid over it (pure)."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping

from despejado_spawner.models import Size
from despejado_spawner.pods.models import Manifest, PlanError, PodPlan
from despejado_spawner.pods.names import (
    CONTAINER,
    DIGEST_ANNOTATION,
    HOME_ANNOTATION,
    HOME_GATE,
    MANAGED_BY,
    SIZE_ANNOTATION,
    TAG_ANNOTATION,
    TITLE_ANNOTATION,
    lab_labels,
    object_name,
)
from despejado_spawner.pods.plan.files import (
    HUB_TOKEN,
    TOKEN_VARIABLES,
    file_mounts,
    hub_token,
)
from despejado_spawner.pods.plan.home_job import home_request
from despejado_spawner.pods.plan.mounts import mount_all, shared_writable
from despejado_spawner.pods.plan.security import restrict, run_as
from despejado_spawner.units import format_memory
from despejado_spawner.variables import decided_variables, lab_variables

LAUNCHER = "/opt/despejado/bin/lab"

_IMAGE_DECIDES = (
    "PATH",
    "SHELL",
    "LANG",
    "JUPYTER_PATH",
    "JUPYTER_CONFIG_PATH",
    "DESPEJADO_LABEXTENSIONS",
)
"""Variables of the two environments of an image of this project; another image has its own."""
_NODE_VARIABLES = ("NODE_NAME", "KUBERNETES_NODE_NAME")


def container_variables(plan: PodPlan) -> dict[str, str]:
    """The variables of the lab's container that have a value; no secret is among them."""
    reference, digest = plan.image_reference, plan.lab.image.digest
    pinned = reference if "@" in reference or not digest else f"{reference}@{digest}"
    variables = lab_variables(plan.lab)
    variables |= {"JUPYTER_IMAGE": reference, "JUPYTER_IMAGE_SPEC": pinned}
    if plan.launcher:
        # The hub asks as soon as the container runs; its question waits for the server.
        variables["DESPEJADO_EARLY_SOCKET"] = "1"
    else:
        said = dict(plan.lab.hub_environment) | dict(plan.lab.environment)
        for name in _IMAGE_DECIDES:
            variables.pop(name, None)
            if name in said:
                variables[name] = said[name]
    elsewhere = {entry["name"] for entry in _references(plan)}
    elsewhere.update(TOKEN_VARIABLES, _NODE_VARIABLES)
    return {name: value for name, value in variables.items() if name not in elsewhere}


def build_pod(plan: PodPlan) -> Manifest:
    """The pod; ``plan.base`` is not changed.

    Raises
    ------
    PlanError
        For a mount that would cover another or a place of the platform, naming it.
    """
    pod = copy.deepcopy(plan.base)
    variables = container_variables(plan)
    files = file_mounts(plan, variables)
    notebook = _notebook(pod)
    _metadata(pod, plan)
    _spec(pod["spec"], plan)
    notebook["image"] = plan.image_reference
    # The last lines of a server that crashed are then in the pod's status.
    notebook.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    notebook["env"] = _environment(plan, variables)
    notebook["resources"] = _resources(notebook.get("resources") or {}, plan)
    if plan.launcher:
        # The kubelet replaces $(NAME) in commands as it does in variables.
        notebook["command"] = [LAUNCHER, *map(escape, plan.lab.extra_args)]
        notebook.pop("args", None)
    mount_all(pod["spec"], notebook, plan, files)
    _secure(pod, notebook, plan)
    return pod


def escape(text: str) -> str:
    """Text that Kubernetes' expansion of ``$(NAME)`` turns into ``text`` again."""
    return text.replace("$", "$$")


def cpu_quantity(cores: float) -> str:
    """Cores as a Kubernetes quantity: ``2``, ``2500m``."""
    milli = max(1, round(cores * 1000))
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def _notebook(pod: Manifest) -> Manifest:
    for container in pod["spec"].get("containers") or []:
        if container["name"] == CONTAINER:
            found: Manifest = container
            return found
    raise PlanError(
        f"The site's pod has no container {CONTAINER!r}. A hook or extra_pod_config has removed "
        "or renamed it; the lab runs in it."
    )


def _metadata(pod: Manifest, plan: PodPlan) -> None:
    lab, metadata = plan.lab, pod["metadata"]
    metadata["name"] = plan.pod_name
    metadata["namespace"] = plan.namespace
    key, value = MANAGED_BY
    labels = metadata.get("labels") or {}
    # KubeSpawner calls its pods managed by itself, and sites select by that.
    metadata["labels"] = (
        {key: value} | labels | dict(plan.labels) | lab_labels(plan.pod_name, plan.start_id)
    )
    notes = {
        TAG_ANNOTATION: lab.image.tag,
        TITLE_ANNOTATION: lab.image.title,
        DIGEST_ANNOTATION: lab.image.digest,
        SIZE_ANNOTATION: lab.size.name,
    }
    request = home_request(plan)
    if request is not None:
        notes[HOME_ANNOTATION] = json.dumps(request.to_json())
    given = metadata.get("annotations") or {}
    metadata["annotations"] = given | {name: text for name, text in notes.items() if text}


def _spec(spec: Manifest, plan: PodPlan) -> None:
    # A server that was killed for its memory must not come back without its kernels and say
    # nothing: the hub tells of it.
    spec["restartPolicy"] = "Never"
    spec["enableServiceLinks"] = False
    # The service account is the site's to choose; its token is mounted only if the site says so.
    spec.setdefault("automountServiceAccountToken", False)
    effect = plan.effect
    if effect.node_selector:
        spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **effect.node_selector}
    if effect.tolerations:
        more = [each.model_dump(exclude_none=True) for each in effect.tolerations]
        spec["tolerations"] = [*(spec.get("tolerations") or []), *more]
    if home_request(plan) is not None:
        spec["schedulingGates"] = [*(spec.get("schedulingGates") or []), {"name": HOME_GATE}]


def _environment(plan: PodPlan, variables: Mapping[str, str]) -> list[Manifest]:
    entries: list[Manifest] = [
        {"name": name, "value": escape(value)} for name, value in variables.items()
    ]
    entries += _references(plan)
    entries += [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
        for name in _NODE_VARIABLES
    ]
    if not plan.launcher and hub_token(plan) is not None:
        key = {"name": object_name(plan.pod_name, plan.start_id), "key": HUB_TOKEN}
        given = plan.lab.hub_environment
        entries += [
            {"name": name, "valueFrom": {"secretKeyRef": key}}
            for name in TOKEN_VARIABLES
            if given.get(name)
        ]
    return sorted(entries, key=lambda entry: str(entry["name"]))


def _references(plan: PodPlan) -> list[Manifest]:
    """Variables that the site takes from a field, a Secret or a ConfigMap of its own."""
    decided = {*_NODE_VARIABLES, *TOKEN_VARIABLES, *decided_variables(plan.lab)}
    return [
        copy.deepcopy(entry)
        for entry in _notebook(plan.base).get("env") or []
        if entry.get("valueFrom")
        and entry["name"] not in decided
        and not entry["name"].startswith("JUPYTERHUB_")
    ]


def _resources(base: Manifest, plan: PodPlan) -> Manifest:
    """Limits and requests of the size; what else the site asks for (a GPU, say) stays."""
    size = plan.lab.size
    limits = dict(base.get("limits") or {}) | _amounts(size.cpu, size.memory)
    requests = dict(base.get("requests") or {}) | _guarantees(size)
    if plan.settings.ephemeral_storage is not None:
        amount = {"ephemeral-storage": format_memory(plan.settings.ephemeral_storage)}
        limits |= amount
        requests |= amount
    # An extended resource is wanted whole or not at all: Kubernetes has no limit beside a request.
    extended = {name: text for name, text in plan.effect.resources.items() if text != "0"}
    limits |= extended
    requests |= extended
    return dict(base) | {"limits": limits, "requests": requests}


def _guarantees(size: Size) -> dict[str, str]:
    return _amounts(
        size.cpu if size.cpu_guarantee is None else size.cpu_guarantee,
        size.memory if size.memory_guarantee is None else size.memory_guarantee,
    )


def _amounts(cpu: float, memory: int) -> dict[str, str]:
    amounts = {"cpu": cpu_quantity(cpu)} if math.isfinite(cpu) else {}
    return amounts | {"memory": format_memory(memory)}


def _secure(pod: Manifest, notebook: Manifest, plan: PodPlan) -> None:
    identity, spec = plan.lab.identity, pod["spec"]
    if plan.settings.restricted:
        restrict(pod, identity)
        if plan.launcher:
            notebook["securityContext"].setdefault("readOnlyRootFilesystem", True)
    else:
        run_as(pod, identity, own_identity=False)
        spec["securityContext"].setdefault("supplementalGroups", list(identity.supplemental_gids))
    if plan.home is not None and plan.home.own_claim:
        spec["securityContext"] |= {
            "fsGroup": identity.gid,
            "fsGroupChangePolicy": "OnRootMismatch",
        }
    elif shared_writable(plan):
        # With it the kubelet would walk through a shared claim and change everybody's files.
        spec["securityContext"].pop("fsGroup", None)
        spec["securityContext"].pop("fsGroupChangePolicy", None)
