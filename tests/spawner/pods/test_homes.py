"""Where homes are, the job that makes one, and what its verdict means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from despejado_spawner.errors import HomeError
from despejado_spawner.homes import HomeReport
from despejado_spawner.pods.models import ClaimMount, Home, PlanError
from despejado_spawner.pods.plan.build import build_lab
from despejado_spawner.pods.plan.home_job import (
    home_job,
    home_request,
    known_request,
    read_home_verdict,
)
from despejado_spawner.site.homes import Homes, Layout

from tests.spawner.pods.example_labs import (
    LABS,
    PROVISIONER,
    RACHEL,
    initial_layout,
    observatory,
    shared_home,
)


@pytest.mark.parametrize(
    ("layout", "path"), [("username", "rachel"), ("initial/username", "r/rachel")]
)
def test_the_layouts_of_homes(layout: Layout, path: str) -> None:
    assert Homes(claim="homes", layout=layout).folder("rachel") == path


@pytest.mark.parametrize(
    ("folder", "make_initial"),
    [("rachel", False), ("r/rachel", True), ("homes/rachel", False), ("homes/r/rachel", True)],
)
async def test_only_the_folder_of_an_initial_may_be_made_too(
    folder: str, make_initial: bool
) -> None:
    request = home_request(replace(await observatory(), home=shared_home(RACHEL, folder)))
    assert request is not None
    assert (request.sub_path, request.make_initial) == (folder, make_initial)


async def test_the_whole_of_a_shared_claim_is_nobody_s_home() -> None:
    home = Home(ClaimMount("homes", "/home/rachel"), provisioner=PROVISIONER)
    with pytest.raises(PlanError, match="needs a folder"):
        build_lab(replace(await observatory(), home=home))


@pytest.mark.parametrize("name", ["observatory", "initial_layout", "odd_identity"])
async def test_a_hub_that_comes_back_makes_the_same_job_from_the_pod_alone(name: str) -> None:
    plan = await LABS[name]()
    objects = build_lab(plan)
    again = home_job(known_request(objects.pod), PROVISIONER, plan.pod_name, plan.start_id)
    assert again == objects.home_job


@pytest.mark.parametrize("note", [None, "", "no JSON", "[]", '{"uid": 1}', '{"unknown": 1}'])
async def test_a_pod_that_does_not_say_which_home_it_waits_for(note: str | None) -> None:
    pod = build_lab(await observatory()).pod
    pod["metadata"]["annotations"] = {} if note is None else {"despejado.dev/home": note}
    with pytest.raises(PlanError, match="jupyter-rachel"):
        known_request(pod)


async def test_the_job_is_in_the_provisioner_s_namespace_and_pulls_with_its_secrets() -> None:
    request = home_request(await initial_layout())
    assert request is not None
    provisioner = PROVISIONER.model_copy(update={"pull_secrets": ("key",), "timeout": 7})
    job = home_job(request, provisioner, "jupyter-rachel", "0a1b2c3d")
    assert job["metadata"]["namespace"] == "lab-homes"
    assert job["spec"]["activeDeadlineSeconds"] == 7
    assert job["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "key"}]


async def test_no_text_of_the_job_s_command_is_expanded() -> None:
    request = home_request(await observatory())
    assert request is not None
    job = home_job(replace(request, path="/home/$(HOME)"), PROVISIONER, "p", "s")
    command = job["spec"]["template"]["spec"]["containers"][0]["command"]
    assert "/home/$$(HOME)" in command[5]


def test_a_good_verdict() -> None:
    assert read_home_verdict('{"created": true, "warnings": []}') == HomeReport(created=True)
    found = read_home_verdict('{"created": false, "warnings": ["mode 0755"]}')
    assert found == HomeReport(False, ("mode 0755",))


def test_a_refusal_is_told_in_its_own_words() -> None:
    with pytest.raises(HomeError, match=r"^The home is a link\.$"):
        read_home_verdict('{"error": "The home is a link."}')


@pytest.mark.parametrize(
    "message",
    ["", "python3: not found", "[1]", "null", "{}", '{"created": "yes"}', '{"error": ""}'],
)
def test_anything_else_is_told_as_it_is(message: str) -> None:
    with pytest.raises(HomeError, match="failed") as raised:
        read_home_verdict(message)
    assert str(raised.value).endswith(message or "nothing")
