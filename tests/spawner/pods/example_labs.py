"""Labs of several kinds of sites, as plans; their pods come through a real ``KubeSpawner``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from despejado_images.image import Image
from despejado_spawner.models import Group, Identity, LabPlan, Size, SpawnOptions
from despejado_spawner.pods.kubespawner.manifests import as_manifest
from despejado_spawner.pods.models import (
    ClaimMount,
    Home,
    Manifest,
    PodPlan,
)
from despejado_spawner.pods.plan.network import lab_network_rules
from despejado_spawner.site.homes import Provisioner
from despejado_spawner.site.model import PodSettings
from despejado_spawner.site.network import Network
from despejado_spawner.site.storage import Temporary
from kubespawner import KubeSpawner

START_ID = "0a1b2c3d"
SERVER_TOKEN = "server-token-that-is-secret"
DATA_TOKEN = "data-token-that-is-secret"
REGISTRY = "registry.example.org/despejado/lab"
DIGEST = f"sha256:{'ab' * 32}"
GIB = 2**30
RACHEL = Identity(
    "rachel", 5001, 5001, (Group("rachel", 5001), Group("stars", 6100)), "Rachel Ångström"
)
PROVISIONER = Provisioner(namespace="lab-homes", claim="homes-admin", image=f"{REGISTRY}:plain")
NETWORK = {
    "hub": {"pods": {"component": "hub"}, "namespace": "hub"},
    "proxy": {"pods": {"component": "proxy"}, "namespace": "hub"},
    "allow": [
        {"pods": {"app": "tap"}, "namespace": "data", "ports": [8080]},
        {"cidr": "198.51.100.7", "ports": [443, 5432]},
    ],
    "internet": {"ports": [443]},
}
DISCOVERY = {
    "datasets": {
        "dp1": {
            "butler_config": "https://data.example.org/butler/dp1",
            "services": {"tap": {"url": "https://data.example.org/tap"}},
        }
    },
    "services": {"internal": {}},
    "influxdb_databases": {},
    "despejado": {"hub_url": "https://labs.example.org/hub/", "default_dataset": "dp1"},
}

SITE: dict[str, Any] = {
    "image_pull_secrets": ["registry-key"],
    "environment": {
        "SITE": "cerro",
        "ADDRESS": {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    },
}
"""What the observatory says by KubeSpawner's own traits."""


async def site_pod(identity: Identity = RACHEL, server: str = "", **traits: Any) -> Manifest:
    """The pod that a site's KubeSpawner traits describe, as ``LabSpawner`` gets it."""
    with patch("kubespawner.spawner.load_config"):  # no cluster is asked
        spawner = KubeSpawner(_mock=True, **traits)
    spawner.user.name = identity.username
    spawner.orm_spawner = SimpleNamespace(name=server, server=None)
    spawner.pod_name = spawner._expand_user_properties(spawner.pod_name_template)
    spawner.api_token = SERVER_TOKEN
    return as_manifest(await spawner.get_pod_manifest())


def lab_plan(identity: Identity = RACHEL, **changes: Any) -> LabPlan:
    """What a lab of ``identity`` is wherever it runs."""
    plan = LabPlan(
        identity=identity,
        options=SpawnOptions("w_2026_43", "small"),
        image=Image(
            "w_2026_43",
            "Weekly 2026_43",
            digest=DIGEST,
            versions={"lsst-daf-butler": "30.2026.4300"},
        ),
        size=Size("small", 2.5, 3 * GIB, 0.5, GIB),
        server_name="",
        base_url=f"/user/{identity.username}/",
        hub_url="/hub/",
        ip="0.0.0.0",
        port=8888,
        home=Path("/home") / identity.username,
        runtime=Path("/etc/despejado"),
        server_prefix=Path("/opt/despejado/ui"),
        kernel_python=Path("/opt/despejado/stack/bin/python"),
        discovery=DISCOVERY,
        hub_environment={
            "JUPYTERHUB_API_TOKEN": SERVER_TOKEN,
            "JPY_API_TOKEN": SERVER_TOKEN,
            "JUPYTERHUB_API_URL": "http://hub.hub:8081/hub/api",
            "JUPYTERHUB_USER": identity.username,
            "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:8888/user/{identity.username}/",
        },
        environment={"SITE": "cerro", "PRICE": "$(HOME) costs $5 or $$"},
        secrets={"token": DATA_TOKEN},
        base_passwd="root:x:0:0:root:/root:/bin/bash\n",
        base_group="root:x:0:\n",
    )
    return replace(plan, **changes)


def pod_plan(lab: LabPlan, base: Manifest, **changes: Any) -> PodPlan:
    """One start of a lab, from an image of this project by default."""
    plan = PodPlan(
        lab=lab,
        namespace="labs",
        pod_name=base["metadata"]["name"],
        start_id=START_ID,
        base=base,
        image_reference=f"{REGISTRY}@{DIGEST}",
    )
    return replace(plan, **changes)


def with_settings(plan: PodPlan, **changes: Any) -> PodPlan:
    """The same lab of a site with other settings."""
    return replace(plan, settings=plan.settings.model_copy(update=changes))


def shared_home(identity: Identity, folder: str | None = None) -> Home:
    """A home on the claim of all homes, made by the platform's job."""
    folder = folder or identity.username
    return Home(ClaimMount("homes", f"/home/{folder}", folder), provisioner=PROVISIONER)


async def observatory() -> PodPlan:
    """Our image; shared homes, a group space, read-only data, scratch; network rules."""
    return pod_plan(
        lab_plan(),
        await site_pod(**SITE),
        home=shared_home(RACHEL),
        mounts=(
            ClaimMount("project", "/project"),
            ClaimMount("data", "/data/dp1", "releases/dp1", read_only=True),
            ClaimMount("data", "/data/raw", "raw", read_only=True),
            ClaimMount("scratch", "/scratch/rachel", "rachel"),
        ),
        network=lab_network_rules(Network.model_validate(NETWORK), 8888),
        settings=PodSettings(temporary=Temporary(size=10 * GIB), ephemeral_storage=20 * GIB),
    )


async def foreign_image() -> PodPlan:
    """A stock image on a site with init containers, sidecars, volumes, a GPU and a selector."""
    base = await site_pod(
        cmd=["jupyterhub-singleuser"],
        args=["--debug"],
        node_selector={"pool": "gpu"},
        tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        extra_resource_limits={"nvidia.com/gpu": "1"},
        init_containers=[
            {
                "name": "welcome",
                "image": "busybox:1.37",
                "command": ["true"],
                "securityContext": {"privileged": True, "runAsUser": 0},
            }
        ],
        extra_containers=[
            {
                "name": "sync",
                "image": "registry.example.org/sync:2",
                "securityContext": {
                    "runAsUser": 65532,
                    "capabilities": {"add": ["NET_BIND_SERVICE", "NET_ADMIN"]},
                    "seccompProfile": {"type": "Unconfined"},
                },
            }
        ],
        volumes=[
            {"name": "notes", "configMap": {"name": "notes"}},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
        volume_mounts=[
            {"name": "notes", "mountPath": "/etc/jupyter/notes"},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
        extra_labels={"team": "stars"},
        uid=1000,
        fs_gid=100,
    )
    lab = lab_plan(image=Image("stock", "Stock notebook"), home=Path("/home/rachel"))
    return pod_plan(
        lab,
        base,
        image_reference="quay.io/jupyter/base-notebook:2026-11-02",
        launcher=False,
        home=Home(ClaimMount("homes", "/home/rachel", "rachel")),
        labels={"cost-centre": "stars"},
    )


async def own_claim() -> PodPlan:
    """A claim for each user; /tmp in memory."""
    return replace(
        with_settings(await observatory(), temporary=Temporary(size=GIB, in_memory=True)),
        home=Home(ClaimMount("claim-rachel", "/home/rachel"), own_claim=True),
        mounts=(ClaimMount("data", "/data/dp1", "releases/dp1", read_only=True),),
    )


async def no_home() -> PodPlan:
    """Nothing outlives the lab, and no network rules."""
    return replace(
        with_settings(await observatory(), temporary=Temporary()),
        lab=lab_plan(home=Path("/tmp/home")),
        home=None,
        mounts=(),
        network=None,
    )


async def initial_layout() -> PodPlan:
    """Homes below folders of initials."""
    home = Path("/home/r/rachel")
    return replace(
        await observatory(), lab=lab_plan(home=home), home=shared_home(RACHEL, "r/rachel")
    )


async def named_server() -> PodPlan:
    """A second lab of the same user, with arguments for the server."""
    base = await site_pod(server="second", **SITE)
    return replace(
        await observatory(),
        lab=lab_plan(
            server_name="second",
            base_url="/user/rachel/second/",
            extra_args=("--ServerApp.answer=$(42)",),
        ),
        base=base,
        pod_name=base["metadata"]["name"],
    )


async def debug_and_reset() -> PodPlan:
    """A lab that says more and begins with a clean environment."""
    options = SpawnOptions("w_2026_43", "small", debug=True, reset=True)
    return replace(await observatory(), lab=lab_plan(options=options))


async def odd_identity() -> PodPlan:
    """No full name, a ``:`` in the user's name, 20 groups."""
    groups = tuple(Group(f"group{number}", 7000 + number) for number in range(20))
    odd = Identity("ra:chel", 5001, 5002, groups)
    base = await site_pod(odd, **SITE)
    return replace(
        await observatory(),
        lab=lab_plan(odd, home=Path("/home/ra-chel")),
        base=base,
        pod_name=base["metadata"]["name"],
        home=shared_home(odd, "ra-chel"),
    )


async def as_configured() -> PodPlan:
    """A site that writes all security contexts itself."""
    base = await site_pod(
        allow_privilege_escalation=True,
        container_security_context={"runAsUser": 0, "capabilities": {"add": ["SYS_PTRACE"]}},
        pod_security_context={"seccompProfile": {"type": "Unconfined"}},
        init_containers=[{"name": "welcome", "image": "busybox:1.37"}],
        **SITE,
    )
    return with_settings(replace(await observatory(), base=base), pod_security="as-configured")


LABS: dict[str, Callable[[], Awaitable[PodPlan]]] = {
    make.__name__: make
    for make in (
        observatory,
        foreign_image,
        own_claim,
        no_home,
        initial_layout,
        named_server,
        debug_and_reset,
        odd_identity,
        as_configured,
    )
}
"""All of them by name. The first two have a golden file, the others one that says how they differ
from the first."""
