"""What the hub may do in a cluster: one table, from which Roles and documentation are made (pure).

Two namespaced Roles are all: one where labs live, one where the platform's own jobs do. Nothing is
cluster-wide. A right stands here because a call of ``LabSpawner`` needs it, and the tests' hubs run
with these rights and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

ROLE_NAME = "despejado-hub"


@dataclass(frozen=True)
class Right:
    """Verbs on one resource, and what they are for."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    purpose: str


LABS: tuple[Right, ...] = (
    Right("", "pods", ("create", "delete", "get", "list", "patch", "watch"), "labs themselves"),
    Right("", "pods/log", ("get",), "the last words of a lab that failed"),
    Right("", "events", ("list", "watch"), "what the cluster says of a starting lab"),
    Right("", "secrets", ("create", "delete", "list", "patch"), "tokens of labs"),
    Right("", "configmaps", ("create", "delete", "list", "patch"), "files of labs"),
    Right(
        "networking.k8s.io",
        "networkpolicies",
        ("create", "delete", "list", "patch"),
        "who may reach a lab",
    ),
    Right("", "persistentvolumeclaims", ("create", "get"), "a claim for each user"),
)
"""In the namespace of labs."""
SERVICES = Right("", "services", ("create", "delete", "list"), "a Service for each lab")
"""In the namespace of labs as well, where a hub has ``internal_ssl`` or ``services_enabled``."""
PLATFORM: tuple[Right, ...] = (
    Right("batch", "jobs", ("create", "delete", "list"), "the job that makes a home"),
    Right("", "pods", ("list", "watch"), "its verdict"),
)
"""In the namespace of the home provisioner, where there is one."""


def role(namespace: str, rights: Sequence[Right]) -> Manifest:
    """A Role with these rights."""
    rules = [
        {"apiGroups": [each.group], "resources": [each.resource], "verbs": list(each.verbs)}
        for each in rights
    ]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": ROLE_NAME, "namespace": namespace},
        "rules": rules,
    }


def binding(namespace: str, account: str, account_namespace: str) -> Manifest:
    """The Role of a namespace for the hub's service account."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": account_namespace}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ROLE_NAME, "namespace": namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": ROLE_NAME,
        },
        "subjects": [subject],
    }


def role_objects(labs: str, platform: str | None, account: str = "hub") -> list[Manifest]:
    """Everything that a hub's service account needs; it lives in ``platform``, else in ``labs``.

    Where both are the same namespace its Role has the rights of both.
    """
    home = platform or labs
    found: list[Manifest] = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account, "namespace": home},
        }
    ]
    wanted = {labs: list(LABS)}
    if platform is not None:
        wanted.setdefault(platform, []).extend(PLATFORM)
    for namespace, rights in wanted.items():
        found += [role(namespace, rights), binding(namespace, account, home)]
    return found
