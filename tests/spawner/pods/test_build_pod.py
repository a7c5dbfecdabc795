"""What of a site's pod stays, what the lab decides, and where secrets are and are not."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from despejado_spawner.models import Size
from despejado_spawner.pods.models import ClaimMount, LabObjects, Manifest, PlanError, PodPlan
from despejado_spawner.pods.names import CONTAINER, HOME_GATE
from despejado_spawner.pods.plan.build import build_lab
from despejado_spawner.pods.plan.pod import cpu_quantity, escape
from hypothesis import given
from hypothesis import strategies as st

from tests.spawner.pods.example_labs import (
    DATA_TOKEN,
    GIB,
    LABS,
    REGISTRY,
    SERVER_TOKEN,
    foreign_image,
    lab_plan,
    observatory,
    pod_plan,
    site_pod,
)


async def plain(**traits: Any) -> PodPlan:
    """A lab of our image on a site that says this by KubeSpawner's traits."""
    return pod_plan(lab_plan(), await site_pod(**traits))


def notebook(objects: LabObjects) -> Manifest:
    found: Manifest = next(
        each for each in objects.pod["spec"]["containers"] if each["name"] == CONTAINER
    )
    return found


def mounted(objects: LabObjects) -> list[str]:
    return [mount["mountPath"] for mount in notebook(objects)["volumeMounts"]]


def environment(objects: LabObjects) -> dict[str, Manifest]:
    return {entry["name"]: entry for entry in notebook(objects)["env"]}


def secret_data(objects: LabObjects) -> dict[str, str]:
    return {name: base64.b64decode(text).decode() for name, text in objects.secret["data"].items()}


# Secrets


@pytest.mark.parametrize("name", LABS)
async def test_tokens_are_in_the_secret_and_nowhere_else(name: str) -> None:
    objects = build_lab(await LABS[name]())
    others = [objects.config_map, objects.network_policy, objects.pod, objects.home_job]
    for token in (SERVER_TOKEN, DATA_TOKEN):
        assert token not in json.dumps(others)
        assert base64.b64encode(token.encode()).decode() not in json.dumps(others)
        assert token not in repr(objects)
    assert secret_data(objects)["token"] == DATA_TOKEN
    assert secret_data(objects)["hub-token"] == SERVER_TOKEN
    assert DATA_TOKEN in secret_data(objects)["netrc"]


async def test_our_images_read_the_server_s_token_from_a_file() -> None:
    assert not {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"} & set(
        environment(build_lab(await plain()))
    )


async def test_other_images_get_the_server_s_token_by_reference_and_not_as_a_file() -> None:
    objects = build_lab(await foreign_image())
    reference = {"name": objects.secret["metadata"]["name"], "key": "hub-token"}
    for name in ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"):
        assert environment(objects)[name] == {
            "name": name,
            "valueFrom": {"secretKeyRef": reference},
        }
    volume = next(each for each in objects.pod["spec"]["volumes"] if "secret" in each)
    assert [item["path"] for item in volume["secret"]["items"]] == ["netrc", "token"]


@pytest.mark.parametrize("name", ["../token", "a/b", "hub-token", "netrc"])
async def test_a_secret_with_an_impossible_name_is_refused(name: str) -> None:
    plan = replace(await plain(), lab=lab_plan(secrets={name: "x"}))
    with pytest.raises(PlanError, match=name.replace(".", r"\.")):
        build_lab(plan)


async def test_a_variable_that_no_file_can_be_called_after_is_refused() -> None:
    plan = replace(await plain(), lab=lab_plan(environment={"A B": "x"}))
    with pytest.raises(PlanError, match="A B"):
        build_lab(plan)


# Variables


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Kubernetes' expansion (third_party/forked/golang/expansion/expand.go)."""
    found, rest = "", text
    while rest:
        if rest.startswith("$$"):
            found, rest = f"{found}$", rest[2:]
        elif rest.startswith("$(") and ")" in rest:
            name, rest = rest[2:].split(")", 1)
            found += variables.get(name, f"$({name})")
        else:
            found, rest = found + rest[0], rest[1:]
    return found


@given(st.text(st.sampled_from("$()Ab "), max_size=12))
def test_no_value_is_expanded(text: str) -> None:
    assert expanded(escape(text), {"A": "?", "b": "?", "": "?"}) == text


async def test_a_value_of_the_site_arrives_as_it_is_written() -> None:
    objects = build_lab(await plain())
    assert environment(objects)["PRICE"]["value"] == "$$(HOME) costs $$5 or $$$$"
    files = objects.config_map["data"]
    assert files["environment__PRICE"] == "$(HOME) costs $5 or $$"


async def test_the_site_s_references_stay_but_do_not_replace_what_the_platform_decides() -> None:
    by_reference = {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    names = ("ADDRESS", "HOME", "JUPYTERHUB_API_URL", "NODE_NAME")
    plan = await plain(environment={name: dict(by_reference) for name in names})
    lab = lab_plan(environment={name: str(by_reference) for name in names})
    objects = build_lab(replace(plan, lab=lab))
    variables = environment(objects)
    assert variables["ADDRESS"]["valueFrom"] == by_reference["valueFrom"]
    assert variables["HOME"]["value"] == "/home/rachel"
    assert variables["JUPYTERHUB_API_URL"]["value"] == "http://hub.hub:8081/hub/api"
    assert variables["NODE_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"
    assert "environment__ADDRESS" not in objects.config_map["data"]
    assert len(variables) == len(notebook(objects)["env"])


async def test_another_image_keeps_its_own_paths() -> None:
    own = {"PATH", "SHELL", "LANG", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH"}
    objects = build_lab(await foreign_image())
    assert not own & set(environment(objects))
    assert not any(key.startswith("jupyter") for key in objects.config_map["data"])
    assert own <= set(environment(build_lab(await plain())))


async def test_the_site_may_set_the_paths_of_another_image() -> None:
    plan = replace(await foreign_image(), lab=lab_plan(environment={"PATH": "/opt/conda/bin"}))
    assert environment(build_lab(plan))["PATH"]["value"] == "/opt/conda/bin"


@pytest.mark.parametrize(
    ("reference", "digest", "spec"),
    [
        (f"{REGISTRY}:w_1", "sha256:ab", f"{REGISTRY}:w_1@sha256:ab"),
        (f"{REGISTRY}@sha256:ab", "sha256:ab", f"{REGISTRY}@sha256:ab"),
        ("localhost:5000/lab", "", "localhost:5000/lab"),
    ],
)
async def test_the_lab_knows_its_exact_image(reference: str, digest: str, spec: str) -> None:
    lab = lab_plan()
    lab = replace(lab, image=replace(lab.image, digest=digest))
    objects = build_lab(replace(await plain(), lab=lab, image_reference=reference))
    assert notebook(objects)["image"] == reference
    assert environment(objects)["JUPYTER_IMAGE_SPEC"]["value"] == spec


# Command, resources, life


async def test_our_images_are_started_by_their_launcher_whatever_the_site_s_command_is() -> None:
    plan = await plain(cmd=["jupyterhub-singleuser"], args=["--debug"])
    container = notebook(build_lab(plan))
    assert container["command"] == ["/opt/despejado/bin/lab"]
    assert "args" not in container
    assert notebook(build_lab(replace(plan, launcher=False)))["args"] == [
        "jupyterhub-singleuser",
        "--debug",
    ]


async def test_without_guarantees_the_limits_are_guaranteed() -> None:
    lab = lab_plan(size=Size("small", 1.0, 2 * GIB))
    resources = notebook(build_lab(replace(await plain(), lab=lab)))["resources"]
    assert resources == {"limits": {"cpu": "1", "memory": "2Gi"}, "requests": resources["limits"]}


async def test_a_gpu_of_the_site_stays_beside_the_size() -> None:
    plan = await plain(extra_resource_limits={"nvidia.com/gpu": "1"}, cpu_limit=64, mem_limit="1T")
    limits = notebook(build_lab(plan))["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": "1", "cpu": "2500m", "memory": "3Gi"}


@pytest.mark.parametrize(
    ("cores", "text"), [(1.0, "1"), (0.25, "250m"), (2.5, "2500m"), (12, "12"), (0.0001, "1m")]
)
def test_cores_as_kubernetes_writes_them(cores: float, text: str) -> None:
    assert cpu_quantity(cores) == text


async def test_a_lab_that_was_killed_does_not_come_back_without_its_kernels() -> None:
    objects = build_lab(await plain(extra_pod_config={"restart_policy": "Always"}))
    assert objects.pod["spec"]["restartPolicy"] == "Never"


async def test_no_service_account_token_unless_the_site_asks_for_it() -> None:
    for traits, mounted in (
        ({}, False),
        ({"service_account": "labs"}, False),
        ({"service_account": "labs", "automount_service_account_token": True}, True),
    ):
        spec = build_lab(await plain(**traits)).pod["spec"]
        assert spec["automountServiceAccountToken"] is mounted


async def test_kubespawner_s_name_and_labels_stay() -> None:
    plan = await plain()
    metadata = build_lab(replace(plan, labels={"cost-centre": "stars"})).pod["metadata"]
    assert metadata["name"] == plan.base["metadata"]["name"]
    assert plan.base["metadata"]["labels"].items() <= metadata["labels"].items()
    assert metadata["labels"]["cost-centre"] == "stars"


async def test_a_long_pod_name_is_told_apart_in_labels_that_hold_less() -> None:
    seen = set()
    for server in ("first", "second"):
        name = f"{'x' * 80}-{server}"
        objects = build_lab(replace(await observatory(), pod_name=name))
        assert objects.network_policy is not None and objects.home_job is not None
        selector = objects.network_policy["spec"]["podSelector"]["matchLabels"]
        for labelled in (*objects.dependents, objects.pod, objects.home_job):
            assert selector.items() <= labelled["metadata"]["labels"].items()
        assert len(selector["despejado.dev/lab"]) <= 63
        assert len(objects.home_job["metadata"]["name"]) <= 63
        seen.add(selector["despejado.dev/lab"])
    assert len(seen) == 2


async def test_a_site_s_pod_without_the_lab_s_container_is_refused() -> None:
    plan = await plain()
    plan.base["spec"]["containers"][0]["name"] = "other"
    with pytest.raises(PlanError, match="notebook"):
        build_lab(plan)


async def test_the_pod_waits_for_its_home_only_where_somebody_makes_it() -> None:
    made = build_lab(await observatory())
    assert made.pod["spec"]["schedulingGates"] == [{"name": HOME_GATE}]
    assert made.home_job is not None
    for name in ("own_claim", "no_home", "foreign_image"):
        objects = build_lab(await LABS[name]())
        assert "schedulingGates" not in objects.pod["spec"]
        assert objects.home_job is None


# Mounts


async def test_mounts_of_one_claim_share_a_volume() -> None:
    spec = build_lab(await observatory()).pod["spec"]
    claims = [
        each["persistentVolumeClaim"] for each in spec["volumes"] if "persistentVolumeClaim" in each
    ]
    assert claims == [
        {"claimName": "homes"},
        {"claimName": "project"},
        {"claimName": "data", "readOnly": True},
        {"claimName": "scratch"},
    ]


async def test_a_claim_that_is_written_too_is_no_read_only_volume() -> None:
    mounts = (ClaimMount("data", "/a", "a", read_only=True), ClaimMount("data", "/b", "b"))
    spec = build_lab(replace(await plain(), mounts=mounts)).pod["spec"]
    volume = next(each for each in spec["volumes"] if "persistentVolumeClaim" in each)
    assert volume["persistentVolumeClaim"] == {"claimName": "data"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc",
        "/etc/",
        "/etc/passwd",
        "//etc//group",
        "/etc/despejado",
        "/etc/despejado/secrets/more",
        "/etc/./nublado",
        "/tmp",
        "/opt",
        "/opt/despejado/ui",
        "/proc",
        "/sys/fs",
        "/dev/shm/x",
        "relative",
        "",
        "/data/../etc",
        "/a:b",
    ],
)
async def test_a_mount_that_covers_a_reserved_place_is_refused(path: str) -> None:
    plan = replace(await plain(), mounts=(ClaimMount("data", path),))
    with pytest.raises(PlanError, match="despejado-claim-1"):
        build_lab(plan)


@pytest.mark.parametrize(
    "path", ["/etc/jupyter", "/tmp/more", "/dev/shm", "/home", "/etc/despejado-x"]
)
async def test_a_mount_beside_reserved_places_is_fine(path: str) -> None:
    mounts = (ClaimMount("data", path),)
    assert path in mounted(build_lab(replace(await plain(), mounts=mounts)))


async def test_another_image_may_have_what_ours_keeps_in_opt() -> None:
    plan = await plain()
    mounts = (ClaimMount("soft", "/opt"),)
    assert "/opt" in mounted(build_lab(replace(plan, launcher=False, mounts=mounts)))


@pytest.mark.parametrize("sub_path", ["../others", "a/../../b", "/absolute"])
async def test_a_folder_outside_its_volume_is_refused(sub_path: str) -> None:
    plan = replace(await plain(), mounts=(ClaimMount("data", "/data", sub_path),))
    with pytest.raises(PlanError, match="must be relative"):
        build_lab(plan)


async def test_two_volumes_at_one_path_are_refused_by_name() -> None:
    plan = await plain(
        volumes=[{"name": "notes", "emptyDir": {}}],
        volume_mounts=[{"name": "notes", "mountPath": "/data/"}],
    )
    with pytest.raises(PlanError, match="'notes' is mounted there already"):
        build_lab(replace(plan, mounts=(ClaimMount("data", "/data"),)))


async def test_a_volume_of_the_site_with_a_name_of_ours_is_refused() -> None:
    plan = await plain(volumes=[{"name": "despejado-tmp", "emptyDir": {}}])
    with pytest.raises(PlanError, match="despejado-tmp"):
        build_lab(plan)
