"""Profile lists as KubeSpawner documents them, on stock and on LabSpawner."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from tests.spawner.pods import profile_lists
from tests.spawner.pods.mock_spawners import (
    STOCK_AND_OURS,
    make_spawner,
    start_with,
    without_cluster,
)
from tests.spawner.pods.profile_lists import GPU, config_of

PROFILES = copy.deepcopy(profile_lists.PROFILES)
del PROFILES[0]["profile_options"]["image"]["unlisted_choice"]["kubespawner_override"][
    "environment"
]
"""Without the text that stock cannot fill in (test_profiles_overrides.py)."""


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cluster(monkeypatch)


@pytest.fixture(params=STOCK_AND_OURS, ids=lambda each: each.__name__)
def spawner_class(request: pytest.FixtureRequest) -> Any:
    return request.param


async def as_future(spawner: Any) -> Any:
    return copy.deepcopy(PROFILES)


FORMS = {
    "list": PROFILES,
    "mapping": {"b-gpu": PROFILES[1], "a-cpu": PROFILES[0]},
    "callable": lambda spawner: copy.deepcopy(PROFILES),
    "async callable": as_future,
}


@pytest.mark.parametrize("profiles", FORMS.values(), ids=FORMS)
async def test_each_way_to_give_profiles(spawner_class: Any, profiles: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    form = await spawner.get_options_form()
    assert form.index('value="cpu"') < form.index('value="gpu"')
    await start_with(spawner, {"profile": "gpu"})
    assert spawner.extra_resource_limits == {GPU: "1"}
    assert spawner.tolerations == [{"key": GPU, "operator": "Exists"}]


async def test_a_site_without_profiles_has_no_form(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, Config())
    assert await spawner.get_options_form() == ""
    await start_with(spawner, {})


async def test_slugs_come_from_titles_and_the_first_is_the_default(spawner_class: Any) -> None:
    profiles: list[dict[str, Any]] = [
        {"display_name": "A Big One!", "kubespawner_override": {"image": "big:1"}},
        {"display_name": "Small", "slug": "s", "kubespawner_override": {"image": "small:1"}},
    ]
    spawner = make_spawner(spawner_class, config_of(profiles))
    await start_with(spawner, {})
    assert spawner.image == "big:1"
    await start_with(spawner, {"profile": "s"})
    assert spawner.image == "small:1"
    await start_with(spawner, {"profile": "a-big-one"})
    assert spawner.image == "big:1"
    profiles[1]["default"] = True
    other = make_spawner(spawner_class, config_of(profiles))
    await start_with(other, {"profile": ""})
    assert other.image == "small:1"


@pytest.mark.parametrize(
    ("options", "image", "cpu"),
    [
        ({"profile": "cpu"}, "lab:1", 1),
        ({"profile": "cpu", "image": "two"}, "lab:2", 1),
        ({"profile": "cpu", "image": "two", "size": "l"}, "lab:2", 4),
        ({"image": "two"}, "lab:2", 1),
        (
            {"profile": "cpu", "image--unlisted-choice": "images.example.org/x:1"},
            "images.example.org/x:1",
            1,
        ),
    ],
)
async def test_options_of_a_profile(
    spawner_class: Any, options: dict[str, Any], image: str, cpu: int
) -> None:
    spawner = make_spawner(spawner_class, config_of(copy.deepcopy(PROFILES)))
    await start_with(spawner, options)
    assert (spawner.image, spawner.cpu_limit) == (image, cpu)
    assert spawner.environment["KIND"] == "cpu"


async def test_later_overrides_win_and_mappings_are_merged(spawner_class: Any) -> None:
    profiles = [
        {
            "display_name": "a",
            "kubespawner_override": {
                "image": "of-profile:1",
                "environment": {"PROFILE": "1", "GONE": None, "BOTH": "profile"},
                "mem_limit": lambda spawner: f"{len(spawner.user.name)}G",
            },
            "profile_options": {
                "x": {
                    "choices": {
                        "y": {
                            "kubespawner_override": {
                                "image": "of-choice:1",
                                "environment": {"BOTH": "choice"},
                            }
                        }
                    }
                }
            },
        }
    ]
    config = config_of(profiles, environment={"SITE": "1", "GONE": "1"}, image="of-site:1")
    spawner = make_spawner(spawner_class, config)
    await start_with(spawner, {})
    assert spawner.image == "of-choice:1"
    assert spawner.environment == {"SITE": "1", "PROFILE": "1", "BOTH": "choice"}
    assert spawner.mem_limit == 2 * 2**30


async def test_the_default_form_offers_all(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(copy.deepcopy(PROFILES)))
    form = await spawner.get_options_form()
    for part in (
        'id="profile-item-cpu"',
        "<h3>CPU only</h3>",
        'name="profile-option-cpu--image"',
        '<option value="one" selected>One</option>',
        '<option value="unlisted-choice">Other...</option>',
        'pattern="images\\.example\\.org/[\\w:-]+"',
    ):
        assert part in form


async def test_a_template_of_the_site(spawner_class: Any, tmp_path: Path) -> None:
    profiles = copy.deepcopy(PROFILES)
    literal = config_of(
        profiles, profile_form_template="{% for p in profile_list %}{{ p.slug }} {% endfor %}"
    )
    assert await make_spawner(spawner_class, literal).get_options_form() == "cpu gpu "
    (tmp_path / "form.html").write_text(
        "{{ profile_list|map(attribute='display_name')|join('|') }} {{ profile_list[1]|tojson }}"
    )
    folder = config_of(profiles, additional_profile_form_template_paths=[str(tmp_path)])
    form = await make_spawner(spawner_class, folder).get_options_form()
    assert form.startswith("CPU only|GPU")
    assert form.index("display_name") < form.index("slug")  # the order of the site


async def test_saved_options_are_marked(spawner_class: Any) -> None:
    saved = {"profile": "gpu"}
    spawner = make_spawner(spawner_class, config_of(copy.deepcopy(PROFILES)), saved=saved)
    form = await spawner.get_options_form()
    assert 'const userOptions = {"profile": "gpu"}' in form
    assert form.count("checked ") == 1


async def test_fields_of_other_profiles_are_left_out(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(copy.deepcopy(PROFILES)))
    form = {
        "profile": ["gpu"],
        "profile-option-gpu--kind": ["a"],
        "profile-option-gpu-2--kind": ["b"],
        "profile-option-cpu--image": ["one"],
        "more": ["x"],
    }
    assert spawner.options_from_form(form) == {"profile": "gpu", "kind": "a"}
    assert spawner.options_from_form({}) == {}


async def test_overrides_of_groups(spawner_class: Any) -> None:
    groups = {
        "b": {
            "groups": ["stars"],
            "spawner_override": {"image": "b:1", "extra_labels": {"b": "1"}},
        },
        "a": {
            "groups": ["stars"],
            "spawner_override": {"image": "a:1", "extra_labels": {"a": "1"}},
        },
        "c": {"groups": ["others"], "spawner_override": {"image": "c:1"}},
    }
    config = Config()
    config.KubeSpawner.group_overrides = groups
    spawner = make_spawner(spawner_class, config, groups=("stars",))
    await start_with(spawner, {})
    assert spawner.image == "b:1"
    assert spawner.extra_labels == {"a": "1", "b": "1"}
