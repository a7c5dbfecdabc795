"""Home folders on a cluster: where they are, the job that makes one, and its verdict (pure)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from despejado_spawner.errors import HomeError
from despejado_spawner.homes import HomeReport
from despejado_spawner.pods.models import Manifest, PlanError, PodPlan
from despejado_spawner.pods.names import (
    HOME_ANNOTATION,
    MANAGED_BY,
    home_job_name,
    lab_labels,
)
from despejado_spawner.site.homes import Provisioner

VOLUME = "/homes"
"""Where the job sees the homes' volume."""
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
_KEPT_SECONDS = 300
_RESOURCES = {
    "limits": {"cpu": "1", "memory": "128Mi"},
    "requests": {"cpu": "50m", "memory": "32Mi"},
}
_SHOWN = 1000


@dataclass(frozen=True)
class HomeRequest:
    """What the job is asked to do. ``path`` is the home as the user knows it.

    ``sub_path`` is its folder below the volume's root; ``make_initial`` says that the folder above
    it is that of an initial (layout ``initial/username``), which may be made as well.
    """

    username: str
    uid: int
    gid: int
    path: str
    sub_path: str
    make_initial: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the job and the pod's annotation hold it."""
        return asdict(self)


def home_request(plan: PodPlan) -> HomeRequest | None:
    """What the job of this lab is asked, None if nobody needs to make its home."""
    home = plan.home
    if home is None or home.own_claim or home.provisioner is None:
        return None
    identity, sub_path = plan.lab.identity, home.mount.sub_path
    if not sub_path:
        raise PlanError(
            f"The home of {identity.username!r} is the whole of claim {home.mount.claim!r}, which "
            "all labs share.",
            "A home on a shared claim needs a folder (sub_path).",
        )
    above = PurePosixPath(sub_path)
    return HomeRequest(
        username=identity.username,
        uid=identity.uid,
        gid=identity.gid,
        path=str(plan.lab.home),
        sub_path=sub_path,
        make_initial=above.parent.name == above.name[:1],
    )


def known_request(pod: Manifest) -> HomeRequest:
    """The request of a pod that an earlier hub created, from its annotation.

    Raises
    ------
    PlanError
        If it has none that can be read.
    """
    text = (pod["metadata"].get("annotations") or {}).get(HOME_ANNOTATION, "")
    try:
        return HomeRequest(**json.loads(text))
    except (ValueError, TypeError):
        raise PlanError(
            f"The pod {pod['metadata']['name']} waits for its home, and its annotation "
            f"{HOME_ANNOTATION} does not say which.",
            "Stop the lab and start it again.",
        ) from None


def home_job(
    request: HomeRequest, provisioner: Provisioner, pod_name: str, start_id: str
) -> Manifest:
    """The job that makes one home, in the provisioner's namespace.

    It is root with three capabilities, which Pod Security *baseline* allows and *restricted* does
    not; nothing of the user runs in it.
    """
    key, value = MANAGED_BY
    labels = lab_labels(pod_name, start_id) | {key: value}
    pod_spec: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(request, provisioner)],
        "volumes": [
            {"name": "homes", "persistentVolumeClaim": {"claimName": provisioner.claim}},
        ],
    }
    if provisioner.pull_secrets:
        pod_spec["imagePullSecrets"] = [{"name": name} for name in provisioner.pull_secrets]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": home_job_name(pod_name, start_id),
            "namespace": provisioner.namespace,
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "activeDeadlineSeconds": max(1, round(provisioner.timeout)),
            "template": {"metadata": {"labels": dict(labels)}, "spec": pod_spec},
        },
    }


def _container(request: HomeRequest, provisioner: Provisioner) -> Manifest:
    command = ["python3", "-I", "-S", "-c", home_source(), json.dumps(request.to_json()), VOLUME]
    return {
        "name": "home",
        "image": provisioner.image,
        # The kubelet replaces $(NAME) in commands.
        "command": [part.replace("$", "$$") for part in command],
        "resources": {kind: dict(amounts) for kind, amounts in _RESOURCES.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": list(_CAPABILITIES)},
            "readOnlyRootFilesystem": True,
        },
        # A Python that does not start says why in its log only.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "homes", "mountPath": VOLUME}],
    }


@functools.cache
def home_source() -> str:
    """The text of ``home_script.py``."""
    return Path(__file__).with_name("home_script.py").read_text("utf-8")


def read_home_verdict(message: str) -> HomeReport:
    """What the job's termination message says.

    Raises
    ------
    HomeError
        With the reason of a refusal, or with the message itself if it is no verdict.
    """
    try:
        verdict = json.loads(message)
    except ValueError:
        verdict = None
    if isinstance(verdict, Mapping):
        error, created = verdict.get("error"), verdict.get("created")
        if isinstance(error, str) and error:
            raise HomeError(error, "")  # its own words say what to do
        if isinstance(created, bool):
            warnings = verdict.get("warnings")
            texts = warnings if isinstance(warnings, list) else []
            return HomeReport(created, tuple(map(str, texts)))
    raise HomeError(
        "The job that prepares home folders failed. Tell the administrator; it said: "
        f"{message.strip()[-_SHOWN:] or 'nothing'}",
        "",
    )
