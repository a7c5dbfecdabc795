"""A namespace of a real cluster, and a hub's service account in it that may do what ours may."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from despejado_hub.kubernetes_role import role_objects
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client import ApiClient, Configuration

Manifest = dict[str, Any]


async def administrator() -> Configuration:
    """The settings of ``KUBECONFIG``."""
    settings = Configuration()
    await config.load_kube_config(
        config_file=os.environ["KUBECONFIG"], client_configuration=settings
    )
    return settings


@asynccontextmanager
async def real_namespace() -> AsyncIterator[str]:
    """A fresh namespace; calls in it are made with the hub's Role and nothing else."""
    settings = await administrator()
    name = f"labs-{uuid.uuid4().hex[:8]}"
    before = Configuration.get_default_copy()
    async with ApiClient(settings) as api:
        core = client.CoreV1Api(api)
        named: Any = {"metadata": {"name": name}}
        await core.create_namespace(named)
        try:
            Configuration.set_default(await _hub(api, settings, name))
            yield name
        finally:
            Configuration.set_default(before)
            await core.delete_namespace(name)


async def _hub(api: ApiClient, settings: Configuration, namespace: str) -> Configuration:
    core, rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    made: dict[str, Any] = {
        "ServiceAccount": core.create_namespaced_service_account,
        "Role": rbac.create_namespaced_role,
        "RoleBinding": rbac.create_namespaced_role_binding,
    }
    for each in role_objects(namespace, namespace):
        await made[each["kind"]](namespace, each)
    request: Any = {"spec": {"expirationSeconds": 3600}}
    token = await core.create_namespaced_service_account_token("hub", namespace, request)
    hub = Configuration()
    hub.host, hub.ssl_ca_cert = settings.host, settings.ssl_ca_cert
    hub.verify_ssl = settings.verify_ssl
    hub.api_key = {"BearerToken": f"Bearer {token.status.token}"}
    return hub


def gated_pod(name: str, namespace: str, **labels: str) -> Manifest:
    """A pod that the cluster stores and does not start."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"component": "singleuser-server", **labels},
        },
        "spec": {
            "schedulingGates": [{"name": "despejado.dev/home"}],
            "containers": [{"name": "notebook", "image": "localhost/none:1"}],
        },
    }
