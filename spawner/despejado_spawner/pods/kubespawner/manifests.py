"""Between the Kubernetes client's model objects and plain manifests."""

from __future__ import annotations

import json
from typing import Any, cast

from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.models import V1Pod

from despejado_spawner.pods.models import Manifest


class _Answer:
    """What ``ApiClient.deserialize`` expects: an answer with a body."""

    def __init__(self, data: str) -> None:
        self.data = data


def as_manifest(model: Any) -> Manifest:
    """The API's JSON of a model object, or of a mapping that is one already."""
    return cast(Manifest, _client().sanitize_for_serialization(model))


def as_pod(manifest: Manifest) -> V1Pod:
    """The model object that KubeSpawner's hooks know."""
    # Deserialising is what the client does with answers; it has no public door for a value.
    return cast(V1Pod, _client().deserialize(cast(Any, _Answer(json.dumps(manifest))), "V1Pod"))


def _client() -> ApiClient:
    # Without a pool: only its pure methods are used, and none that need a running loop.
    return ApiClient.__new__(ApiClient)
