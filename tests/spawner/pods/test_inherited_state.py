"""State: what a spawner of one kind has saved, the other one goes on with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from despejado_spawner.pods.spawner import LabSpawner
from jupyterhub import orm
from kubespawner import KubeSpawner
from traitlets.config import Config

from tests.spawner.pods.fake_api import FakeApi
from tests.spawner.pods.fake_cluster import running_cluster, running_status
from tests.spawner.pods.mock_spawners import STOCK_AND_OURS, make_spawner, without_cluster
from tests.spawner.pods.readings import recorded


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cluster(monkeypatch)


@pytest.fixture(params=STOCK_AND_OURS, ids=lambda each: each.__name__)
def spawner_class(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[tuple[FakeApi, int]]:
    async with running_cluster() as found:
        yield found
        for each in STOCK_AND_OURS:
            await each._stop_all_reflectors()


def config_of(**traits: Any) -> Config:
    config = Config()
    config.KubeSpawner.update(namespace="labs", **traits)
    return config


async def test_saved_state_wins_over_templates(spawner_class: Any) -> None:
    first = make_spawner(spawner_class, config_of())
    state = json.loads(json.dumps(first.get_state()))
    assert state["pod_name"] == "jupyter-jo"
    assert state["dns_name"] == "jupyter-jo.labs.svc.cluster.local"
    assert "pvc_name" not in state
    changed = config_of(pod_name_template="lab-{userid}", dns_name_template="{name}.new")
    later = make_spawner(spawner_class, changed)
    assert later.pod_name == "lab-17"
    later.load_state(state)
    assert later.pod_name == "jupyter-jo"
    assert later.dns_name == "jupyter-jo.labs.svc.cluster.local"
    later.clear_state()
    assert (later.pod_name, later.dns_name) == ("lab-17", "lab-17.new")


async def test_a_namespace_is_remembered(spawner_class: Any) -> None:
    state = make_spawner(spawner_class, config_of()).get_state()
    config = Config()
    config.KubeSpawner.namespace = "others"
    later = make_spawner(spawner_class, config)
    later.load_state(state)
    assert later.namespace == "labs"


@pytest.mark.parametrize(
    ("remember", "expected"), [(True, "claim-of-old"), (False, "claim-new-jo")]
)
async def test_the_claims_name_is_remembered_unless_the_site_says_no(
    spawner_class: Any, remember: bool, expected: str
) -> None:
    config = config_of(pvc_name_template="claim-new-{username}", remember_pvc_name=remember)
    spawner = make_spawner(spawner_class, config)
    spawner.load_state({"kubespawner_version": "7.0.0", "pvc_name": "claim-of-old"})
    assert spawner.pvc_name == expected
    spawner.clear_state()
    assert spawner.pvc_name == expected
    assert ("pvc_name" in spawner.get_state()) is remember


async def test_state_of_kubespawner_6_is_taken(spawner_class: Any) -> None:
    """It had other slugs and no version in its state."""
    spawner = make_spawner(spawner_class, config_of(), user="jo@x", server="my lab")
    spawner.load_state(
        {
            "pod_name": "jupyter-jo-40x--my-20lab",
            "namespace": "labs",
            "dns_name": "jupyter-jo-40x--my-20lab.labs.svc.cluster.local",
        }
    )
    assert spawner.pod_name == "jupyter-jo-40x--my-20lab"
    assert spawner._state_kubespawner_version == "unknown"
    spawner.clear_state()
    assert spawner.pod_name.startswith("jupyter-jo-x---")


async def test_no_state_is_a_new_start(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, config_of())
    spawner.load_state({})
    assert spawner._state_kubespawner_version is None
    assert spawner.pod_name == "jupyter-jo"


@pytest.mark.parametrize(
    ("before", "after"),
    [(KubeSpawner, LabSpawner), (LabSpawner, KubeSpawner), (LabSpawner, LabSpawner)],
    ids=lambda each: each.__name__,
)
@pytest.mark.parametrize("server", ["", "one"])
async def test_a_lab_is_found_again_and_can_be_stopped(
    cluster: tuple[FakeApi, int], before: Any, after: Any, server: str
) -> None:
    """The hub was changed from one spawner to the other, or back, while labs ran."""
    api, port = cluster
    first = make_spawner(before, config_of(port=port), user="jo@x", server=server)
    url = await first.start()
    state = json.loads(json.dumps(first.get_state()))
    uid = next(
        item["metadata"]["uid"] for (kind, *_), item in api.objects.items() if kind == "pods"
    )
    await before._stop_all_reflectors()

    later = make_spawner(after, config_of(port=port), user="jo@x", server=server)
    later.load_state(state)
    assert await later.poll() is None
    assert later._get_pod_url(later.pod_reflector.pods[f"labs/{later.pod_name}"]) == url
    pods = [item for (kind, *_), item in api.objects.items() if kind == "pods"]
    assert [each["metadata"]["uid"] for each in pods] == [uid]
    await later.stop()
    assert api.counts()["pods"] == 0
    assert await later.poll() == 1


async def test_a_lab_of_kubespawner_6_is_found_again_and_can_be_stopped(
    cluster: tuple[FakeApi, int], spawner_class: Any
) -> None:
    """Such pods have the old names and only the old label."""
    api, port = cluster
    name = "jupyter-jo-40x"
    ports = [{"name": "notebook-port", "containerPort": port}]
    containers = [{"name": "notebook", "image": "lab:1", "ports": ports}]
    labels = {"component": "singleuser-server", "app": "jupyterhub", "heritage": "jupyterhub"}
    pod = {"metadata": {"name": name, "labels": labels}, "spec": {"containers": containers}}
    api.put("pods", {**pod, "status": running_status(pod)})
    spawner = make_spawner(spawner_class, config_of(port=port), user="jo@x")
    spawner.load_state({"pod_name": name, "namespace": "labs", "dns_name": f"{name}.labs"})
    assert await spawner.poll() is None
    await spawner.stop()
    assert api.counts()["pods"] == 0


async def test_pods_of_another_component_are_not_seen(
    cluster: tuple[FakeApi, int], spawner_class: Any
) -> None:
    api, port = cluster
    other = make_spawner(spawner_class, config_of(port=port, component_label="night-lab"))
    await other.start()
    await spawner_class._stop_all_reflectors()
    assert await make_spawner(spawner_class, config_of(port=port)).poll() == 1
    assert api.counts()["pods"] == 1


async def test_a_machine_that_is_away_is_told_of_a_lab_that_still_counts_as_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spawner = make_spawner(LabSpawner, config_of())
    spawner.orm_spawner.server = orm.Server(
        ip="198.18.0.9", port=8888, proto="http", base_url="/", cookie_name=""
    )
    pods: dict[str, Any] = {}
    shown = SimpleNamespace(pod=pods.get)
    monkeypatch.setitem(LabSpawner.reflectors, spawner._get_reflector_key("pods"), shown)
    assert spawner.ready and spawner.trouble is None
    for name, expected in (("running", False), ("machine_away", True)):
        pods["labs/jupyter-jo"], _ = recorded(name)
        assert (spawner.trouble is not None) == expected
