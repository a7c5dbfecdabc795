"""Built objects on a real cluster: what another image sees of them, and the job that makes homes.

Labs of our own images are tested with a hub, in ``tests/cluster``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from despejado_spawner.errors import HomeError
from despejado_spawner.homes import HomeReport
from despejado_spawner.pods.creation import home_report
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.plan.build import build_lab
from despejado_spawner.pods.plan.home_job import HomeRequest, home_job
from despejado_spawner.site.homes import Provisioner

from tests.cluster.clusters import Cluster, find_cluster
from tests.cluster.kube import Kube, fresh_namespace
from tests.cluster.sites import ENFORCE, PLAIN, STOCK
from tests.spawner.pods.example_labs import (
    DATA_TOKEN,
    DISCOVERY,
    SERVER_TOKEN,
    lab_plan,
    observatory,
    site_pod,
)

pytestmark = pytest.mark.cluster

LOOK = """
import grp, json, os, pathlib, pwd
def can_write(folder):
    try:
        pathlib.Path(folder, "x").touch()
    except OSError:
        return False
    return True
def text(path):
    return pathlib.Path(path).read_text()
print(json.dumps({
    "user": list(pwd.getpwuid(os.getuid())),
    "groups": [grp.getgrgid(gid).gr_name for gid in os.getgroups()],
    "discovery": [json.loads(text(f"/etc/{name}/discovery/v1.json"))
                  for name in ("despejado", "nublado")],
    "token": [text(f"/etc/{name}/secrets/token") for name in ("despejado", "nublado")],
    "secrets": sorted(name for name in os.listdir("/etc/despejado/secrets") if name[0] != "."),
    "price": [os.environ["PRICE"], text("/etc/despejado/environment/PRICE")],
    "hub token": os.environ["JUPYTERHUB_API_TOKEN"],
    "node": os.environ["NODE_NAME"],
    "writable": [folder for folder in (os.environ["HOME"], "/tmp", "/etc/despejado/secrets")
                 if can_write(folder)],
    "account": os.path.exists("/var/run/secrets/kubernetes.io"),
}))
"""


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    found = find_cluster()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def kube(cluster: Cluster) -> Kube:
    return Kube(cluster.kubeconfig)


@pytest.fixture
def labs(kube: Kube) -> Iterator[str]:
    with fresh_namespace(kube, "labs", **{ENFORCE: "restricted"}) as name:
        kube.namespace = name
        yield name


@pytest.fixture
def homes(cluster: Cluster, kube: Kube) -> Iterator[Provisioner]:
    """A namespace with a volume for homes, of the cluster's default storage class."""
    with fresh_namespace(kube, "homes", **{ENFORCE: "baseline"}) as name:
        kube.namespace = name
        kube.create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "homes", "namespace": name},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Mi"}},
                },
            }
        )
        yield Provisioner(namespace=name, claim="homes", image=cluster.image(PLAIN))


async def test_what_an_image_without_our_launcher_sees(
    cluster: Cluster, kube: Kube, labs: str
) -> None:
    plan = replace(
        await observatory(),
        namespace=labs,
        lab=lab_plan(home=Path("/tmp/home")),
        base=await site_pod(cmd=["python3", "-c", LOOK]),
        image_reference=cluster.image(STOCK),
        launcher=False,
        home=None,
        mounts=(),
        network=None,
    )
    seen = json.loads(run(kube, plan.pod_name, *objects_of(plan)))
    assert seen["user"] == ["rachel", "x", 5001, 5001, "Rachel Ångström", "/tmp/home", "/bin/bash"]
    assert seen["groups"] == ["rachel", "stars"]
    assert seen["discovery"] == [DISCOVERY, DISCOVERY]
    assert seen["token"] == [DATA_TOKEN, DATA_TOKEN]
    assert seen["secrets"] == ["netrc", "token"]
    assert seen["price"] == ["$(HOME) costs $5 or $$"] * 2
    assert seen["hub token"] == SERVER_TOKEN
    assert seen["node"]
    assert seen["writable"] == ["/tmp/home", "/tmp"]
    assert not seen["account"]


def test_the_job_makes_a_home_and_says_why_it_does_not(kube: Kube, homes: Provisioner) -> None:
    request = HomeRequest("rachel", 5001, 5001, "/home/rachel", "rachel")
    made = job_pod(kube, home_job(request, homes, "jupyter-rachel", "01"))
    assert home_report(made) == HomeReport(created=True)
    found = job_pod(kube, home_job(request, homes, "jupyter-rachel", "02"))
    assert home_report(found) == HomeReport(created=False)
    elsewhere = replace(request, sub_path="absent/rachel")
    refused = job_pod(kube, home_job(elsewhere, homes, "jupyter-rachel", "03"))
    with pytest.raises(HomeError, match="'absent' above it is not there"):
        home_report(refused)


def objects_of(plan: Any) -> tuple[Manifest, ...]:
    objects = build_lab(plan)
    return (*objects.dependents, objects.pod)


def run(kube: Kube, pod: str, *manifests: Manifest) -> str:
    """Create the objects and return what the pod has said when it is over."""
    for manifest in manifests:
        kube.create(manifest)
    kube.wait("Pod", pod, is_over)
    return kube.logs(pod)


def job_pod(kube: Kube, job: Manifest) -> Manifest:
    """The pod of a job when it is over."""
    name = job["metadata"]["name"]
    kube.create(job)
    kube.wait("Job", name, lambda found: bool((found or {}).get("status", {}).get("conditions")))
    [pod] = kube.list("Pod", labelSelector=f"batch.kubernetes.io/job-name={name}")
    return pod


def is_over(pod: Manifest | None) -> bool:
    return (pod or {}).get("status", {}).get("phase") in ("Succeeded", "Failed")
