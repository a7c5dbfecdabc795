"""All objects of a lab from its plan, and what an operator should know of it (pure)."""

from __future__ import annotations

from despejado_spawner.identity import account_name
from despejado_spawner.pods.models import LabObjects, PodPlan
from despejado_spawner.pods.plan.files import config_map, secret
from despejado_spawner.pods.plan.home_job import home_job, home_request
from despejado_spawner.pods.plan.mounts import TEMPORARY, shared_writable
from despejado_spawner.pods.plan.network import lab_network_policy
from despejado_spawner.pods.plan.pod import build_pod, container_variables
from despejado_spawner.pods.plan.security import still_refused

NFS_GROUPS = 16
"""Groups that a call of NFS with AUTH_SYS carries (RFC 5531, appendix A)."""


def build_lab(plan: PodPlan) -> LabObjects:
    """Everything that a lab is made of; nothing is created.

    Raises
    ------
    PlanError
        If the site's pod and the plan do not fit together: a mount over a place of the platform,
        two mounts at one path, a secret or variable with an impossible name.
    """
    request, provisioner = home_request(plan), plan.home.provisioner if plan.home else None
    return LabObjects(
        secret=secret(plan),
        config_map=config_map(plan, container_variables(plan)),
        network_policy=None
        if plan.network is None
        else lab_network_policy(plan.namespace, plan.pod_name, plan.start_id, plan.network),
        pod=build_pod(plan),
        home_job=None
        if request is None or provisioner is None
        else home_job(request, provisioner, plan.pod_name, plan.start_id),
    )


def plan_warnings(plan: PodPlan) -> tuple[str, ...]:
    """What works otherwise than somebody may expect: sentences for the hub's log and ``render``."""
    return (*_identity_warnings(plan), *_storage_warnings(plan), *_security_warnings(plan))


def _identity_warnings(plan: PodPlan) -> list[str]:
    identity, found = plan.lab.identity, []
    gids = identity.supplemental_gids
    if len(gids) > NFS_GROUPS:
        # The Linux client sends the lowest numbers.
        left_out = ", ".join(map(str, sorted(gids)[NFS_GROUPS:]))
        found.append(
            f"{identity.username} is in {len(gids)} groups, and NFS without Kerberos carries "
            f"{NFS_GROUPS}: files that only the groups {left_out} may read will be refused there, "
            "unless the server looks groups up itself (--manage-gids)."
        )
    if (name := account_name(identity.username)) != identity.username:
        found.append(
            f"The name {identity.username!r} cannot stand in a passwd file; there it is {name!r}."
        )
    return found


def _storage_warnings(plan: PodPlan) -> list[str]:
    found = []
    memory = plan.lab.size.memory
    temporary = plan.settings.temporary
    if temporary.in_memory and (temporary.size or memory) >= memory:
        found.append(
            f"{TEMPORARY} is in memory and may grow to the lab's memory limit: a large file there "
            "ends the lab. Give it a smaller size."
        )
    shared = ", ".join(sorted({mount.claim for mount in shared_writable(plan)}))
    own_claim = plan.home is not None and plan.home.own_claim
    if own_claim and shared:
        found.append(
            f"The lab has an own claim and so an fsGroup, and may write to shared claims ({shared})"
            ": where their driver supports fsGroup, the group of all files there is changed."
        )
    if not own_claim and shared and (plan.base["spec"].get("securityContext") or {}).get("fsGroup"):
        found.append(f"fs_gid is not used: it would change the files of shared claims ({shared}).")
    return found


def _security_warnings(plan: PodPlan) -> list[str]:
    if not plan.settings.restricted:
        return []
    return [
        f"A namespace that enforces Pod Security restricted refuses the lab: {reason}."
        for reason in still_refused(plan.base)
    ]
