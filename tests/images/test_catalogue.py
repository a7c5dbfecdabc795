"""Which tags exist, what a tag means as versions, and what the menu shows."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from despejado_images.environments import EnvironmentStore, UnknownTagError
from despejado_images.environments.catalogue import tag_of, tags_of, version_of
from despejado_images.environments.layout import Layout
from despejado_images.environments.models import Catalogue
from despejado_images.environments.recipe import MIDDLEWARE, newest, recipe_of
from despejado_images.environments.records import read_catalogue, write_catalogue
from despejado_images.environments.store import check_tag
from despejado_images.menu import MenuPolicy, menu_tags, recommended_tag
from despejado_images.tags import parse_tag
from hypothesis import given
from hypothesis import strategies as st

VERSIONS = json.loads((Path(__file__).parent / "data" / "butler_versions.json").read_text())
TAGS = tags_of(VERSIONS)


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("30.2026.4300", "w_2026_43"),
        ("30.2026.900", "w_2026_09"),
        ("29.2025.3502", "w_2025_35"),
        ("30.0.11", "r30_0_11"),
        ("30.0.8rc2", "r30_0_8_rc2"),
        ("30.2026.9900", None),
        ("30.0.11.dev3", None),
        ("30.0.11a1", None),
        ("30.0", None),
        ("nonsense", None),
    ],
)
def test_a_version_is_a_tag(version: str, tag: str | None) -> None:
    assert tag_of(version) == tag


@given(st.permutations(VERSIONS))
def test_the_catalogue_does_not_depend_on_the_order_of_the_index(versions: list[str]) -> None:
    assert list(tags_of(versions).items()) == list(TAGS.items())


def test_the_last_patch_of_a_week_is_meant() -> None:
    assert tags_of(["29.2025.3501", "29.2025.3502", "29.2025.3500"]) == {
        "w_2025_35": "29.2025.3502"
    }


def test_a_week_is_found_however_it_is_written() -> None:
    assert version_of("w_2026_9", TAGS) == version_of("w_2026_09", TAGS) == "30.2026.900"


@pytest.mark.parametrize(
    ("tag", "nearest"),
    [
        ("w_2026_24", ("w_2026_26", "w_2026_23", "w_2026_22")),
        ("w_2026_53", ("w_2026_43", "w_2026_42")),
        ("w_2026_99", ("w_2026_43", "w_2026_42")),
        ("r30_0_12", ("r30_0_11", "r30_0_10")),
        ("r30_0_8_rc9", ("r30_0_9_rc1", "r30_0_8_rc4", "r30_0_8_rc3")),
        ("w2026_43", ("w_2026_43",)),
    ],
)
def test_an_unknown_tag_names_the_nearest(tag: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(UnknownTagError) as caught:
        version_of(tag, TAGS)
    assert caught.value.nearest[: len(nearest)] == nearest
    assert nearest[0] in str(caught.value)


@pytest.mark.parametrize("tag", ["", "../x", "a b", "d_2026_10_22", "w_2026_43_rsp1", "latest"])
def test_what_no_index_holds_is_refused_before_a_builder_starts(tag: str) -> None:
    with pytest.raises(UnknownTagError, match="w_2026_43"):
        check_tag(tag, TAGS)


@pytest.mark.parametrize("tag", ["ui", "plain", "w_2027_01", "r31_0_0", "r31_0_0_rc1"])
def test_a_tag_newer_than_the_catalogue_may_be_tried(tag: str) -> None:
    check_tag(tag, TAGS)


# Recipes


def test_a_week_bounds_every_package_by_that_week() -> None:
    recipe = recipe_of("w_2026_42", TAGS)
    assert "lsst-daf-butler==30.2026.4200" in recipe.requirements
    for name in MIDDLEWARE:
        assert any(line.startswith(f"{name}<=30.2026.4299") for line in recipe.requirements)
    assert not recipe.candidates


def test_only_a_candidate_takes_candidates() -> None:
    assert recipe_of("r30_0_8_rc2", TAGS).candidates
    assert not recipe_of("r30_0_11", TAGS).candidates


def test_no_environment_asks_for_a_gpl_package() -> None:
    for tag in ("ui", "plain", "w_2026_43"):
        recipe = recipe_of(tag, TAGS)
        text = " ".join(recipe.requirements)
        assert not any(name in text for name in ("felis", "sdm-schemas", "dax-obscore", "hpgeom"))


@pytest.mark.parametrize(
    ("version", "bound"),
    [
        ("30.2026.4300", "30.2026.4399"),
        ("29.2025.3502", "29.2025.3599"),
        ("30.0.11", "30.0.11"),
        ("30.0.8rc2", "30.0.8rc2"),
    ],
)
def test_a_patched_week_still_belongs_to_the_week(version: str, bound: str) -> None:
    assert newest(version) == bound


# The menu


def test_the_menu_shows_what_the_policy_says_and_what_is_built() -> None:
    policy = MenuPolicy(weeklies=2, releases=1, candidates=0)
    assert menu_tags(policy, TAGS, ["ui", "plain", "w_2026_10"]) == [
        "w_2026_43",
        "plain",
        "r30_0_11",
        "w_2026_42",
        "w_2026_10",
    ]


def test_zero_means_none() -> None:
    policy = MenuPolicy(recommended="plain", weeklies=0, releases=0)
    assert menu_tags(policy, TAGS, []) == ["plain"]


def test_a_configured_recommendation_is_first() -> None:
    assert menu_tags(MenuPolicy(recommended="r30_0_10"), TAGS, [])[0] == "r30_0_10"


def test_without_a_catalogue_only_plain_and_what_is_built() -> None:
    assert menu_tags(MenuPolicy(), {}, []) == ["plain"]
    assert menu_tags(MenuPolicy(), {}, ["w_2026_40", "ui"]) == ["w_2026_40", "plain"]
    assert recommended_tag(MenuPolicy(), {}, []) == "plain"


@given(
    st.integers(0, 9),
    st.integers(0, 9),
    st.lists(st.sampled_from(sorted(TAGS)), unique=True, max_size=5),
)
def test_every_tag_is_shown_once_and_newest_first(
    weeklies: int, releases: int, built: list[str]
) -> None:
    shown = menu_tags(MenuPolicy(weeklies=weeklies, releases=releases), TAGS, built)
    assert len(shown) == len(set(shown))
    assert set(built) <= set(shown)
    weeks = [parse_tag(tag) for tag in shown[2:] if tag.startswith("w_")]
    assert weeks == sorted(weeks, reverse=True)


# Asking the index


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is configured for an index on a loopback port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_index")
async def test_a_failed_refresh_keeps_the_last_list_and_says_so(tmp_path: Path) -> None:
    checked = datetime(2026, 11, 1, tzinfo=UTC)
    write_catalogue(Layout(tmp_path), Catalogue(tags=TAGS, checked=checked))
    catalogue = await EnvironmentStore(tmp_path).refresh_catalogue()
    assert catalogue.tags == TAGS
    assert catalogue.checked == checked
    assert catalogue.problem is not None
    assert "no network" in catalogue.problem
    assert read_catalogue(Layout(tmp_path)) == catalogue


@pytest.mark.usefixtures("no_index")
async def test_the_first_start_without_a_network_offers_plain(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path / "new")
    assert (await store.refresh_catalogue()).tags == {}
    assert [(choice.tag, choice.state) for choice in store.choices()] == [("plain", "absent")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tags": 3}', '{"tags": {}, "checked": "x"}'])
def test_a_damaged_catalogue_is_no_catalogue(tmp_path: Path, text: str) -> None:
    (tmp_path / "catalogue.json").write_text(text)
    assert read_catalogue(Layout(tmp_path)).tags == {}


@pytest.mark.network
async def test_the_index_lists_weeklies_and_releases(tmp_path: Path) -> None:
    store = EnvironmentStore(tmp_path, MenuPolicy(weeklies=2, releases=1))
    catalogue = await store.refresh_catalogue()
    assert catalogue.problem is None
    assert catalogue.tags["w_2026_43"] == "30.2026.4300"
    assert catalogue.tags["r30_0_11"] == "30.0.11"
    first, plain, *others = store.choices()
    assert (first.recommended, first.tag[:2]) == (True, "w_")
    assert plain.tag == "plain"
    assert {choice.tag[0] for choice in others} == {"w", "r"}
    assert first.expected_seconds is not None
