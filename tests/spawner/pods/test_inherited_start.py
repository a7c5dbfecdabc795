"""A start and a stop with all that KubeSpawner lets a site do between, on stock and LabSpawner."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import pytest_asyncio
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.creation import create_lab
from despejado_spawner.pods.kubespawner.stock import Stock
from despejado_spawner.pods.spawner import LabSpawner
from jupyterhub import orm
from jupyterhub.objects import Server
from traitlets.config import Config

from tests.spawner.pods.fake_api import FakeApi
from tests.spawner.pods.fake_cluster import running_cluster
from tests.spawner.pods.mock_spawners import (
    STOCK_AND_OURS,
    begin_start,
    make_spawner,
    without_cluster,
)

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cluster(monkeypatch)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[tuple[FakeApi, int]]:
    async with running_cluster() as found:
        yield found


@pytest.fixture
def api(cluster: tuple[FakeApi, int]) -> FakeApi:
    return cluster[0]


@pytest_asyncio.fixture(params=STOCK_AND_OURS, ids=lambda each: each.__name__)
async def make(request: pytest.FixtureRequest, cluster: tuple[FakeApi, int]) -> AsyncIterator[Make]:
    """Make spawners of one kind, configured as a site would a KubeSpawner."""
    spawner_class: Any = request.param

    def made(user: str = "jo", server: str = "", **configured: Any) -> Any:
        config = Config()
        config.KubeSpawner.update(
            namespace="labs",
            port=cluster[1],
            k8s_api_request_retry_timeout=3,
            start_timeout=20,
            **configured,
        )
        return make_spawner(spawner_class, config, user=user, server=server)

    yield made
    await spawner_class._stop_all_reflectors()


def only(api: FakeApi, plural: str) -> dict[str, Any]:
    (found,) = [item for (each, _, _), item in api.objects.items() if each == plural]
    return found


async def test_a_start_gives_the_address_and_a_stop_leaves_nothing(
    make: Make, api: FakeApi
) -> None:
    spawner = make()
    assert await spawner.poll() == 1
    assert await spawner.start() == f"http://127.0.0.1:{spawner.port}"
    assert await spawner.poll() is None
    assert only(api, "pods")["metadata"]["name"] == "jupyter-jo"
    await spawner.stop()
    assert await spawner.poll() == 1
    assert api.counts()["pods"] == 0


async def test_named_servers_run_beside_each_other(make: Make, api: FakeApi) -> None:
    first, second = make(server="one"), make(server="two")
    await asyncio.gather(first.start(), second.start())
    names = {name for plural, _, name in api.objects if plural == "pods"}
    assert names == {"jupyter-jo--one", "jupyter-jo--two"}
    await first.stop()
    assert await first.poll() == 1
    assert await second.poll() is None


async def test_hooks_run_in_their_order(make: Make, api: FakeApi) -> None:
    ran: list[str] = []

    async def modify(spawner: Any, pod: Any) -> Any:
        ran.append("modify_pod_hook")
        assert spawner.environment == {"OF_PRE_SPAWN": "1"}
        assert not api.counts()["pods"]
        pod.metadata.labels["modified"] = "yes"
        return pod

    def after(spawner: Any, pod: Any) -> None:
        ran.append("after_pod_created_hook")
        assert pod["metadata"]["uid"] == only(api, "pods")["metadata"]["uid"]
        assert pod["spec"]["containers"][0]["name"] == "notebook"

    async def before(spawner: Any) -> None:
        ran.append("pre_spawn_hook")
        spawner.environment = {"OF_PRE_SPAWN": "1"}

    def profiles(spawner: Any) -> list[dict[str, str]]:
        ran.append("profile_list")
        return [{"display_name": "a"}]

    spawner = make(
        modify_pod_hook=modify,
        after_pod_created_hook=after,
        pre_spawn_hook=before,
        profile_list=profiles,
    )
    await begin_start(spawner, {})
    ran.clear()
    await spawner.run_pre_spawn_hook()
    await spawner.start()
    hooks = ["pre_spawn_hook", "modify_pod_hook", "after_pod_created_hook"]
    assert [each for each in ran if each != "profile_list"] == hooks
    assert only(api, "pods")["metadata"]["labels"]["modified"] == "yes"


async def test_modify_pod_hook_may_be_a_plain_function(make: Make, api: FakeApi) -> None:
    def modify(spawner: Any, pod: Any) -> Any:
        pod.spec.containers[0].image = "another:1"
        pod.spec.host_aliases = [{"ip": "10.0.0.1", "hostnames": ["x"]}]
        return pod

    await make(modify_pod_hook=modify).start()
    spec = only(api, "pods")["spec"]
    assert spec["containers"][0]["image"] == "another:1"
    assert spec["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["x"]}]


async def test_a_hook_that_returns_no_pod_starts_nothing(make: Make, api: FakeApi) -> None:
    spawner = make(modify_pod_hook=lambda spawner, pod: None)
    with pytest.raises(Exception):  # noqa: B017 (stock's is the client's own)
        await spawner.start()
    assert not api.objects


async def test_a_hook_that_fails_after_the_pod_takes_it_away(make: Make, api: FakeApi) -> None:
    async def after(spawner: Any, pod: Any) -> None:
        raise RuntimeError("no ingress for you")

    spawner = make(after_pod_created_hook=after)
    with pytest.raises(RuntimeError, match="no ingress"):
        await spawner.start()
    assert not api.objects
    assert await spawner.poll() == 1


async def test_get_pod_url_of_the_site(make: Make) -> None:
    asked = []

    def url(spawner: Any, pod: dict[str, Any]) -> str:
        asked.append((spawner.user.name, pod["status"]["podIP"]))
        return f"http://localhost:{spawner.port}"

    spawner = make(get_pod_url=url)
    assert await spawner.start() == f"http://localhost:{spawner.port}"
    assert ("jo", "127.0.0.1") in asked


async def test_a_changed_address_is_followed(make: Make) -> None:
    """The hub's database may have an older one, when a start was interrupted, say."""
    spawner = make()
    url = await spawner.start()
    spawner.db = Mock()
    spawner.server = Server(
        orm_server=orm.Server(
            proto="http", ip="10.9.9.9", port=1, base_url="/user/jo/", cookie_name="c"
        )
    )
    assert await spawner.poll() is None
    assert spawner.server.host == url
    assert spawner.server.base_url == "/user/jo/"
    spawner.port = 1234  # a new setting is for new labs
    assert await spawner.poll() is None
    assert spawner.server.host == url


async def test_services(make: Make, api: FakeApi) -> None:
    spawner = make(
        services_enabled=True,
        dns_name_template="127.0.0.1",
        extra_labels={"extra": "1"},
        common_labels={"common": "2"},
        component_label="night-lab",
    )
    assert await spawner.start() == f"http://127.0.0.1:{spawner.port}"
    service, pod = only(api, "services"), only(api, "pods")
    assert service["metadata"]["name"] == "jupyter-jo"
    (owner,) = service["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Pod", pod["metadata"]["uid"])
    selector = service["spec"]["selector"]
    assert selector.items() <= pod["metadata"]["labels"].items()
    wanted = {"extra": "1", "common": "2", "component": "night-lab"}
    assert wanted.items() <= selector.items()
    assert selector["hub.jupyter.org/username"] == "jo"


def give_certificates(spawner: Any, folder: Path) -> Any:
    """What JupyterHub does before a start with internal TLS."""
    spawner.internal_ssl = True
    paths = {}
    for name in ("keyfile", "certfile", "cafile", "hub-ca"):
        (folder / name).write_text(f"the {name}\n")
        paths[name] = str(folder / name)
    spawner.cert_paths = {name: paths[name] for name in ("keyfile", "certfile", "cafile")}
    spawner.internal_trust_bundles = {"hub-ca": paths["hub-ca"]}
    return spawner


async def test_internal_ssl(make: Make, api: FakeApi, tmp_path: Path) -> None:
    spawner = give_certificates(make(dns_name_template="{name}.labs"), tmp_path)
    assert await spawner.start() == f"https://jupyter-jo.labs:{spawner.port}"
    assert spawner.ssl_alt_names[:2] == ["DNS:jupyter-jo.labs", "DNS:jupyter-jo"]
    pod = only(api, "pods")
    secret = api.objects["secrets", "labs", "jupyter-jo"]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    files = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert files == {
        "ssl.key": "the keyfile\n",
        "ssl.crt": "the certfile\n",
        "notebooks-ca_trust.crt": "the cafile\nthe hub-ca\n",
    }
    assert only(api, "services")["metadata"]["name"] == "jupyter-jo"
    mounts = {each["mountPath"] for each in pod["spec"]["containers"][0]["volumeMounts"]}
    assert "/etc/jupyterhub/ssl/" in mounts


@pytest.mark.parametrize("make", [LabSpawner], indirect=True)
async def test_certificates_are_there_before_the_pod(
    make: Make, api: FakeApi, tmp_path: Path
) -> None:
    old = {"metadata": {"name": "jupyter-jo", "labels": {"of": "an earlier start"}}}
    api.put("secrets", old)
    api.put("services", old)
    spawner = give_certificates(make(dns_name_template="{name}.labs"), tmp_path)
    await spawner.start()
    made = [path.split("/")[-1] for method, path, _ in api.requests if method == "POST"]
    made.reverse()
    assert made.index("services") < made.index("pods") < made.index("secrets")
    assert "of" not in api.objects["secrets", "labs", "jupyter-jo"]["metadata"]["labels"]
    assert "of" not in only(api, "services")["metadata"]["labels"]


@pytest.mark.parametrize("make", [LabSpawner], indirect=True)
@pytest.mark.parametrize("refused", ["secrets", "services"])
async def test_refused_certificates_are_told_and_not_logged(
    make: Make, api: FakeApi, tmp_path: Path, refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    message = "the hub has no right to create them"
    api.fail("POST", refused, times=-1, status=403, reason="Forbidden", message=message)
    spawner = give_certificates(make(dns_name_template="{name}.labs"), tmp_path)
    with pytest.raises(Exception) as failure:
        await spawner.start()
    assert message in str(failure.value.__cause__)
    assert not api.objects
    key = base64.b64encode(b"the keyfile").decode()[:-2]
    assert "the keyfile" not in caplog.text and key not in caplog.text


@pytest.mark.parametrize("make", [LabSpawner], indirect=True)
async def test_what_a_killed_hub_made_before_the_pod_is_swept(
    make: Make, api: FakeApi, tmp_path: Path
) -> None:
    spawner = give_certificates(make(dns_name_template="{name}.labs"), tmp_path)
    calls = spawner.parts.cluster.api(Deadline.after(20))
    planned = await spawner.parts.planner.plan("start1")
    for each in planned.dependents:
        await calls.create(each)
    swept = await calls.sweep(datetime.now(UTC) + timedelta(minutes=1))
    assert {"Secret jupyter-jo", "Secret jupyter-jo-start1"} <= set(swept)
    assert not api.objects


@pytest.mark.parametrize("make", [LabSpawner], indirect=True)
@pytest.mark.parametrize("there", [False, True])
async def test_a_hub_that_comes_back_makes_the_service_unless_it_is_there(
    make: Make, api: FakeApi, there: bool
) -> None:
    spawner = make(services_enabled=True, dns_name_template="127.0.0.1")
    await spawner.load_user_options()
    await spawner.parts.cluster.start_watching()
    calls = spawner.parts.cluster.api(Deadline.after(20))
    planned = await spawner.parts.planner.plan("start1")
    pod = await create_lab(calls, planned.dependents, planned.pod, Mock())
    if there:
        await Stock(spawner).ensure_service(calls, pod)
    before = only(api, "services") if there else None
    spawner._check_pending = True  # as a hub that has just started has it
    assert await spawner.poll() is None
    service = only(api, "services")
    assert before is None or service["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_claim_is_made_once_and_outlives_the_lab(make: Make, api: FakeApi) -> None:
    spawner = make(storage_pvc_ensure=True, storage_capacity="1Gi")
    await spawner.start()
    claim = only(api, "persistentvolumeclaims")
    assert claim["metadata"]["name"] == "claim-jo"
    await spawner.stop()
    await spawner.start()
    assert only(api, "persistentvolumeclaims")["metadata"]["uid"] == claim["metadata"]["uid"]
    assert not claim["metadata"].get("ownerReferences")


async def test_a_claim_of_kubespawner_6_is_used_on(make: Make, api: FakeApi) -> None:
    api.put("persistentvolumeclaims", {"metadata": {"name": "claim-jo-40x"}})
    spawner = make(user="jo@x", storage_pvc_ensure=True, storage_capacity="1Gi")
    spawner.load_state({"pod_name": "jupyter-jo-40x"})
    spawner.clear_state()
    await spawner.start()
    assert spawner.pvc_name == "claim-jo-40x"
    assert only(api, "persistentvolumeclaims")["metadata"]["name"] == "claim-jo-40x"
    assert spawner.get_state()["pvc_name"] == "claim-jo-40x"


async def test_a_deleted_user_loses_the_claim_unless_the_site_keeps_it(
    make: Make, api: FakeApi
) -> None:
    spawner = make(storage_pvc_ensure=True, storage_capacity="1Gi", delete_pvc=False)
    await spawner.start()
    await spawner.stop()
    await spawner.delete_forever()
    assert api.counts()["persistentvolumeclaims"] == 1
    spawner.delete_pvc = True
    await spawner.delete_forever()
    assert api.counts()["persistentvolumeclaims"] == 0


async def test_a_shared_claim_stays_with_the_default_server(make: Make, api: FakeApi) -> None:
    template = "claim-{username}"
    named = make(
        server="one",
        storage_pvc_ensure=True,
        storage_capacity="1Gi",
        pvc_name_template=template,
    )
    await named.start()
    await named.stop()
    await named.delete_forever()
    assert only(api, "persistentvolumeclaims")["metadata"]["name"] == "claim-jo"


async def test_a_pod_that_is_in_the_way_is_ended_first(make: Make, api: FakeApi) -> None:
    labels = {"component": "singleuser-server"}
    spec = {"containers": [{"name": "notebook", "image": "old:1"}]}
    metadata = {"name": "jupyter-jo", "labels": labels}
    old = api.put("pods", {"metadata": metadata, "spec": spec})
    await make().start()
    assert only(api, "pods")["metadata"]["uid"] != old["metadata"]["uid"]
