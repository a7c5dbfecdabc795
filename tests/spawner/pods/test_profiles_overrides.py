"""Overrides of profiles and groups: for one start only, and changing no configuration."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from despejado_spawner.pods.spawner import LabSpawner

from tests.spawner.pods.mock_spawners import (
    make_spawner,
    manifest,
    notebook,
    start_with,
    without_cluster,
)
from tests.spawner.pods.profile_lists import GPU, PROFILES, config_of


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cluster(monkeypatch)


@pytest.fixture
def spawner_class() -> Any:
    return LabSpawner


@pytest.fixture
def profiles() -> list[dict[str, Any]]:
    return copy.deepcopy(PROFILES)


async def test_a_gpu_profile_leaves_nothing_for_the_next_start(
    spawner_class: Any, profiles: Any
) -> None:
    config = config_of(
        profiles,
        extra_resource_limits={"site/thing": "1"},
        environment={"SITE": "x"},
        mem_limit="1G",
    )
    spawner = make_spawner(spawner_class, config)
    await start_with(spawner, {"profile": "gpu"})
    limits = notebook(await manifest(spawner))["resources"]["limits"]
    assert limits[GPU] == "1"
    assert limits["site/thing"] == "1"
    assert spawner.mem_limit == 8 * 2**30
    await start_with(spawner, {"profile": "cpu"})
    pod = await manifest(spawner)
    assert notebook(pod)["resources"]["limits"] == {
        "site/thing": "1",
        "cpu": 1.0,
        "memory": 2**30,
    }
    assert not pod["spec"].get("tolerations")
    assert spawner.environment == {"SITE": "x", "KIND": "cpu"}


async def test_the_same_without_the_hub_between(spawner_class: Any, profiles: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    for slug, limits in (("gpu", {GPU: "1"}), ("cpu", {}), ("gpu", {GPU: "1"})):
        spawner.user_options = {"profile": slug}
        await spawner.load_user_options()
        assert spawner.extra_resource_limits == limits


async def test_what_a_hook_sets_after_the_profile_is_the_hooks(
    spawner_class: Any, profiles: Any
) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    await start_with(spawner, {"profile": "gpu"})
    spawner.mem_limit = "2G"
    spawner.clear_state()
    assert spawner.mem_limit == 2 * 2**30
    assert spawner.extra_resource_limits == {}


async def test_group_overrides_do_not_leak_either(spawner_class: Any, profiles: Any) -> None:
    override = {
        "environment": {"GROUP": {"nested": "x"}},
        "extra_resource_limits": {"group/thing": "1"},
        "volumes": [{"name": "group", "emptyDir": {}}],
    }
    before = copy.deepcopy(override)
    groups = {"one": {"groups": ["stars"], "spawner_override": override}}
    config = config_of(profiles, group_overrides=groups)
    member = make_spawner(spawner_class, config, groups=("stars",))
    await start_with(member, {"profile": "gpu"})
    assert member.extra_resource_limits == {"group/thing": "1", GPU: "1"}
    member.volumes.append({"name": "of-a-hook"})
    member.extra_resource_limits["of/a-hook"] = "1"
    assert override == before
    await start_with(member, {"profile": "cpu"})
    assert member.extra_resource_limits == {"group/thing": "1"}
    assert member.volumes == before["volumes"]
    member.user.groups = []
    await start_with(member, {"profile": "cpu"})
    assert member.extra_resource_limits == {}
    assert member.volumes == []


async def test_the_list_stays_as_it_is_configured(spawner_class: Any, profiles: Any) -> None:
    config = config_of(profiles)
    wish = "images.example.org/one:1"
    first = make_spawner(spawner_class, config, user="first")
    first.profile_list = profiles
    await start_with(first, {"profile": "cpu", "image--unlisted-choice": wish})
    assert first.image == wish
    assert first.extra_labels == {"asked": wish}
    first.environment["OF_A_HOOK"] = "x"
    await first.get_options_form()
    assert profiles == PROFILES
    second = make_spawner(spawner_class, config, user="second")
    second.profile_list = profiles
    await start_with(second, {"profile": "cpu", "image--unlisted-choice": wish + "-b"})
    assert second.image == wish + "-b"
    assert second.environment["KIND"] == "cpu"
    assert "OF_A_HOOK" not in second.environment


async def test_callables_of_overrides_may_be_async(spawner_class: Any, profiles: Any) -> None:
    """As KubeSpawner documents; it sets the coroutine."""

    async def memory(spawner: Any) -> str:
        return "3G"

    def hook(spawner: Any, pod: Any) -> Any:
        return pod

    profiles[1]["kubespawner_override"] = {
        "image": lambda spawner: f"lab-of-{spawner.user.name}:1",
        "mem_limit": memory,
        "modify_pod_hook": lambda spawner: hook,
    }
    spawner = make_spawner(spawner_class, config_of(profiles))
    await start_with(spawner, {"profile": "gpu"})
    assert (spawner.image, spawner.mem_limit) == ("lab-of-jo:1", 3 * 2**30)
    assert spawner.modify_pod_hook is hook


async def test_none_removes_a_key_for_this_start_only(spawner_class: Any, profiles: Any) -> None:
    profiles[1]["kubespawner_override"] = {"environment": {"SITE": None, "NEW": {"a": "1"}}}
    config = config_of(profiles, environment={"SITE": "x"})
    spawner = make_spawner(spawner_class, config)
    await start_with(spawner, {"profile": "gpu"})
    assert spawner.environment == {"NEW": {"a": "1"}}
    await start_with(spawner, {"profile": "cpu"})
    assert spawner.environment == {"SITE": "x", "KIND": "cpu"}


async def test_an_override_of_no_setting_is_told(
    spawner_class: Any, profiles: Any, caplog: pytest.LogCaptureFixture
) -> None:
    profiles[1]["kubespawner_override"] = {"mem_limits": "1G"}
    spawner = make_spawner(spawner_class, config_of(profiles))
    spawner.log = logging.getLogger("test")
    await start_with(spawner, {"profile": "gpu"})
    assert "profile override of mem_limits: there is no such setting" in caplog.text
    spawner.clear_state()
    assert not hasattr(spawner, "mem_limits")


# Templates


async def test_braces_in_environment_values_reach_the_lab(
    spawner_class: Any, profiles: Any
) -> None:
    values = {
        "JSON": '{"a": {"b": [1, {}]}}',
        "PROMPT": "${debian_chroot:+($debian_chroot)}\\u",
        "FORMAT": "%(asctime)s {message}",
        "LONE": "{",
        "MIXED": '{"user": "{unescaped_username}", "x": {}}',
        "TEMPLATE": "/home/{unescaped_username}",
    }
    spawner = make_spawner(spawner_class, config_of(profiles, environment=values), user="jo@x")
    await start_with(spawner, {"image--unlisted-choice": "images.example.org/x:1"})
    env = {each["name"]: each.get("value") for each in notebook(await manifest(spawner))["env"]}
    for name in ("JSON", "PROMPT", "FORMAT", "LONE"):
        assert env[name] == values[name]
    assert env["MIXED"] == '{"user": "jo@x", "x": {}}'
    assert env["TEMPLATE"] == "/home/jo@x"
    assert env["ASKED"] == '{"image": "images.example.org/x:1", "more": {}}'


async def test_a_text_with_braces_cannot_end_the_start(spawner_class: Any, profiles: Any) -> None:
    unlisted = profiles[0]["profile_options"]["image"]["unlisted_choice"]
    del unlisted["validation_regex"]
    spawner = make_spawner(spawner_class, config_of(profiles))
    wish = "{x.y} {0} { {userid:>99999999}"
    await start_with(spawner, {"image--unlisted-choice": wish})
    pod = await manifest(spawner)
    assert notebook(pod)["image"] == wish
    assert pod["metadata"]["labels"]["asked"] == wish
