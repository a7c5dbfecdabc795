"""The pod of a lab: the site's pod with the lab laid over it (pure)."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from despejado_spawner.kubernetes.files import (
    HUB_TOKEN,
    TOKEN_VARIABLES,
    FileMounts,
    file_mounts,
    hub_token,
)
from despejado_spawner.kubernetes.homes import home_request
from despejado_spawner.kubernetes.models import ClaimMount, Manifest, PlanError, PodPlan
from despejado_spawner.kubernetes.names import (
    CONTAINER,
    DIGEST_ANNOTATION,
    HOME_ANNOTATION,
    HOME_GATE,
    LAB_LABEL,
    MANAGED_BY,
    SIZE_ANNOTATION,
    START_LABEL,
    TAG_ANNOTATION,
    TITLE_ANNOTATION,
    object_name,
)
from despejado_spawner.kubernetes.security import restrict, run_as
from despejado_spawner.models import Size
from despejado_spawner.units import format_memory
from despejado_spawner.variables import decided_variables, lab_variables

LAUNCHER = "/opt/despejado/bin/lab"
TEMPORARY = "/tmp"  # noqa: S108 (the pod's own emptyDir)

_TEMPORARY_VOLUME = "despejado-tmp"
_HOME_VOLUME = "despejado-home"
_OWN_VOLUMES = "despejado-"
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
_CLOSED = ("/etc/despejado", "/etc/nublado", "/opt/despejado", "/proc", "/sys", "/dev")
"""Folders that no mount may cover or lie in."""
_COVERED = ("/etc/passwd", "/etc/group", TEMPORARY)
"""Paths that no mount may cover."""
_FREE = ("/dev/shm",)  # noqa: S108 (a mount point: sites give it more memory)


def container_variables(plan: PodPlan) -> dict[str, str]:
    """The variables of the lab's container that have a value; no secret is among them."""
    reference, digest = plan.image_reference, plan.lab.image.digest
    pinned = reference if "@" in reference or not digest else f"{reference}@{digest}"
    variables = lab_variables(plan.lab)
    variables |= {"JUPYTER_IMAGE": reference, "JUPYTER_IMAGE_SPEC": pinned}
    if not plan.launcher:
        said = dict(plan.lab.hub_environment) | dict(plan.lab.environment)
        for name in _IMAGE_DECIDES:
            variables.pop(name, None)
            if name in said:
                variables[name] = said[name]
    by_reference = {entry["name"] for entry in _references(plan)}
    return {
        name: value
        for name, value in variables.items()
        if name not in TOKEN_VARIABLES and name not in by_reference
    }


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
    notebook["env"] = _environment(plan, variables)
    notebook["resources"] = _resources(notebook.get("resources") or {}, plan)
    if plan.launcher:
        # The kubelet replaces $(NAME) in commands as it does in variables.
        notebook["command"] = [LAUNCHER, *map(escape, plan.lab.extra_args)]
        notebook.pop("args", None)
    _mount_all(pod["spec"], notebook, plan, files)
    _secure(pod, notebook, plan)
    return pod


def escape(text: str) -> str:
    """Text that Kubernetes' expansion of ``$(NAME)`` turns into ``text`` again."""
    return text.replace("$", "$$")


def shared_writable(plan: PodPlan) -> tuple[ClaimMount, ...]:
    """The mounts of claims that other labs use too and that this one may write to."""
    mounts = list(plan.mounts)
    if plan.home is not None and not plan.home.own_claim:
        mounts.append(plan.home.mount)
    return tuple(mount for mount in mounts if not mount.read_only)


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
        {key: value}
        | labels
        | dict(plan.labels)
        | {LAB_LABEL: plan.pod_name, START_LABEL: plan.start_id}
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
    if plan.ephemeral_storage is not None:
        amount = {"ephemeral-storage": format_memory(plan.ephemeral_storage)}
        limits |= amount
        requests |= amount
    return dict(base) | {"limits": limits, "requests": requests}


def _guarantees(size: Size) -> dict[str, str]:
    return _amounts(
        size.cpu if size.cpu_guarantee is None else size.cpu_guarantee,
        size.memory if size.memory_guarantee is None else size.memory_guarantee,
    )


def _amounts(cpu: float, memory: int) -> dict[str, str]:
    amounts = {"cpu": cpu_quantity(cpu)} if math.isfinite(cpu) else {}
    return amounts | {"memory": format_memory(memory)}


def _mount_all(spec: Manifest, notebook: Manifest, plan: PodPlan, files: FileMounts) -> None:
    """Check the mounts of the site, then add the lab's own volumes and mounts."""
    given = spec.get("volumes") or []
    for volume in given:
        if volume["name"].startswith(_OWN_VOLUMES):
            raise PlanError(
                f"The site's volume {volume['name']!r} has a name of the platform's. Call it by "
                f"one that does not begin with {_OWN_VOLUMES!r}."
            )
    site = notebook.get("volumeMounts") or []
    claim_volumes, claim_mounts = _claims(plan)
    taken: dict[str, str] = {}
    for mount in [*site, *claim_mounts]:
        _check_mount(mount, taken, launcher=plan.launcher)
    volumes, mounts = _temporary(plan)
    spec["volumes"] = [*given, *files.volumes, *volumes, *claim_volumes]
    notebook["volumeMounts"] = [*site, *files.mounts, *mounts, *claim_mounts]


def _claims(plan: PodPlan) -> tuple[list[Manifest], list[Manifest]]:
    """One volume for each claim, however many folders of it are mounted."""
    wanted = [plan.home.mount] if plan.home else []
    wanted += plan.mounts
    by_claim: dict[str, list[ClaimMount]] = {}
    for use in wanted:
        by_claim.setdefault(use.claim, []).append(use)
    names = {claim: f"despejado-claim-{number}" for number, claim in enumerate(by_claim, 1)}
    volumes: list[Manifest] = []
    for claim, uses in by_claim.items():
        source: Manifest = {"claimName": claim}
        if all(use.read_only for use in uses):
            source["readOnly"] = True
        volumes.append({"name": names[claim], "persistentVolumeClaim": source})
    mounts: list[Manifest] = []
    for use in wanted:
        mount: Manifest = {"name": names[use.claim], "mountPath": use.path}
        if use.sub_path:
            mount["subPath"] = use.sub_path
        if use.read_only:
            mount["readOnly"] = True
        mounts.append(mount)
    return volumes, mounts


def _temporary(plan: PodPlan) -> tuple[list[Manifest], list[Manifest]]:
    """The folder for temporary files, and a home that goes with the lab where the site has none.

    In memory it is charged to the lab: what is written there counts to its memory limit.
    """
    source: Manifest = {"medium": "Memory"} if plan.temporary_in_memory else {}
    if plan.temporary_size is not None:
        source["sizeLimit"] = format_memory(plan.temporary_size)
    volumes: list[Manifest] = [{"name": _TEMPORARY_VOLUME, "emptyDir": source}]
    mounts: list[Manifest] = [{"name": _TEMPORARY_VOLUME, "mountPath": TEMPORARY}]
    if plan.home is None:
        volumes.append({"name": _HOME_VOLUME, "emptyDir": {}})
        mounts.append({"name": _HOME_VOLUME, "mountPath": str(plan.lab.home)})
    return volumes, mounts


def _check_mount(mount: Manifest, taken: dict[str, str], *, launcher: bool) -> None:
    """Refuse a mount that cannot be meant; ``taken`` collects the paths so far."""
    path, volume = mount.get("mountPath") or "", mount["name"]
    what = f"The mount of volume {volume!r} at {path!r}"
    parts = path.split("/")
    if not path.startswith("/") or ".." in parts or ":" in path:
        raise PlanError(f"{what} is refused: its path must be absolute, without '..' and ':'.")
    sub_path = mount.get("subPath") or mount.get("subPathExpr") or ""
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise PlanError(
            f"{what} is refused: its folder in the volume is {sub_path!r}, which must be relative "
            "and without '..'."
        )
    plain = "/" + "/".join(part for part in parts if part not in ("", "."))
    for reserved in _reserved(launcher=launcher):
        inside = reserved in _CLOSED and PurePosixPath(plain).is_relative_to(reserved)
        if plain not in _FREE and (inside or PurePosixPath(reserved).is_relative_to(plain)):
            raise PlanError(
                f"{what} is refused: it would cover {reserved}, which belongs to the system or "
                "the platform. Mount it elsewhere."
            )
    if plain in taken:
        raise PlanError(
            f"{what} is refused: volume {taken[plain]!r} is mounted there already. Give each a "
            "path of its own."
        )
    taken[plain] = volume


def _reserved(*, launcher: bool) -> Iterable[str]:
    for path in (*_CLOSED, *_COVERED):
        if launcher or path != "/opt/despejado":
            yield path


def _secure(pod: Manifest, notebook: Manifest, plan: PodPlan) -> None:
    identity, spec = plan.lab.identity, pod["spec"]
    if plan.restricted:
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
