"""What a start from an image menu consists of: site, options and identity become objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from despejado_spawner.lab_plan import LabServer, Places, plan_lab
from despejado_spawner.options.menu import bigger_sizes
from despejado_spawner.pods.homes import HousedLab, LabHomes
from despejado_spawner.pods.kubespawner.lean import quicken
from despejado_spawner.pods.lab_identity import IdentifiedLab, lab_identity
from despejado_spawner.pods.models import ClaimMount, Manifest, PodPlan
from despejado_spawner.pods.options import MenuOptions
from despejado_spawner.pods.plan.build import build_lab, plan_warnings
from despejado_spawner.pods.plan.network import lab_network_rules
from despejado_spawner.site.options import effect_of

RUNTIME = Path("/etc/despejado")
SERVER_PREFIX = Path("/opt/despejado/ui")
KERNEL_PYTHON = Path("/opt/despejado/stack/bin/python")
"""Where images of this project have their two environments (images/)."""


@dataclass(frozen=True)
class Planned:
    """The objects of one start; ``pod`` after the site's ``modify_pod_hook``."""

    pod: Manifest
    dependents: tuple[Manifest, ...] = field(repr=False)
    home_job: Manifest | None = None
    warnings: tuple[str, ...] = ()


class Planner(Protocol):
    """Makes the objects of a start; creates nothing."""

    async def plan(self, start_id: str) -> Planned:
        """All objects of a start.

        Raises
        ------
        SpawnerError
            If the options or the identity do not do.
        """
        ...


class PodSource(Protocol):
    """The site's own pod (:class:`~despejado_spawner.pods.kubespawner.stock.Stock`)."""

    async def base_pod(self) -> Manifest:
        """The pod that the traits of KubeSpawner describe."""
        ...

    async def own_pod(self) -> Manifest:
        """The same after the site's ``modify_pod_hook``.

        Raises
        ------
        PlanError
            If the hook returns none.
        """
        ...

    async def modified(self, pod: Manifest) -> Manifest:
        """A pod of ours after that hook; raises as `own_pod` does."""
        ...

    def variables(self, base: Manifest) -> dict[str, str]:
        """JupyterHub's and the site's variables of the server, as they are in the lab."""
        ...

    def certificates(self, start_id: str) -> tuple[Manifest, ...]:
        """The Secret with the lab's certificates, with ``internal_ssl``; else nothing."""
        ...

    def expand(self, value: Any) -> Any:
        """A value with KubeSpawner's templates in all its texts filled in."""
        ...


class PlannedLab(LabServer, IdentifiedLab, HousedLab, Protocol):
    """A spawner, as far as its lab is planned from it."""

    namespace: str
    quick_start: bool


class LabPlanner:
    """Plans labs of a site with an image menu."""

    def __init__(
        self, lab: PlannedLab, source: PodSource, options: MenuOptions, homes: LabHomes
    ) -> None:
        self._lab = lab
        self._source = source
        self._options = options
        self._homes = homes

    async def plan(self, start_id: str) -> Planned:
        """See :class:`Planner`."""
        plan = await self.pod_plan(start_id)
        objects = build_lab(plan)
        pod = await self._source.modified(objects.pod)
        if self._lab.quick_start:
            quicken(pod, objects.config_map)
        dependents = (*objects.dependents, *self._source.certificates(start_id))
        return Planned(pod, dependents, objects.home_job, plan_warnings(plan))

    async def pod_plan(self, start_id: str) -> PodPlan:
        """The lab of this start as a pod, decided.

        Raises
        ------
        SpawnerError
            If the options or the identity do not do.
        """
        lab, site = self._lab, self._lab.site
        base = await self._source.base_pod()
        options, menu = await self._options.chosen(), await self._options.menu()
        effect = effect_of(site.options, options.own)
        image, size = menu.image(options.image), menu.size(effect.size or options.size)
        identity = await lab_identity(lab)
        home, path = self._homes.home(identity)
        places = Places(
            ip="0.0.0.0",  # noqa: S104 (the pod's own; a NetworkPolicy says who reaches it)
            home=path,
            runtime=RUNTIME,
            server_prefix=SERVER_PREFIX,
            kernel_python=KERNEL_PYTHON,
        )
        mounts = (*site.mounts, *effect.mounts)
        return PodPlan(
            lab=plan_lab(
                lab,
                places,
                identity=identity,
                options=options,
                image=image,
                size=size,
                bigger_sizes=bigger_sizes(menu.sizes, size),
                variables=self._source.variables(base),
                chosen=effect.environment,
            ),
            namespace=lab.namespace,
            pod_name=lab.pod_name,
            start_id=start_id,
            base=base,
            image_reference=image.reference,
            launcher=image.launcher,
            home=home,
            mounts=tuple(ClaimMount(**self._source.expand(dict(mount))) for mount in mounts),
            network=None if site.network is None else lab_network_rules(site.network, lab.port),
            settings=site,
            effect=effect,
        )
