"""Questions to a cluster from outside a hub: for ``despejado explain`` and ``despejado check``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kubernetes_asyncio.client import (
    AuthorizationV1Api,
    V1ResourceAttributes,
    V1SelfSubjectAccessReview,
    V1SelfSubjectAccessReviewSpec,
    VersionApi,
)
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.config import ConfigException
from kubespawner.clients import load_config, shared_client
from kubespawner.slugs import safe_slug

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.cluster.requests import TRANSPORT
from despejado_spawner.pods.diagnosis.explanation import Explanation, explain_pod
from despejado_spawner.pods.models import Manifest

USER = "hub.jupyter.org/username"
SERVER = "hub.jupyter.org/servername"
LABS = "component=singleuser-server"
"""KubeSpawner's annotations and label of labs."""
_LOG = logging.getLogger(__name__)
_SECONDS = 8.0


def without_warnings() -> None:
    """Keep the client's own word on a missing kubeconfig out of what a command prints."""
    logging.getLogger("kubernetes_asyncio.config").setLevel(logging.ERROR)


class ClusterUnknown(SpawnerError):
    """There is no cluster to ask, or it does not answer; the text says which and what to do."""

    reason = "api"


@dataclass(frozen=True)
class Question:
    """Whether the asker may use ``verb`` on ``resource`` (``pods``, ``pods/log``)."""

    namespace: str
    group: str
    resource: str
    verb: str


class Inquiry:
    """Asks the cluster that KUBECONFIG, or the pod that this runs in, names."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        without_warnings()
        self._deadline = Deadline.after(seconds)
        self._seconds = seconds
        try:
            load_config()
        except ConfigException as error:
            raise ClusterUnknown(
                f"There is no cluster to ask: {error}.", "Name its kubeconfig in KUBECONFIG."
            ) from None
        self._client = shared_client("CoreV1Api").api_client

    @property
    def host(self) -> str:
        """The API server's address."""
        found: str = self._client.configuration.host
        return found

    async def close(self) -> None:
        """End the connections; the event loop that opened them must still run."""
        await self._client.close()

    def api(self, namespace: str) -> LabApi:
        """Calls in a namespace, within the time of this inquiry."""
        return LabApi(
            namespace,
            deadline=self._deadline,
            request_timeout=self._seconds,
            retry_timeout=self._seconds,
            log=_LOG,
        )

    async def version(self) -> str:
        """The version of the API server, such as ``v1.35.1``; raises ``ClusterUnknown``."""
        api = VersionApi(self._client)
        found = await self._answer(api.get_code(_request_timeout=self._seconds))
        version: str = found.git_version
        return version

    async def allowed(self, question: Question) -> bool:
        """SelfSubjectAccessReview (authorization.k8s.io/v1) of one right.

        Raises ``ClusterUnknown``.
        """
        resource, _, sub = question.resource.partition("/")
        attributes = V1ResourceAttributes(
            namespace=question.namespace,
            group=question.group,
            resource=resource,
            subresource=sub,
            verb=question.verb,
        )
        review = V1SelfSubjectAccessReview(
            spec=V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        api = AuthorizationV1Api(self._client)
        answer = await self._answer(
            api.create_self_subject_access_review(review, _request_timeout=self._seconds)
        )
        return bool(answer.status and answer.status.allowed)

    async def _answer(self, request: Awaitable[Any]) -> Any:
        try:
            return await request
        except ApiException as error:
            said = f"{self.host} answers {error.status} {error.reason}."
            raise ClusterUnknown(said) from None
        except TRANSPORT as error:
            said = str(error) or type(error).__name__
            raise ClusterUnknown(f"{self.host} does not answer: {said}.") from None


async def explain_labs(namespace: str, user: str) -> dict[str, Explanation]:
    """Every lab of a user in the cluster, by the name of its server; one at least.

    Needs the rights of a hub (:mod:`despejado_hub.kubernetes_role`). Raises ``SpawnerError``.
    """
    inquiry = Inquiry()
    try:
        return await _explain(inquiry.api(namespace), user)
    finally:
        await inquiry.close()


async def _explain(api: LabApi, user: str) -> dict[str, Explanation]:
    now = datetime.now(UTC)
    found: dict[str, Explanation] = {}
    for pod in _of_user(await api.find("Pod", labels=LABS), user):
        events = await _events(api, pod["metadata"]["name"])
        name = pod["metadata"]["annotations"].get(SERVER, "")
        found[name] = explain_pod(pod, events, now=now)
    if not found:
        events = await _events(api, f"jupyter-{safe_slug(user)}")
        found[""] = explain_pod(None, events, now=now)
    return found


def _of_user(pods: Iterable[Manifest], user: str) -> list[Manifest]:
    def annotations(pod: Mapping[str, Any]) -> Mapping[str, str]:
        return pod["metadata"].get("annotations") or {}

    return [pod for pod in pods if annotations(pod).get(USER) == user]


async def _events(api: LabApi, pod: str) -> list[Manifest]:
    fields = f"involvedObject.kind=Pod,involvedObject.name={pod}"
    return await api.find("Event", fields=fields)
