"""Names that KubeSpawner documents: slugs, templates, named servers. Stock and LabSpawner alike."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubespawner.slugs import is_valid_label, is_valid_object_name
from traitlets.config import Config

from tests.spawner.pods.mock_spawners import (
    STOCK_AND_OURS,
    final_pod,
    make_spawner,
    without_cluster,
)

HASHED = r"---[0-9a-f]{8}"


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cluster(monkeypatch)


@pytest.fixture(params=STOCK_AND_OURS, ids=lambda each: each.__name__)
def spawner_class(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_plain_names_are_used_as_they_are(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, user="jo", namespace="labs")
    assert spawner.pod_name == "jupyter-jo"
    assert spawner.pvc_name == "claim-jo"
    assert spawner.secret_name == "jupyter-jo"
    assert spawner.dns_name == "jupyter-jo.labs.svc.cluster.local"


async def test_a_named_server_has_names_of_its_own(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, user="jo", server="big")
    assert spawner.pod_name == "jupyter-jo--big"
    assert spawner.pvc_name == "claim-jo--big"
    pod = await final_pod(spawner)
    labels, notes = pod["metadata"]["labels"], pod["metadata"]["annotations"]
    assert labels["hub.jupyter.org/servername"] == "big"
    assert notes["hub.jupyter.org/servername"] == "big"


@pytest.mark.parametrize("name", ["9user@email.com", "Jo", "a--b", "x" * 70, "ümit", "-"])
async def test_unsafe_names_get_a_hash(spawner_class: Any, name: str) -> None:
    spawner = make_spawner(spawner_class, user=name)
    assert re.fullmatch(rf"jupyter-.*{HASHED}", spawner.pod_name)
    assert is_valid_object_name(spawner.pod_name)
    assert is_valid_object_name(spawner.pvc_name)
    pod = await final_pod(spawner)
    assert is_valid_label(pod["metadata"]["labels"]["hub.jupyter.org/username"])
    assert pod["metadata"]["annotations"]["hub.jupyter.org/username"] == name


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=2, max_size=4, unique=True))
@pytest.mark.parametrize("spawner_class", STOCK_AND_OURS, ids=lambda each: each.__name__)
async def test_no_two_servers_share_a_pod(
    spawner_class: Any, servers: list[tuple[str, str]]
) -> None:
    names = [make_spawner(spawner_class, user=user, server=name).pod_name for user, name in servers]
    assert len(set(names)) == len(servers)
    assert all(len(name) <= 63 for name in names)


async def test_the_old_scheme_gives_the_old_names(spawner_class: Any) -> None:
    spawner = make_spawner(
        spawner_class, user="9user@email.com", server="my lab", slug_scheme="escape"
    )
    assert spawner.pod_name == "jupyter-9user-40email-2ecom--my-20lab"
    assert spawner.pvc_name == "claim-9user-40email-2ecom--my-20lab"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{username}", f"jo-x{HASHED}"),
        ("{unescaped_username}", "jo@x"),
        ("{escaped_username}", "jo-40x"),
        ("{safe_username}", f"jo-x{HASHED}"),
        ("{servername}", "big"),
        ("{unescaped_servername}", "big"),
        ("{escaped_servername}", "big"),
        ("{safe_servername}", "big"),
        ("{user_server}", f"jo-x{HASHED}--big"),
        ("{escaped_user_server}", "jo-40x--big"),
        ("{safe_user_server}", f"jo-x{HASHED}--big"),
        ("{userid}", "17"),
        ("{hubnamespace}", "user"),
        ("{namespace}", "labs"),
        ("{pod_name}", f"jupyter-jo-x{HASHED}--big"),
        ("{pvc_name}", f"claim-jo-x{HASHED}--big"),
        ("a-{{b}}-", r"a-\{b\}-"),
    ],
)
async def test_each_documented_field_is_filled(
    spawner_class: Any, template: str, expected: str
) -> None:
    spawner = make_spawner(spawner_class, user="jo@x", server="big", namespace="labs")
    spawner.extra_annotations = {"filled": template}
    pod = await final_pod(spawner)
    assert re.fullmatch(expected, pod["metadata"]["annotations"]["filled"])


async def test_a_dash_before_an_empty_server_name_goes(spawner_class: Any) -> None:
    config = Config()
    config.KubeSpawner.pod_name_template = "lab-{username}--{servername}"
    config.KubeSpawner.pvc_name_template = "{username}-{servername}-"
    assert make_spawner(spawner_class, config).pod_name == "lab-jo"
    assert make_spawner(spawner_class, config, server="b").pod_name == "lab-jo--b"
    assert make_spawner(spawner_class, config).pvc_name == "jo--"


async def test_a_namespace_a_user(spawner_class: Any) -> None:
    config = Config()
    config.KubeSpawner.enable_user_namespaces = True
    assert make_spawner(spawner_class, config, user="jo").namespace == "user-jo"
    config.KubeSpawner.user_namespace_template = "hub-{unescaped_username}"
    assert make_spawner(spawner_class, config, user="jo").namespace == "hub-jo"


async def test_address_templates(spawner_class: Any) -> None:
    config = Config()
    config.KubeSpawner.namespace = "labs"
    config.KubeSpawner.dns_name_template = "{name}.{namespace}.svc.example.org"
    config.KubeSpawner.pod_connect_ip = "{username}-{servername}.labs.example.org"
    spawner = make_spawner(spawner_class, config)
    assert spawner.dns_name == "jupyter-jo.labs.svc.example.org"
    pod = {
        "metadata": {"name": "jupyter-jo"},
        "status": {"podIP": "10.0.0.4"},
        "spec": {"containers": [{"ports": [{"name": "notebook-port", "containerPort": 8888}]}]},
    }
    assert spawner._get_pod_url(pod) == "http://jo.labs.example.org:8888"
