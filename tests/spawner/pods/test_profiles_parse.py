"""What a user chose of a profile list: every JSON value gives a choice or an error that helps."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from despejado_spawner.errors import OptionsError
from despejado_spawner.pods.kubespawner.profiles.check import ProfileListError, profiles_of
from despejado_spawner.pods.kubespawner.profiles.overrides import copied, merged
from despejado_spawner.pods.kubespawner.profiles.parse import offered_part, parse_profile
from hypothesis import given
from hypothesis import strategies as st

IMAGE = {
    "display_name": "Image",
    "choices": {
        "base": {"display_name": "Base", "kubespawner_override": {"image": "jupyter/base:1"}},
        "minimal": {"default": True, "kubespawner_override": {"image": "jupyter/minimal:1"}},
        "plain": {},
    },
    "unlisted_choice": {
        "enabled": True,
        "display_name": "Your own",
        "validation_regex": r"jupyter/[a-z-]+:\w+",
        "validation_message": "Must be an image of jupyter/",
        "kubespawner_override": {"image": "{value}", "extra_labels": {"asked": "{value}"}},
    },
}
PROFILES: list[dict[str, Any]] = [
    {
        "slug": "cpu",
        "display_name": "CPU",
        "default": True,
        "kubespawner_override": {"cpu_limit": 2},
        "profile_options": {"image": IMAGE},
    },
    {"slug": "gpu", "display_name": "GPU", "profile_options": {}},
    {
        "slug": "own",
        "display_name": "Own",
        "profile_options": {
            "tag": {
                "display_name": "Tag",
                "unlisted_choice": {
                    "enabled": True,
                    "kubespawner_override": {"image": "lab:{value}"},
                },
            },
            "closed": {
                "choices": {"a": {}},
                "unlisted_choice": {"kubespawner_override": {"image": "{value}"}},
            },
        },
    },
]

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    ["profile", "image", "image--unlisted-choice", "tag", "tag--unlisted-choice", "closed"]
)
VALUES = ANY_JSON | st.sampled_from(["cpu", "gpu", "own", "base", "jupyter/x:1", "unlisted-choice"])
ALMOST = st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=5)


def image_of(raw: object) -> Any:
    choice = parse_profile(raw, PROFILES)
    return [override["image"] for override in choice.overrides if "image" in override]


@given(ANY_JSON | ALMOST)
def test_any_json_gives_a_choice_or_an_options_error(raw: object) -> None:
    before = copy.deepcopy(PROFILES)
    try:
        choice = parse_profile(raw, PROFILES)
    except OptionsError as error:
        assert error.field
        assert str(error).startswith(error.field)
    else:
        assert choice.profile in PROFILES
    assert before == PROFILES


@given(ANY_JSON | ALMOST)
def test_what_is_marked_in_the_form_can_be_chosen(saved: object) -> None:
    part = offered_part(saved, PROFILES)
    try:
        parse_profile(part, PROFILES)
    except OptionsError as error:  # what must be written need not have been saved
        assert error.problem == "A value is needed (Tag)."
        assert error.field not in part
    if isinstance(saved, dict):
        assert part.items() <= saved.items()


def test_nothing_said_is_the_default_profile_with_its_default_choice() -> None:
    nothing: list[object] = [{}, None, {"profile": None}, {"profile": "", "image": ""}]
    for raw in nothing:
        choice = parse_profile(raw, PROFILES)
        assert choice.profile["slug"] == "cpu"
        assert choice.overrides == ({"cpu_limit": 2}, {"image": "jupyter/minimal:1"})


def test_a_choice_overrides_after_its_profile() -> None:
    choice = parse_profile({"profile": "cpu", "image": "base"}, PROFILES)
    assert choice.overrides == ({"cpu_limit": 2}, {"image": "jupyter/base:1"})
    assert parse_profile({"profile": "cpu", "image": "plain"}, PROFILES).overrides[1] == {}


def test_an_unlisted_text_is_filled_in_everywhere() -> None:
    choice = parse_profile({"image": "base", "image--unlisted-choice": "jupyter/r:2"}, PROFILES)
    assert choice.overrides[1] == {"image": "jupyter/r:2", "extra_labels": {"asked": "jupyter/r:2"}}


@pytest.mark.parametrize(
    ("raw", "field", "says"),
    [
        ({"profile": "tpu"}, "profile", "There is no profile 'tpu'. Allowed: cpu, gpu, own."),
        ({"profile": ["cpu"]}, "profile", "a JSON list is not a text"),
        ({"profile": {"slug": "cpu"}}, "profile", "a JSON object is not a text"),
        ({"profile": 5}, "profile", "5 is not a text"),
        ({"profile": True}, "profile", "True is not a text"),
        ({"image": "huge"}, "image", "There is no choice 'huge'. Allowed: base, minimal, plain."),
        ({"image": ["w1"]}, "image", "a JSON list is not a text"),
        ({"image": 0}, "image", "0 is not a text"),
        ({"image--unlisted-choice": 5}, "image--unlisted-choice", "5 is not a text"),
        ({"image--unlisted-choice": [[]]}, "image--unlisted-choice", "a JSON list is not a text"),
        ({"image": "unlisted-choice"}, "image--unlisted-choice", "A value is needed (Your own)."),
        ({"profile": "own"}, "tag--unlisted-choice", "A value is needed (Tag)."),
        (["cpu"], "options", "must be a JSON object, not a JSON list"),
        ("cpu", "options", "must be a JSON object, not 'cpu'"),
        (7, "options", "must be a JSON object, not 7"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(raw: object, field: str, says: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_profile(raw, PROFILES)
    assert caught.value.field == field
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text", ["jupyter/good:1.evil.com/x", "x jupyter/good:1", "jupyter/good:1\n", "pangeo/x:1"]
)
def test_an_unlisted_text_must_match_in_full(text: str) -> None:
    with pytest.raises(OptionsError) as caught:
        parse_profile({"profile": "cpu", "image--unlisted-choice": text}, PROFILES)
    assert caught.value.field == "image--unlisted-choice"
    assert "Must be an image of jupyter/." in str(caught.value)


def test_the_default_profile_is_no_way_around_the_pattern() -> None:
    """KubeSpawner checks nothing when no profile is named, and then applies the text."""
    with pytest.raises(OptionsError):
        parse_profile({"image--unlisted-choice": "evil.example.org/x:1"}, PROFILES)


def test_a_text_for_a_closed_option_is_refused() -> None:
    raw = {"profile": "own", "tag--unlisted-choice": "1", "closed--unlisted-choice": "x"}
    with pytest.raises(OptionsError, match="closed--unlisted-choice: Only listed choices"):
        parse_profile(raw, PROFILES)


def test_names_of_no_option_are_told_and_do_nothing() -> None:
    choice = parse_profile({"profile": "gpu", "image": "base", "x": {"y": 1}}, PROFILES)
    assert choice.unknown == ("image", "x")
    assert choice.overrides == ({},)


def test_keys_of_choices_that_yaml_made_numbers_can_be_chosen() -> None:
    profile = {
        "slug": 1,
        "default": True,
        "profile_options": {"n": {"choices": {2: {"kubespawner_override": {"a": 2}}, 4: {}}}},
    }
    choice = parse_profile({"profile": "1", "n": "2"}, [profile])
    assert choice.overrides[1] == {"a": 2}


def test_only_what_is_gone_is_not_marked_in_the_form() -> None:
    saved = {"profile": "cpu", "image": "weekly-that-was", "note": "x"}
    assert offered_part(saved, PROFILES) == {"profile": "cpu", "note": "x"}
    assert offered_part({"profile": "gone", "image": "base"}, PROFILES) == {}
    assert offered_part({"profile": "cpu", "image": "base"}, PROFILES)["image"] == "base"
    assert offered_part("not options", PROFILES) == {}
    assert offered_part({"image": "unlisted-choice"}, PROFILES) == {}
    unfinished = {"profile": "own", "closed": "gone"}
    assert offered_part(unfinished, PROFILES) == {"profile": "own"}


def test_a_broken_pattern_is_the_sites_mistake_and_only_of_its_profile() -> None:
    broken = copy.deepcopy(PROFILES)
    broken[0]["profile_options"]["image"]["unlisted_choice"]["validation_regex"] = "("
    assert parse_profile({"profile": "gpu"}, broken).profile["slug"] == "gpu"
    with pytest.raises(ProfileListError, match="validation_regex is none"):
        parse_profile({"image--unlisted-choice": "x"}, broken)
    assert offered_part({"image--unlisted-choice": "x"}, broken) == {}


@pytest.mark.parametrize(
    ("configured", "says"),
    [
        ("text", "profile_list must be a list, not a str."),
        ([7], "profile_list[0] must be a mapping, not a int."),
        ([{"description": "x"}], "profile_list[0] needs a display_name or a slug."),
        ({"b": None}, "profile_list['b'] must be a mapping, not nothing."),
        (
            [{"slug": "a", "profile_options": {"image": {"choices": {"x": None}}}}],
            "profile_list[0].profile_options['image'].choices['x'] must be a mapping, not nothing.",
        ),
        (
            [{"slug": "a", "profile_options": ["image"]}],
            "profile_list[0].profile_options must be a mapping, not a list.",
        ),
        (
            [{"slug": "a", "kubespawner_override": "x"}],
            "profile_list[0].kubespawner_override must be a mapping, not a str.",
        ),
    ],
)
def test_a_mistake_in_the_list_names_its_place(configured: object, says: str) -> None:
    with pytest.raises(ProfileListError) as caught:
        profiles_of(configured)
    assert str(caught.value) == f"{says} Tell the administrator."


def test_a_mapping_of_profiles_is_in_the_order_of_its_keys() -> None:
    found = profiles_of({"b": {"slug": "second"}, "a": {"slug": "first"}})
    assert [profile["slug"] for profile in found] == ["first", "second"]
    assert profiles_of(None) == profiles_of([]) == profiles_of({}) == []


def test_merging_makes_a_new_mapping_and_changes_neither() -> None:
    current = {"limits": {"gpu": 1, "keep": 1}, "gone": 1, "text": "x"}
    override = {"limits": {"gpu": 2}, "gone": None, "new": {"a": [1]}, "text": {"a": 1}}
    before = copy.deepcopy((current, override))
    result = merged(current, override)
    assert result == {
        "limits": {"gpu": 2, "keep": 1},
        "new": {"a": [1]},
        "text": {"a": 1},
    }
    result["limits"]["gpu"] = 3
    result["new"]["a"].append(2)
    assert (current, override) == before


def test_a_copy_shares_no_container() -> None:
    special = object()
    value = {"a": [{"b": special}]}
    copy_of = copied(value)
    copy_of["a"][0]["c"] = 1
    assert value == {"a": [{"b": special}]}
