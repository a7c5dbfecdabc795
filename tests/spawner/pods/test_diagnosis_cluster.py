"""The cluster at hand says what was recorded: situations that need no image, and refusals."""

from __future__ import annotations

import copy
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from despejado_spawner.pods.diagnosis.diagnose import Ended, Failed, Waiting, diagnose
from despejado_spawner.pods.diagnosis.refusals import refusal

from tests.cluster.kube import Kube, fresh_namespace
from tests.spawner.pods import record_refusals, record_situations
from tests.spawner.pods.readings import SITE
from tests.spawner.pods.situations import of_images, of_volumes
from tests.spawner.pods.situations_places import of_places
from tests.spawner.pods.test_refusals import MEANINGS

pytestmark = pytest.mark.cluster

SITUATIONS = {
    **of_images("images.example.invalid", "images.example.invalid"),
    **of_volumes("images.example.invalid"),
    **of_places("images.example.invalid"),
}
REFUSALS = record_refusals.attempts()


@pytest.fixture(scope="module")
def kube() -> Kube:
    return Kube(Path(os.environ["KUBECONFIG"]))


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("affinity", "unschedulable"),
        ("claim_missing", "waiting"),
        ("home_gate", "waiting"),
        ("image_name", "image_name"),
        ("image_never", "image_not_found"),
        ("registry_away", "waiting"),
        ("registry_unknown", "waiting"),
        ("too_big", "unschedulable"),
    ],
)
def test_the_cluster_s_words_are_understood(kube: Kube, name: str, meaning: str) -> None:
    situation = SITUATIONS[name]
    with fresh_namespace(kube, "situation") as namespace:
        manifest = copy.deepcopy(situation.pod)
        manifest["metadata"]["namespace"] = namespace
        kube.create(manifest)
        pod, events = record_situations.look_until(kube, namespace, name, situation.known, 60)
    found = diagnose(pod, events, now=datetime.now(UTC), settings=SITE)
    if meaning == "waiting":
        assert isinstance(found, Waiting), found
    else:
        assert isinstance(found, Failed | Ended), found
        assert found.failure.reason == meaning


@pytest.mark.parametrize("name", sorted({*REFUSALS} - {"hook_away", "policy"}))
def test_the_cluster_s_refusals_are_understood(kube: Kube, name: str) -> None:
    status, body = record_refusals.answered(kube, name, REFUSALS[name])
    assert refusal(status, body.get("reason"), body, "create the lab").reason == MEANINGS[name]
