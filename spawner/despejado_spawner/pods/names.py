"""Labels, annotations and names of a lab's objects; one place, because state lives in them."""

from __future__ import annotations

import hashlib

DOMAIN = "despejado.dev"

LAB_LABEL = f"{DOMAIN}/lab"
"""On every object of a lab: the name of its pod (see :func:`lab_labels`)."""
START_LABEL = f"{DOMAIN}/start"
"""On every object of a lab: the id of the start that made it."""
MANAGED_BY = ("app.kubernetes.io/managed-by", "despejado")
"""On every object that the platform made and may remove."""

TAG_ANNOTATION = f"{DOMAIN}/image-tag"
TITLE_ANNOTATION = f"{DOMAIN}/image-title"
DIGEST_ANNOTATION = f"{DOMAIN}/image-digest"
SIZE_ANNOTATION = f"{DOMAIN}/size"
HOME_ANNOTATION = f"{DOMAIN}/home"
"""On the pod: JSON of what the home job needs (uid, gid, sub_path), so that a restarted hub can
go on in the home phase."""
HOME_GATE = f"{DOMAIN}/home"
"""The scheduling gate of a pod whose home is not there yet (Kubernetes 1.30 and later)."""

CONTAINER = "notebook"
"""The lab's container; KubeSpawner's name, which its state and its users rely on."""
PORT_NAME = "notebook-port"


def object_name(pod_name: str, start_id: str) -> str:
    """The name of a lab's Secret, ConfigMap and NetworkPolicy: at most 253 characters."""
    return f"{pod_name[: 253 - len(start_id) - 1].rstrip('-.')}-{start_id}"


def lab_labels(pod_name: str, start_id: str) -> dict[str, str]:
    """The labels of every object of a start.

    A label holds 63 characters and a pod's name up to 253, which a site's template may use: the
    name of such a pod is cut and keeps a part of its SHA-256.
    """
    value = pod_name
    if len(value) > 63:
        digest = hashlib.sha256(pod_name.encode()).hexdigest()[:12]
        value = f"{pod_name[:50].rstrip('-._')}-{digest}"
    return {LAB_LABEL: value, START_LABEL: start_id}


def home_job_name(pod_name: str, start_id: str) -> str:
    """The name of the job that makes the home: at most 63 characters, as it becomes a label."""
    return f"home-{pod_name[: 63 - len(start_id) - 6].rstrip('-.')}-{start_id}"
