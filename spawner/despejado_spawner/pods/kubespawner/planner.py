"""What a start on a site without an image menu consists of: its own pod, made safe."""

from __future__ import annotations

from typing import Protocol

from despejado_spawner.pods.kubespawner.adopted import (
    AdoptedPlan,
    adopted_dependents,
    adopted_pod,
)
from despejado_spawner.pods.kubespawner.lean import quicken
from despejado_spawner.pods.lab_identity import lab_identity
from despejado_spawner.pods.plan.network import lab_network_policy, lab_network_rules
from despejado_spawner.pods.plan.security import restrict
from despejado_spawner.pods.planner import Planned, PlannedLab, PodSource


class AdoptedLab(PlannedLab, Protocol):
    """A spawner whose site was made for KubeSpawner."""

    working_dir: str | None


class StockPlanner:
    """Plans labs whose pod KubeSpawner's traits and hooks describe."""

    def __init__(self, lab: AdoptedLab, source: PodSource) -> None:
        self._lab = lab
        self._source = source

    async def plan(self, start_id: str) -> Planned:
        """See :class:`~despejado_spawner.pods.planner.Planner`."""
        lab, site = self._lab, self._lab.site
        base = await self._source.own_pod()
        own = lab.identity_hook is not None
        identity = await lab_identity(lab) if site.restricted or own else None
        plan = AdoptedPlan(
            namespace=lab.namespace,
            pod_name=lab.pod_name,
            start_id=start_id,
            base=base,
            identity=identity if own else None,
            home=lab.working_dir or "/home/jovyan",
            secrets=lab.secrets,
            network=None if site.network is None else lab_network_rules(site.network, lab.port),
            restricted=site.restricted,
            base_passwd=lab.base_passwd,
            base_group=lab.base_group,
        )
        pod = adopted_pod(plan)
        if identity is not None:
            restrict(pod, identity, own_identity=own)
        secret, config_map = adopted_dependents(plan)
        dependents = [secret]
        if (lab.quick_start and quicken(pod, config_map)) or config_map["data"]:
            dependents.append(config_map)
        if plan.network is not None:
            policy = lab_network_policy(lab.namespace, lab.pod_name, start_id, plan.network)
            dependents.append(policy)
        return Planned(pod, (*dependents, *self._source.certificates(start_id)))
