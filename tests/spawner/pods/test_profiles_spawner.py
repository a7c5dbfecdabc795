"""A profile list in a spawner: what KubeSpawner gets wrong, each tested to be right here."""

from __future__ import annotations

import copy
import logging
import re
from typing import Any

import pytest
from despejado_spawner.errors import OptionsError
from despejado_spawner.pods.kubespawner.profiles.check import ProfileListError
from despejado_spawner.pods.spawner import LabSpawner
from tornado.web import HTTPError
from traitlets.config import Config

from tests.spawner.pods.mock_spawners import (
    begin_start,
    make_spawner,
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


# Refusals


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"profile": "tpu"}, "profile"),
        ({"profile": ["cpu"]}, "profile"),
        ({"profile": 5}, "profile"),
        ({"profile": {"a": None}}, "profile"),
        ({"profile": "cpu", "image": "three"}, "image"),
        ({"image": "three"}, "image"),
        ({"image": ["one"]}, "image"),
        ({"image--unlisted-choice": 5}, "image--unlisted-choice"),
        (
            {"image--unlisted-choice": "images.example.org/good.evil.com/x:1"},
            "image--unlisted-choice",
        ),
        ({"size--unlisted-choice": "xxl"}, "size--unlisted-choice"),
    ],
)
async def test_a_wrong_option_is_a_400_that_names_it(
    spawner_class: Any, profiles: Any, options: dict[str, Any], field: str
) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    with pytest.raises(HTTPError) as caught:
        await begin_start(spawner, options)
    assert caught.value.status_code == 400
    assert field in str(caught.value)
    spawner.user_options = options
    with pytest.raises(OptionsError) as refused:
        await spawner.load_user_options()
    assert refused.value.field == field


async def test_options_that_are_no_object_are_a_400(spawner_class: Any, profiles: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    for options in (["cpu"], "cpu", 5):
        with pytest.raises(HTTPError) as caught:
            await spawner._run_apply_user_options(options)
        assert caught.value.status_code == 400


async def test_a_refused_choice_leaves_the_previous_one(spawner_class: Any, profiles: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    await start_with(spawner, {"profile": "cpu", "image": "two"})
    for _ in range(2):
        with pytest.raises(HTTPError):
            await begin_start(spawner, {"profile": "cpu", "image": "three"})
        assert spawner.orm_spawner.user_options == {"profile": "cpu", "image": "two"}
    await start_with(spawner, None)
    assert spawner.image == "lab:2"


async def test_a_choice_that_is_gone_does_not_bring_back_a_refused_one(
    spawner_class: Any, profiles: Any
) -> None:
    spawner = make_spawner(spawner_class, config_of(lambda _: profiles))
    await start_with(spawner, {"profile": "gpu"})
    await start_with(spawner, {"profile": "cpu", "image": "two"})
    with pytest.raises(HTTPError):
        await begin_start(spawner, {"profile": "cpu", "image": "three"})
    await start_with(spawner, None)
    del profiles[0]["profile_options"]["image"]["choices"]["two"]
    with pytest.raises(HTTPError):
        await begin_start(spawner, {"profile": "cpu", "image": "two"})
    assert spawner.orm_spawner.user_options == {"profile": "cpu", "image": "two"}


async def test_what_is_remembered_is_what_was_said(spawner_class: Any, profiles: Any) -> None:
    """No default is made a choice: when the site changes it, it changes for those as well."""
    spawner = make_spawner(spawner_class, config_of(profiles))
    await start_with(spawner, {})
    assert spawner.orm_spawner.user_options == {}
    await start_with(spawner, {"profile": "gpu", "note": 1})
    assert spawner.orm_spawner.user_options == {"profile": "gpu", "note": 1}


async def test_a_refusal_runs_nothing_of_the_site(spawner_class: Any, profiles: Any) -> None:
    ran = []
    config = config_of(profiles, apply_user_options=lambda _, options: ran.append(options))
    spawner = make_spawner(spawner_class, config)
    with pytest.raises(HTTPError):
        await begin_start(spawner, {"profile": "tpu"})
    assert ran == []
    await begin_start(spawner, {"profile": "gpu"})
    assert ran == [{"profile": "gpu"}]


async def test_hooks_of_the_site_may_change_the_choice_and_are_checked(
    spawner_class: Any, profiles: Any
) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    await begin_start(spawner, {"profile": "cpu"})
    spawner.user_options = {"profile": "gpu"}
    await spawner.load_user_options()
    assert spawner.extra_resource_limits == {GPU: "1"}
    spawner.user_options = {"profile": "tpu"}
    with pytest.raises(OptionsError):
        await spawner.load_user_options()


async def test_a_mistake_of_the_site_is_a_500_that_names_its_place(spawner_class: Any) -> None:
    spawner = make_spawner(spawner_class, config_of([{"slug": "a", "profile_options": {"x": 1}}]))
    says = re.escape("profile_list[0].profile_options['x'] must be a mapping, not a int")
    with pytest.raises(HTTPError, match=says) as caught:
        await begin_start(spawner, {})
    assert caught.value.status_code == 500
    with pytest.raises(HTTPError):
        await spawner.get_options_form()
    with pytest.raises(ProfileListError):
        await spawner.load_user_options()


# Unknown options


async def test_unknown_options_are_ignored_with_a_warning(
    spawner_class: Any, profiles: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    spawner.log = logging.getLogger("test")
    await start_with(spawner, {"profile": "gpu", "garbage\n": "anything"})
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert warnings == [r"Ignoring unrecognized spawn options: 'garbage\n'"]


async def test_known_options_cause_no_warning(
    spawner_class: Any, profiles: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """JupyterHub 6 warns of "unhandled user_options" at each start of a stock KubeSpawner."""
    spawner = make_spawner(spawner_class, config_of(profiles))
    spawner.log = logging.getLogger("test")
    await start_with(spawner, {"profile": "cpu", "image": "two", "size": "l"})
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_strict_options_refuses_unknown_ones(spawner_class: Any, profiles: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles, strict_options=True))
    with pytest.raises(HTTPError, match="garbage") as caught:
        await begin_start(spawner, {"profile": "gpu", "garbage": "anything"})
    assert caught.value.status_code == 400
    with pytest.raises(HTTPError, match="nonsense") as caught:
        spawner.run_options_from_form({"profile": ["gpu"], "nonsense": ["x"]})
    assert caught.value.status_code == 400
    form = {"profile": ["gpu"], "profile-option-cpu--image": ["one"], "_xsrf": ["x"]}
    await start_with(spawner, spawner.run_options_from_form(form))


async def test_a_table_of_the_site_gets_its_own_options_only(
    spawner_class: Any, profiles: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(profiles, apply_user_options={"wish": "working_dir"})
    spawner = make_spawner(spawner_class, config)
    spawner.log = logging.getLogger("test")
    await start_with(spawner, {"profile": "cpu", "image": "two", "wish": "/srv"})
    assert (spawner.working_dir, spawner.image) == ("/srv", "lab:2")
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_site_without_profiles_may_take_any_options(
    spawner_class: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spawner = make_spawner(spawner_class, Config())
    spawner.log = logging.getLogger("test")
    await start_with(spawner, {"anything": [1, {"a": None}]})
    assert spawner.user_options == {"anything": [1, {"a": None}]}
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_saved_profile_of_a_site_that_has_none_any_more_is_no_obstacle(
    spawner_class: Any,
) -> None:
    spawner = make_spawner(spawner_class, Config(), saved={"profile": "gone"})
    image = spawner.image
    await start_with(spawner, None)
    assert spawner.image == image


# Form and links


async def test_form_link_and_rest_are_one(spawner_class: Any, profiles: Any) -> None:
    spawner = make_spawner(spawner_class, config_of(profiles))
    form = {
        "profile": ["cpu"],
        "profile-option-cpu--image": ["two"],
        "profile-option-cpu--size": ["l"],
        "_xsrf": ["x"],
    }
    options = spawner.run_options_from_form(form)
    assert options == {"profile": "cpu", "image": "two", "size": "l"}
    link = {name: value for name, value in form.items() if name != "_xsrf"}
    prefixed = {f"opt-{name}": value for name, value in link.items()}
    assert spawner.options_from_query(link) == options
    assert spawner.options_from_query({**prefixed, "other": ["x"]}) == options


async def test_a_form_of_the_site_is_left_to_the_site(spawner_class: Any, profiles: Any) -> None:
    config = config_of(profiles, options_from_form=lambda form: {"profile": form["kind"][0]})
    spawner = make_spawner(spawner_class, config)
    assert spawner.run_options_from_form({"kind": ["gpu"]}) == {"profile": "gpu"}
    assert spawner.options_from_query({"kind": ["gpu"]}) == {"profile": "gpu"}


async def test_saved_options_that_are_gone_are_not_marked(
    spawner_class: Any, profiles: Any
) -> None:
    template = "{{ user_options.profile }}/{{ user_options.image }}/{{ user_options.size }}"
    config = config_of(profiles, profile_form_template=template)
    for saved, marked in (
        ({"profile": "cpu", "image": "two", "size": "l"}, "cpu/two/l"),
        ({"profile": "cpu", "image": "three", "size": "l"}, "cpu//l"),
        ({"profile": "tpu", "image": "two"}, "//"),
        ({"profile": ["cpu"]}, "//"),
        ({"profile": "cpu", "image--unlisted-choice": "evil"}, "cpu//"),
        (["cpu"], "//"),
    ):
        spawner = make_spawner(spawner_class, config)
        spawner.orm_spawner.user_options = saved
        assert await spawner.get_options_form() == marked


async def test_the_form_shows_the_last_choice_at_each_visit(
    spawner_class: Any, profiles: Any
) -> None:
    config = config_of(profiles, profile_form_template="{{ user_options.profile }}")
    spawner = make_spawner(spawner_class, config, saved={"profile": "cpu"})
    assert await spawner.get_options_form() == "cpu"
    await start_with(spawner, {"profile": "gpu"})
    assert await spawner.get_options_form() == "gpu"


async def test_form_and_start_each_ask_a_callable_list_and_the_start_keeps_to_its_own(
    spawner_class: Any, profiles: Any
) -> None:
    asked = []

    async def current(spawner: Any) -> Any:
        asked.append(spawner)
        return profiles[: len(asked)]

    spawner = make_spawner(spawner_class, config_of(current))
    form = await spawner.get_options_form()
    assert 'value="cpu"' in form
    assert 'value="gpu"' not in form
    await begin_start(spawner, {"profile": "gpu"})
    profiles.clear()
    await spawner.load_user_options()
    assert asked == [spawner, spawner]
    assert spawner.extra_resource_limits == {GPU: "1"}
    await start_with(spawner, {"profile": "tpu"})  # none are left, so nothing is checked
    assert len(asked) == 3
