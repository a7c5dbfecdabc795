"""What the menu of a registry offers: one line a version, aliases, and a reason for the rest."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from despejado_images.catalogue import ImageCatalogue, image_catalogue, shared_catalogue
from despejado_images.configured import ConfiguredImages
from despejado_images.environments import EnvironmentImages, EnvironmentStore
from despejado_images.environments.layout import Layout
from despejado_images.environments.models import Catalogue
from despejado_images.environments.records import write_catalogue
from despejado_images.errors import UnavailableImageError, UnknownImageError
from despejado_images.image import Image, ImageSource, find_image, names_of
from despejado_images.listing import shown_tags
from despejado_images.menu import MenuPolicy, menu_tags, parse_policy

from tests.images.registries import LocalRegistry

WEEK = ["w_2026_43", "w_2026_43_c0042.003", "w_2026_43_rsp27", "w_2026_43-amd64", "w_2026_43-arm64"]
TAGS = ["w_2026_40", "w_2026_41", "w_2026_42", *WEEK]


@pytest.fixture
async def registry() -> AsyncIterator[LocalRegistry]:
    made = LocalRegistry()
    server = TestServer(made.app(), host="127.0.0.1")
    await server.start_server()
    made.port = server.port or 0
    yield made
    await server.close()


async def menu_of(registry: LocalRegistry, **policy: Any) -> ImageCatalogue:
    """The menu after one look at the registry."""
    catalogue = image_catalogue(registry.repository, MenuPolicy(**policy))
    await catalogue.refresh()
    assert catalogue.problem is None
    return catalogue


def lines(source: ImageSource) -> list[tuple[str, str]]:
    return [(image.tag, image.state) for image in source.choices()]


# One line a version


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        (MenuPolicy(), ["w_2026_43", "w_2026_42", "w_2026_41"]),
        (MenuPolicy(weeklies=1), ["w_2026_43"]),
        (MenuPolicy(cycle=42), ["w_2026_43_c0042.003"]),
        (MenuPolicy(cycle=41), []),
        (MenuPolicy(weeklies=1, architectures=("arm64",)), ["w_2026_43", "w_2026_43-arm64"]),
    ],
)
def test_a_week_is_one_line_unless_the_policy_asks(policy: MenuPolicy, shown: list[str]) -> None:
    shuffled = random.Random(43).sample(TAGS, len(TAGS))
    assert shown_tags(policy, shuffled) == shown


def test_a_laptop_s_menu_has_one_line_a_week_too() -> None:
    assert menu_tags(MenuPolicy(weeklies=2), TAGS, []) == ["w_2026_43", "plain", "w_2026_42"]


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        (["w_2026_43_rsp9", "w_2026_43_rsp27", "w_2026_43_extra"], "w_2026_43_rsp27"),
        (["r30_0_11_rsp2697", "r30_0_11_rsp2742", "r30_0_11-amd64"], "r30_0_11_rsp2742"),
        (["r30_0_8_rc2_rsp1", "r30_0_8_rc2", "r30_0_8_rc2_rsp2"], "r30_0_8_rc2"),
        (["d_2026_10_22_rsp1", "d_2026_10_22_rsp2", "d_2026_10_21"], "d_2026_10_22_rsp2"),
    ],
)
def test_without_a_plain_tag_the_newest_build_is_the_line(tags: list[str], line: str) -> None:
    assert shown_tags(MenuPolicy(candidates=1, dailies=1), tags) == [line]


def test_of_a_cycle_the_newest_build_is_the_line() -> None:
    tags = ["w_2026_43_c0042.003", "w_2026_43_c0042.004", "w_2026_43_c0042.004_rsp27", "w_2026_43"]
    assert shown_tags(MenuPolicy(cycle=42), tags) == ["w_2026_43_c0042.004"]


async def test_the_plain_newest_weekly_is_recommended(registry: LocalRegistry) -> None:
    for tag in TAGS:
        registry.put(tag, architecture="arm64" if tag.endswith("arm64") else "amd64")
    menu = await menu_of(registry)
    assert [image.tag for image in menu.choices() if image.recommended] == ["w_2026_43"]
    assert menu.resolve("recommended") == menu.choices()[0]
    assert menu.warnings == ()


# What cannot be started


async def test_one_image_that_cannot_be_is_one_greyed_line(registry: LocalRegistry) -> None:
    registry.put("w_2026_43", platforms=("arm64", "ppc64le"))
    registry.put("w_2026_42")
    registry.put("w_2026_41")
    registry.answers["manifests/w_2026_41"] = (200, b'{"config": 3}')
    registry.put("w_2026_40", labels=["broken"])
    registry.put("w_2026_39")
    registry.answers["manifests/w_2026_39"] = (200, b"<html>")
    registry.put("w_2026_38", architecture="arm64")
    menu = await menu_of(registry, weeklies=6)
    assert lines(menu) == [
        ("w_2026_42", "ready"),
        ("w_2026_43", "unavailable"),
        ("w_2026_41", "unavailable"),
        ("w_2026_40", "unavailable"),
        ("w_2026_39", "unavailable"),
        ("w_2026_38", "unavailable"),
    ]
    reasons = [str(image.reason) for image in menu.choices()]
    for reason, said in zip(
        reasons[1:], ["arm64, ppc64le", "manifest", "labels", "no JSON", "arm64"], strict=True
    ):
        assert said in reason
    assert len(menu.warnings) == 5
    with pytest.raises(UnavailableImageError, match=r"Weekly 2026_43 cannot be started.*arm64"):
        menu.resolve("w_2026_43")
    with pytest.raises(UnknownImageError):
        menu.resolve("w_2026_37")


async def test_an_architecture_that_the_policy_has_can_be_started(registry: LocalRegistry) -> None:
    registry.put("w_2026_43", platforms=("arm64",))
    assert lines(await menu_of(registry, architectures=("arm64",))) == [("w_2026_43", "ready")]


async def test_a_label_that_nobody_understands_leaves_the_image(registry: LocalRegistry) -> None:
    nested = "[" * 100_000
    registry.put("w_2026_43", labels={"dev.despejado.versions": nested, "x": "\ud800"})
    title = {"org.opencontainers.image.title": "A\ud800\x00\nB" + "x" * 999}
    registry.put("w_2026_42", labels=title)
    menu = await menu_of(registry)
    assert lines(menu) == [("w_2026_43", "ready"), ("w_2026_42", "ready")]
    titles = [image.title for image in menu.choices()]
    assert titles[0] == "Weekly 2026_43"
    assert titles[1].startswith("A Bxx") and len(titles[1]) <= 200
    assert dict(menu.choices()[0].versions) == {}


async def test_a_tag_that_fails_for_now_keeps_its_line(registry: LocalRegistry) -> None:
    registry.put("w_2026_43")
    registry.put("w_2026_42")
    menu = await menu_of(registry)
    before = menu.choices()
    registry.answers["manifests/w_2026_43"] = (503, b"")
    await menu.refresh()
    assert menu.choices() == before
    assert menu.problem is None


async def test_a_registry_that_fails_keeps_the_menu_and_says_so(registry: LocalRegistry) -> None:
    registry.put("w_2026_43")
    menu = await menu_of(registry)
    before = menu.choices()
    for status, said in ((503, "answered 503"), (403, "does not let the platform in")):
        registry.answers["manifests/w_2026_43"] = (status, b"")
        await menu.refresh()
        assert menu.choices() == before
        assert said in str(menu.problem)


# What is recommended


@pytest.mark.parametrize(
    ("tags", "policy", "recommended", "said"),
    [
        (["w_2026_43", "w_2026_42"], {"recommended": "w_2026_30"}, "w_2026_43", "'w_2026_30'"),
        (["r30_0_11", "r30_0_9"], {"recommended": "w_2026_30"}, "r30_0_11", "'w_2026_30'"),
        (["r30_0_11", "r30_0_9"], {}, "r30_0_11", "no weekly"),
        (["r30_0_11"], {"releases": 0}, "r30_0_11", "no weekly"),
        (["plain"], {}, "plain", "no weekly"),
        (["plain", "r30_0_11"], {"recommended": "plain"}, "plain", None),
        (["w_2026_43"], {"aliases": ("recommended",)}, "w_2026_43", "'recommended'"),
    ],
)
async def test_something_sensible_is_recommended_and_the_operator_told(
    registry: LocalRegistry,
    tags: list[str],
    policy: dict[str, Any],
    recommended: str,
    said: str | None,
) -> None:
    for tag in tags:
        registry.put(tag)
    menu = await menu_of(registry, **policy)
    assert menu.choices()[0].tag == menu.resolve("recommended").tag == recommended
    if said is None:
        assert menu.warnings == ()
    else:
        assert said in menu.warnings[0]
        assert f"{recommended} is recommended instead" in menu.warnings[0]


async def test_what_cannot_be_started_is_not_recommended(registry: LocalRegistry) -> None:
    registry.put("w_2026_43")
    registry.put("w_2026_42", platforms=("arm64",))
    menu = await menu_of(registry, recommended="w_2026_42")
    assert menu.choices()[0].tag == "w_2026_43"
    assert "'w_2026_42' is not on offer; w_2026_43" in menu.warnings[0]


def test_a_laptop_recommends_what_there_is_and_says_so(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path, MenuPolicy(recommended="w_2026_30"))
    source = EnvironmentImages(store)
    assert source.choices()[0].tag == "w_2026_30"  # the index was not asked yet: it may be there
    assert not source.warnings
    Layout(tmp_path).make()
    write_catalogue(Layout(tmp_path), Catalogue(tags={"r30_0_11": "30.0.11"}))
    assert source.choices()[0].tag == source.resolve("recommended").tag == "r30_0_11"
    assert "'w_2026_30' is not on offer; r30_0_11" in source.warnings[0]
    assert source.problem is None


def test_a_week_is_there_however_it_is_written(tmp_path: Path) -> None:
    Layout(tmp_path).make()
    write_catalogue(Layout(tmp_path), Catalogue(tags={"w_2026_09": "30.2026.900"}))
    store = EnvironmentStore(tmp_path, MenuPolicy(recommended="w_2026_9"))
    assert store.resolve("recommended") == "w_2026_9"
    assert EnvironmentImages(store).warnings == ()


# Aliases


async def test_an_alias_shows_what_it_stands_for_and_stands_for_it(registry: LocalRegistry) -> None:
    registry.put("w_2026_42")
    digest = registry.put("w_2026_43")
    registry.put("w_2026_43_rsp27", like="w_2026_43")
    registry.put("recommended", like="w_2026_43")
    registry.put("latest_release", labels={"org.opencontainers.image.title": "Release r30.0.10"})
    registry.put("r30_0_11")
    menu = await menu_of(registry, aliases=("recommended", "latest_release"))
    assert [(image.tag, image.title) for image in menu.choices()] == [
        ("recommended", "Recommended (Weekly 2026_43)"),
        ("latest_release", "Latest Release (Release r30.0.10)"),
        ("r30_0_11", "Release r30.0.11"),
        ("w_2026_42", "Weekly 2026_42"),
    ]
    assert menu.choices()[0].recommended
    assert menu.resolve("w_2026_43").digest == menu.resolve("recommended").digest == digest
    assert names_of(menu.choices()) == {"w_2026_43": "recommended"}
    # No tag is asked for that is not shown.
    assert "manifests/w_2026_43_rsp27" not in registry.asked


async def test_without_configured_aliases_moving_tags_are_not_shown(
    registry: LocalRegistry,
) -> None:
    registry.put("w_2026_43")
    registry.put("recommended", like="w_2026_43")
    registry.put("latest_weekly", like="w_2026_43")
    assert lines(await menu_of(registry)) == [("w_2026_43", "ready")]


async def test_a_configured_recommendation_may_have_its_line_from_an_alias(
    registry: LocalRegistry,
) -> None:
    registry.put("w_2026_43")
    registry.put("w_2026_42")
    registry.put("latest_weekly", like="w_2026_42")
    menu = await menu_of(registry, recommended="w_2026_42", aliases=("latest_weekly",))
    assert [(image.tag, image.recommended) for image in menu.choices()] == [
        ("latest_weekly", True),
        ("w_2026_43", False),
    ]
    assert menu.warnings == ()


async def test_aliases_of_another_cycle_are_not_shown(registry: LocalRegistry) -> None:
    registry.put("w_2026_43_c0042.003")
    registry.put("w_2026_43")
    registry.put("recommended_c0042", like="w_2026_43_c0042.003")
    registry.put("recommended", like="w_2026_43")
    menu = await menu_of(registry, cycle=42, aliases=("recommended",))
    assert [image.title for image in menu.choices()] == [
        "Recommended (Weekly 2026_43, SAL Cycle 0042, Build 003)"
    ]
    assert menu.choices()[0].recommended
    assert menu.warnings == ()


async def test_an_alias_keeps_its_line_while_its_tags_fail(registry: LocalRegistry) -> None:
    for tag in ("w_2026_43", "w_2026_42"):
        registry.put(tag)
    registry.put("recommended", like="w_2026_43")
    menu = await menu_of(registry, aliases=("recommended",))
    before = menu.choices()
    for failing in (["recommended"], ["w_2026_43"], ["recommended", "w_2026_43"]):
        whole = dict(registry.answers)
        registry.answers |= {f"manifests/{tag}": (503, b"") for tag in failing}
        await menu.refresh()
        registry.answers = whole
        assert menu.choices() == before
        assert menu.resolve("w_2026_43").tag == "recommended"


# Policy, memory, one record


async def test_a_machine_that_was_just_started_looks_at_once(
    registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put("w_2026_43")
    catalogue = image_catalogue(registry.repository)
    with monkeypatch.context() as clock:
        clock.setattr(time, "monotonic", lambda: 20.0)
        assert catalogue.choices() == ()
    async with asyncio.timeout(30):
        while not registry.asked:
            await asyncio.sleep(0.01)
    await catalogue.refresh()  # joins the look that has begun
    assert lines(catalogue) == [("w_2026_43", "ready")]


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        ({"weekly": 3}, "'weekly' is unknown. Allowed: recommended"),
        ({"weeklies": -1}, "weeklies must be a number"),
        ({"weeklies": True}, "weeklies must be a number"),
        ({"recommended": "a b"}, "recommended must be a tag"),
        ({"cycle": "0042"}, "cycle must be a number"),
        ({"architectures": "arm64"}, "architectures must be a list"),
        ({"aliases": [3]}, "aliases must be a list of tags"),
    ],
)
def test_a_wrong_policy_is_told_by_its_key(configured: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_policy(configured)
    with pytest.raises(ValueError, match=said):
        shared_catalogue("registry.example.org/lab", configured, "", None, {})


async def test_the_menu_is_there_again_after_a_restart(
    registry: LocalRegistry, tmp_path: Path
) -> None:
    registry.put("w_2026_43")
    registry.put("recommended", like="w_2026_43")
    policy = MenuPolicy(aliases=("recommended",))
    cache = tmp_path / "images.json"
    first = image_catalogue(registry.repository, policy, cache=cache)
    await first.refresh()
    registry.answers["tags/list"] = (503, b"")
    again = image_catalogue(registry.repository, policy, cache=cache)
    await again.refresh()
    assert again.problem is not None
    assert again.choices() == first.choices()
    assert json.loads(cache.read_text())[0]["also"] == ["w_2026_43"]


@pytest.mark.parametrize("text", ["", "{", "3", "[3]", '[{"tag": "a"}]', '[{"no": "field"}]'])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, text: str) -> None:
    (tmp_path / "images.json").write_text(text)
    catalogue = image_catalogue("registry.example.org/lab", cache=tmp_path / "images.json")
    assert catalogue.choices() == ()


def test_all_sources_give_the_same_record(tmp_path: Path) -> None:
    sources: list[ImageSource] = [
        ConfiguredImages({"a": "registry.example.org/a:1", "b": "registry.example.org/b:1"}),
        EnvironmentImages(EnvironmentStore(tmp_path)),
        image_catalogue("registry.example.org/lab"),
    ]
    for source in sources:
        assert all(type(image) is Image for image in source.choices())
    assert sources[0].resolve("recommended").tag == "a"
    assert sources[1].resolve("recommended").kind == "environment"
    with pytest.raises(UnknownImageError):
        find_image((), "recommended")
