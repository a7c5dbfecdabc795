"""From what a hub knows of a start to the plan of a pod. Pure: everything is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from despejado_images.image import Image

from despejado_spawner.models import Identity, LabPlan, Size, SpawnOptions
from despejado_spawner.pods.models import (
    ClaimMount,
    Home,
    Manifest,
    PodPlan,
)
from despejado_spawner.pods.plan.network import lab_network_rules
from despejado_spawner.site.homes import Homes
from despejado_spawner.site.model import Site

RUNTIME = Path("/etc/despejado")
SERVER_PREFIX = Path("/opt/despejado/ui")
KERNEL_PYTHON = Path("/opt/despejado/stack/bin/python")
"""Where images of this project have their two environments (images/)."""
NO_HOME = Path("/tmp/home")  # noqa: S108 (the pod's own emptyDir)


@dataclass(frozen=True)
class StartFacts:
    """What is known of one start before its plan is made.

    ``folder`` is the user's folder name below the homes, ``claim`` the user's own claim where
    each has one. ``home_known`` says that an earlier start has provisioned this very home for
    this very user. ``hub_variables`` are JupyterHub's for the server, ``site_variables`` the
    site's.
    """

    identity: Identity
    options: SpawnOptions
    image: Image
    size: Size
    server_name: str
    base_url: str
    hub_url: str
    port: int
    namespace: str
    pod_name: str
    start_id: str
    base: Manifest = field(repr=False)
    folder: str
    claim: str
    home_known: bool
    hub_variables: Mapping[str, str] = field(repr=False)
    site_variables: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    default_url: str
    arguments: tuple[str, ...]
    bigger_sizes: tuple[str, ...] = ()


def plan_pod(start: StartFacts, site: Site) -> PodPlan:
    """The plan of a lab from an image menu; the mounts of ``site`` are those of this user."""
    home, path = _home(start, site.homes)
    lab = LabPlan(
        identity=start.identity,
        options=start.options,
        image=start.image,
        size=start.size,
        server_name=start.server_name,
        base_url=start.base_url,
        hub_url=start.hub_url,
        ip="0.0.0.0",  # noqa: S104 (the pod's own; a NetworkPolicy says who reaches it)
        port=start.port,
        home=path,
        runtime=RUNTIME,
        server_prefix=SERVER_PREFIX,
        kernel_python=KERNEL_PYTHON,
        discovery=site.discovery,
        hub_environment=start.hub_variables,
        environment=start.site_variables,
        secrets=start.secrets,
        base_passwd=site.base_passwd,
        base_group=site.base_group,
        default_url=start.default_url,
        extra_args=start.arguments,
        bigger_sizes=start.bigger_sizes,
    )
    return PodPlan(
        lab=lab,
        namespace=start.namespace,
        pod_name=start.pod_name,
        start_id=start.start_id,
        base=start.base,
        image_reference=start.image.reference,
        launcher=start.image.launcher,
        home=home,
        mounts=tuple(ClaimMount(**dict(mount)) for mount in site.mounts),
        network=None if site.network is None else lab_network_rules(site.network, start.port),
        settings=site,
    )


def _home(start: StartFacts, homes: Homes | None) -> tuple[Home | None, Path]:
    if homes is None:
        return None, NO_HOME
    path = Path(homes.path) / homes.folder(start.folder)
    if homes.claim is None:
        return Home(ClaimMount(start.claim, str(path)), own_claim=True), path
    mount = ClaimMount(homes.claim, str(path), homes.folder(start.folder))
    return Home(mount, provisioner=None if start.home_known else homes.provisioner), path
