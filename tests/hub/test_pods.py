"""Platforms whose labs are pods: what the spawner gets, what is printed, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubespawner.spawner
import pytest
import yaml
from aiohttp.test_utils import TestServer
from despejado_hub.check.result import Result
from despejado_hub.check.secrets import secrets_of
from despejado_hub.cli import main
from despejado_hub.commands.images import show
from despejado_hub.config import Platform, PlatformError, derive, load_platform
from despejado_hub.jupyterhub_config import configure
from despejado_hub.kubernetes_role import LABS, PLATFORM
from despejado_hub.labs import labs_of
from despejado_hub.labs.pods import checks, settings
from despejado_hub.labs.pods.explain import last_ends
from despejado_hub.labs.pods.images import list_registry
from despejado_hub.passwords import password_record
from despejado_hub.runtime import Runtime
from despejado_hub.supervisor import make_secrets
from despejado_hub.supervisor.child import child_environment
from despejado_hub.supervisor.rendering import proxy_configuration
from despejado_hub.supervisor.state import StateFolder, write_json
from despejado_images.menu import parse_policy
from despejado_spawner.pods import inquiry
from despejado_spawner.pods.spawner import LabSpawner
from despejado_spawner.site.model import PodSettings, trait_of
from despejado_spawner.site.network import HubPeer
from despejado_spawner.site.storage import Mount
from jupyterhub import orm
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import ConfigException
from pydantic import ValidationError
from traitlets import TraitError
from traitlets.config import Config

from tests.images.registries import LocalRegistry

DATA = Path(__file__).parent / "data"
FILE = DATA / "platform_pods.yaml"
Output = pytest.CaptureFixture[str]


def platform() -> Platform:
    return load_platform(FILE)


def runtime_of(state: Path, of: Platform) -> Runtime:
    return Runtime(
        state=state,
        port=8000,
        hub_port=8081,
        proxy_api_port=8001,
        tap_port=9001,
        **labs_of(of).places(),
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose hub has seen the registry once."""
    made = StateFolder(tmp_path / "state")
    made.create()
    make_secrets(made.run)
    write_json(made.run / "password.json", password_record("sesame"))
    shutil.copyfile(DATA / "images.json", made.root / "hub" / "images.json")
    yield made.root


@pytest.fixture
def config(state: Path) -> Config:
    found = Config()
    of = platform()
    configure(found, of, runtime_of(state, of))
    return found


def test_every_setting_is_a_trait_of_the_spawner(config: Config) -> None:
    assert config.JupyterHub.spawner_class is LabSpawner
    known = set(LabSpawner.class_trait_names(config=True))
    assert set(config.LabSpawner) <= known
    assert set(config.Spawner) <= known


@pytest.mark.parametrize("setting", PodSettings.model_fields)
def test_each_setting_of_the_site_reaches_the_trait_of_its_name(
    setting: str, config: Config
) -> None:
    trait = LabSpawner.class_traits(config=True)[trait_of(setting)]
    value = config.LabSpawner[trait.name]
    assert getattr(PodSettings(**{setting: value}), setting) == value
    assert value == getattr(platform().labs.pods, setting) or setting in ("mounts", "network")


def test_hub_and_services_are_where_pods_reach_them(config: Config, state: Path) -> None:
    of = platform()
    runtime = runtime_of(state, of)
    assert config.JupyterHub.hub_connect_url == "http://192.0.2.2:8081"
    assert derive.tap_url(of, runtime) == "http://192.0.2.2:8000/services/tap"
    proxy = proxy_configuration(of, runtime, state)
    assert proxy["hosts"] == ["127.0.0.1", "::1", "192.0.2.2"]
    # and people on this machine still come by loopback
    assert derive.public_url(of, runtime) == "http://127.0.0.1:8000/"


def test_sample_repository_is_where_labs_see_it(state: Path) -> None:
    of = platform()
    found = derive.discovery_document(of, runtime_of(state, of))
    assert found["datasets"]["sample"]["butler_config"] == "/data/despejado/butler/sample"
    mounts = settings.lab_traits(of, runtime_of(state, of))["lab_mounts"]
    assert Mount(claim="data", path="/data/despejado", read_only=True) in mounts


def test_users_own_claims_outlive_named_servers(state: Path) -> None:
    data = yaml.safe_load(FILE.read_text())
    data["labs"]["kubernetes"]["homes"] = {"storage_class": "fast", "capacity": "20Gi"}
    of = Platform.model_validate(data)
    traits = settings.lab_traits(of, runtime_of(state, of))
    assert traits["homes"].own_claim is True
    assert (traits["storage_class"], traits["storage_capacity"]) == ("fast", str(20 * 2**30))
    assert "{user_server}" not in traits["pvc_name_template"]


def test_pods_get_a_token_of_a_day_that_is_renewed(config: Config) -> None:
    assert config.LabSpawner.refresh_secrets_interval * 3 < settings.TOKEN_LIFETIME
    assert config.LabSpawner.refresh_secrets_hook is not None


def test_rendered_lab(
    golden: Callable[[str, str], None], state: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubespawner.spawner, "load_config", no_cluster)
    assert run("render", "lab", "-f", FILE, "--state", state, "--user", "rachel") == 0
    said = capsys.readouterr()
    golden("render_pods.yaml", said.out)
    assert "hidden" in said.out
    kinds = [each["kind"] for each in yaml.safe_load_all(said.out)]
    assert kinds == ["Secret", "ConfigMap", "NetworkPolicy", "Pod", "Job"]


def test_rendered_lab_of_a_size_and_an_image_that_are_not_there(
    state: Path, capsys: Output
) -> None:
    where = ("-f", FILE, "--state", state, "--user", "rachel")
    assert run("render", "lab", *where, "--size", "large", "--json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    pod = next(item for item in items if item["kind"] == "Pod")
    notebook = pod["spec"]["containers"][0]
    assert notebook["resources"]["limits"]["memory"] == "16Gi"
    assert run("render", "lab", *where, "--image", "w_1999_01") == 1
    assert "There is no image 'w_1999_01'" in capsys.readouterr().err


def test_templates_in_mounts_are_filled_in_for_each_user(
    state: Path, tmp_path: Path, capsys: Output
) -> None:
    data = yaml.safe_load(FILE.read_text())
    mount = {"claim": "notes-{username}", "path": "/notes", "sub_path": "{unescaped_username}"}
    data["labs"]["kubernetes"]["mounts"] = [mount]
    file = tmp_path / "platform.yaml"
    file.write_text(yaml.safe_dump(data))
    assert run("render", "lab", "-f", file, "--state", state, "--user", "rachel", "--json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    spec = next(item["spec"] for item in items if item["kind"] == "Pod")
    [found] = [
        each for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == "/notes"
    ]
    assert found["subPath"] == "rachel"
    [volume] = [each for each in spec["volumes"] if each["name"] == found["name"]]
    assert volume["persistentVolumeClaim"]["claimName"] == "notes-rachel"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_rendered_role_has_the_rights_of_the_table(capsys: Output) -> None:
    assert run("render", "role", "-f", FILE) == 0
    found = list(yaml.safe_load_all(capsys.readouterr().out))
    roles = {each["metadata"]["namespace"]: each for each in found if each["kind"] == "Role"}
    assert {name: len(role["rules"]) for name, role in roles.items()} == {
        "labs": len(LABS),
        "despejado": len(PLATFORM),
    }
    assert run("render", "role") == 1
    assert "need no Role" in capsys.readouterr().err


def test_check_asks_for_every_right_and_every_claim() -> None:
    of = platform()
    asked = {
        (each.namespace, each.resource, each.verb)
        for each in checks.questions(settings.kubernetes_of(of))
    }
    assert ("labs", "pods/log", "get") in asked
    assert ("despejado", "jobs", "create") in asked
    assert list(checks.claims_of(settings.kubernetes_of(of)).values()) == [
        "homes",
        "project",
        "scratch",
        "data",
    ]


def test_a_claim_of_each_user_s_own_is_mounted_and_not_asked_for(state: Path) -> None:
    data = yaml.safe_load(FILE.read_text())
    mount: dict[str, Any] = {"claim": "notes-{username}", "path": "/notes"}
    data["labs"]["kubernetes"]["mounts"] = [mount]
    of = Platform.model_validate(data)
    assert Mount(**mount) in settings.lab_traits(of, runtime_of(state, of))["lab_mounts"]
    assert list(checks.claims_of(settings.kubernetes_of(of)).values()) == [
        "homes",
        "scratch",
        "data",
    ]


def checked_cluster(state: Path) -> list[Result]:
    of = platform()
    return list(checks.check_cluster(labs_of(of), settings.kubernetes_of(of), state))


def no_cluster(**_: Any) -> None:
    raise ConfigException("Invalid kube-config file. No configuration found.")


def test_check_without_a_cluster_says_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "load_config", no_cluster)
    (result,) = checked_cluster(state)
    assert (result.name, result.state) == ("cluster", "fail")
    assert "KUBECONFIG" in str(result.advice)


def test_check_without_a_registry_says_so(free_port: int) -> None:
    data = yaml.safe_load(FILE.read_text())
    repository = f"127.0.0.1:{free_port}/despejado/lab"
    data["labs"]["kubernetes"]["images"]["repository"] = repository
    (result,) = checks.check_images(Platform.model_validate(data))
    assert (result.name, result.state) == ("images", "fail")
    assert f"127.0.0.1:{free_port}" in result.message


def test_an_api_server_that_is_away_is_one_line(
    state: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> SimpleNamespace:
        server = Configuration(host=f"http://127.0.0.1:{free_port}")
        return SimpleNamespace(api_client=ApiClient(server))

    monkeypatch.setattr(inquiry, "load_config", lambda: None)
    monkeypatch.setattr(inquiry, "shared_client", away)
    (result,) = checked_cluster(state)
    assert (result.name, result.state) == ("cluster", "fail")
    assert "does not answer" in result.message


def test_a_hub_of_the_file_s_own_choice_is_reached_at_the_port_it_has(state: Path) -> None:
    data = yaml.safe_load(FILE.read_text())
    data["labs"]["kubernetes"]["network"] = {"hub": {"pods": {"app": "hub"}}}
    of = Platform.model_validate(data)
    network = settings.lab_traits(of, runtime_of(state, of))["network"]
    assert network.hub == (HubPeer(pods={"app": "hub"}, port=8081),)


def test_explain_tells_how_the_last_lab_ended(tmp_path: Path) -> None:
    database = tmp_path / "hub.sqlite"
    assert last_ends(database, "rachel") == {}
    end = {"reason": "out_of_memory", "message": "No more memory.", "when": "2026-11-26T00:00:00Z"}
    with closing(orm.new_session_factory(f"sqlite:///{database}")()) as session:
        user = orm.User(name="rachel")
        user._orm_spawners = []
        session.add(user)
        session.add(orm.Spawner(name="", user=user, state={"last_end": end}))
        session.commit()
    assert last_ends(database, "rachel") == {"": end}
    assert last_ends(database, "o'brien") == {}


MINIMAL: dict[str, Any] = {
    "namespace": "labs",
    "platform_host": "192.0.2.2",
    "images": {"repository": "registry.example.org/despejado/lab"},
}


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        (None, "labs.kubernetes", "is missing"),
        ({"namespace": "Labs"}, "labs.kubernetes.namespace", "RFC 1123"),
        ({"platform_host": "127.0.0.1"}, "labs.kubernetes.platform_host", "loopback"),
        (
            {"images": {"repository": "lab:latest"}},
            "labs.kubernetes.images.repository",
            "without a tag",
        ),
        ({"homes": {"claim": "homes", "path": "home"}}, "labs.kubernetes.homes.path", "absolute"),
        (
            {"homes": {"provisioner": {"namespace": "p", "claim": "c", "image": "r.org/a:1"}}},
            "labs.kubernetes.homes.provisioner",
            "homes.claim names none",
        ),
        (
            {"mounts": [{"claim": "c", "path": "/a/../b"}]},
            "labs.kubernetes.mounts[0].path",
            "without ..",
        ),
        ({"platform_host": "hub.example.org"}, "labs.kubernetes.network", "where hub and proxy"),
        ({"network": {"hubb": {}}}, "labs.kubernetes.network.hubb", "did you mean hub?"),
        (
            {"network": {"hub": {"cidr": "hub.example.org"}}},
            "labs.kubernetes.network.hub.cidr",
            "no host names",
        ),
        (
            {"network": {"allow": [{"cidr": "192.0.2.1", "ports": [0]}]}},
            "labs.kubernetes.network.allow[0].ports[0]",
            "1 to 65535",
        ),
        ({"node_selector": {"a": "b c"}}, "labs.kubernetes.node_selector.a", "label"),
        (
            {"tolerations": [{"operator": "Is"}]},
            "labs.kubernetes.tolerations[0].operator",
            "Exists",
        ),
        ({}, "datasets.a.butler", "pods do not see it"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(
    section: dict[str, Any] | None, key: str, said: str, tmp_path: Path
) -> None:
    labs: dict[str, Any] = {"spawner": "kubernetes"}
    if section is not None:
        labs["kubernetes"] = MINIMAL | section
    file = tmp_path / "platform.yaml"
    document = {
        "version": 1,
        "name": "Test",
        "labs": labs,
        "datasets": {"a": {"butler": "built-in"}},
    }
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(PlatformError) as caught:
        load_platform(file)
    found = {problem.key: str(problem) for problem in caught.value.problems}
    assert said in found[key]


def test_layout_with_initials_is_for_pods_only(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("version: 1\nname: T\nstorage: {homes: {layout: initial/username}}\n")
    with pytest.raises(PlatformError, match="pods only"):
        load_platform(file)


def with_images(repository: str = "registry.example.org/lab", **images: Any) -> Platform:
    """The platform with other images of labs; keys of ``labs.images`` beside the repository."""
    data = yaml.safe_load(FILE.read_text())
    data["labs"]["kubernetes"]["images"] = {
        "repository": repository,
        **{key: images.pop(key) for key in ("credentials",) if key in images},
    }
    data["labs"]["images"] = images
    return Platform.model_validate(data)


@pytest.mark.parametrize(
    ("secret", "place"),
    [
        ({"file": "/etc/despejado/registry"}, "/etc/despejado/registry"),
        ({"env": "REGISTRY_LOGIN"}, "env:REGISTRY_LOGIN"),
    ],
)
def test_credentials_of_a_registry_are_named_and_not_read(
    secret: dict[str, str], place: str, state: Path
) -> None:
    of = with_images(credentials={"secret": secret})
    assert settings.lab_traits(of, runtime_of(state, of))["image_credentials"] == place
    assert "labs.kubernetes.images.credentials" in dict(secrets_of(of))
    with pytest.raises(ValidationError, match="in clear"):
        with_images(credentials="rachel:sesame")


@pytest.mark.parametrize("name", ["DESPEJADO_REGISTRY", "JPY_REGISTRY"])
def test_a_variable_that_the_hub_does_not_get_is_refused(name: str) -> None:
    assert name not in child_environment({name: "rachel:sesame"})
    with pytest.raises(ValidationError, match="that the hub does not get"):
        with_images(credentials={"secret": {"env": name}})


async def test_what_is_wrong_with_images_is_told_by_check_and_list(capsys: Output) -> None:
    registry = LocalRegistry()
    server = TestServer(registry.app(), host="127.0.0.1")
    await server.start_server()
    registry.port = server.port or 0
    for tag, architecture in (("w_2026_43", "amd64"), ("w_2026_42", "arm64")):
        registry.put(tag, architecture=architecture)
    of = with_images(registry.repository, recommended="w_2026_30")
    result = await checks.look_at_images(of)
    assert (result.name, result.state) == ("images", "warn")
    assert show(await list_registry(of), as_json=False) == 0
    said = capsys.readouterr()
    for text in (result.message, said.err):
        assert "'w_2026_30' is not on offer; w_2026_43 is recommended instead" in text
        assert "Weekly 2026_42 cannot be started: it is for arm64" in text
    assert "it is for arm64" in said.out
    assert show(await list_registry(of), as_json=True) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["tag"], each["state"]) for each in listed] == [
        ("w_2026_43", "ready"),
        ("w_2026_42", "unavailable"),
    ]
    registry.answers["manifests/w_2026_43"] = (200, b"{}")
    result = await checks.look_at_images(of)
    assert (result.state, "manifest is malformed" in result.message) == ("fail", True)
    await server.close()


async def test_every_key_of_the_menu_reaches_the_spawner(state: Path) -> None:
    keys: dict[str, Any] = {
        "recommended": "r30_0_11",
        "dailies": 2,
        "cycle": 42,
        "architectures": ["arm64"],
        "aliases": ["recommended", "latest_weekly"],
    }
    of = with_images(**keys)
    policy = settings.lab_traits(of, runtime_of(state, of))["image_policy"]
    assert parse_policy(policy) == derive.menu_policy(of) == parse_policy(keys)
    spawner = LabSpawner(
        _mock=True, image_repository="registry.example.org/lab", image_policy=policy
    )
    assert spawner.image_source is not None
    with pytest.raises(TraitError, match="image_policy: 'weekly' is unknown"):
        LabSpawner(_mock=True, image_policy={"weekly": 3})
