"""A real API server takes our objects where it enforces Pod Security, by server-side dry run."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from despejado_spawner.pods.models import LabObjects, Manifest, PodPlan
from despejado_spawner.pods.plan.build import build_lab
from kubernetes_asyncio import config
from kubernetes_asyncio.client import (
    ApiClient,
    ApiException,
    CoreV1Api,
    V1Namespace,
    V1ObjectMeta,
    V1ServiceAccount,
)

from tests.spawner.pods.example_labs import LABS, site_pod

pytestmark = pytest.mark.cluster

PATHS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
}
RESTRICTED = [name for name in LABS if name != "as_configured"]


class Cluster:
    """Two namespaces of this test: one that enforces *restricted*, one *baseline*."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._core = CoreV1Api(client)
        suffix = uuid.uuid4().hex[:8]
        self.restricted = f"labs-restricted-{suffix}"
        self.baseline = f"labs-baseline-{suffix}"

    async def make(self) -> None:
        for level, name in (("restricted", self.restricted), ("baseline", self.baseline)):
            label = {"pod-security.kubernetes.io/enforce": level}
            metadata = V1ObjectMeta(name=name, labels=label)
            await self._core.create_namespace(V1Namespace(metadata=metadata))
            try:
                account = V1ServiceAccount(metadata=V1ObjectMeta(name="default"))
                await self._core.create_namespaced_service_account(name, account)
            except ApiException as error:
                if error.status != 409:  # the controller was faster
                    raise

    async def remove(self) -> None:
        for name in (self.restricted, self.baseline):
            await self._core.delete_namespace(name)

    async def dry_run(self, manifest: Manifest) -> None:
        """Raises what the API server refuses, unknown fields too."""
        await self._client.call_api(
            PATHS[manifest["kind"]].format(manifest["metadata"]["namespace"]),
            "POST",
            query_params=[("dryRun", "All"), ("fieldValidation", "Strict")],
            header_params={"Content-Type": "application/json", "Accept": "application/json"},
            body=manifest,
            auth_settings=["BearerToken"],
        )

    def lab(self, plan: PodPlan) -> LabObjects:
        """The lab as it would be created here."""
        home = plan.home
        if home is not None and home.provisioner is not None:
            here = home.provisioner.model_copy(update={"namespace": self.baseline})
            home = replace(home, provisioner=here)
        return build_lab(replace(plan, namespace=self.restricted, home=home))


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    await config.load_kube_config()
    async with ApiClient() as client:
        found = Cluster(client)
        await found.make()
        yield found
        await found.remove()


@pytest.mark.parametrize("name", RESTRICTED)
async def test_every_object_of_a_lab_is_taken(name: str, cluster: Cluster) -> None:
    objects = cluster.lab(await LABS[name]())
    for manifest in (*objects.dependents, objects.pod):
        await cluster.dry_run(manifest)


async def test_the_job_that_makes_homes_needs_no_more_than_baseline(cluster: Cluster) -> None:
    job = cluster.lab(await LABS["observatory"]()).home_job
    assert job is not None
    await cluster.dry_run(job)
    # A job is taken in any case and its pod refused later: so the pod is tried itself.
    template = job["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "home", "namespace": cluster.baseline},
        "spec": template["spec"],
    }
    await cluster.dry_run(pod)


async def test_a_stock_pod_is_refused_there(cluster: Cluster) -> None:
    stock = await site_pod()
    stock["metadata"]["namespace"] = cluster.restricted
    with pytest.raises(ApiException, match="violates PodSecurity"):
        await cluster.dry_run(stock)


async def test_a_pod_whose_contexts_are_the_site_s_own_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiException, match="violates PodSecurity"):
        await cluster.dry_run(cluster.lab(await LABS["as_configured"]()).pod)
