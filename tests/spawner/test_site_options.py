"""Spawn options that a site declares: what it may write, what users see, what they do to a lab."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from despejado_spawner.errors import OptionsError
from despejado_spawner.models import SpawnOptions
from despejado_spawner.options import Menu, options_to_json, parse_options
from despejado_spawner.options.form import render_form
from despejado_spawner.options.hub import TypedOptions
from despejado_spawner.options.inputs import Number
from despejado_spawner.options.parse import without_lost_options
from despejado_spawner.site.options import SiteOptions, effect_of, inputs_for
from hypothesis import given
from pydantic import TypeAdapter, ValidationError
from tornado.web import HTTPError

from tests.spawner.test_form import Elements
from tests.spawner.test_options import ANY_JSON, MENU

ADAPTER: TypeAdapter[SiteOptions] = TypeAdapter(SiteOptions)
OPTIONS = ADAPTER.validate_python(
    {
        "release": {
            "type": "choice",
            "title": "Data release",
            "help": "What the client asks by default.",
            "choices": {
                "dp1": {"title": "DP1", "effect": {"environment": {"DATA_RELEASE": "{value}"}}},
                "dp2": {
                    "title": "DP2",
                    "help": "Not public yet.",
                    "groups": ["commissioning"],
                    "effect": {"environment": {"DATA_RELEASE": "dp2-{value}"}, "size": "large"},
                },
            },
        },
        "gpu": {
            "type": "number",
            "title": "Graphics processors",
            "groups": ["gpu-users"],
            "minimum": 0,
            "maximum": 4,
            "effect": {"resources": {"nvidia.com/gpu": "{value}"}},
        },
        "batch": {
            "type": "flag",
            "title": "Batch nodes",
            "effect": {"node_selector": {"pool": "batch"}, "size": "small"},
        },
    }
)


def menu_for(*groups: str) -> Menu:
    return Menu(
        MENU.images, MENU.sizes, MENU.default_size, MENU.aliases, own=inputs_for(OPTIONS, groups)
    )


def chosen(raw: dict[str, Any], *groups: str) -> SpawnOptions:
    return parse_options(raw, menu_for(*groups))


def test_what_is_not_said_has_its_default() -> None:
    assert chosen({}, "gpu-users").own == {"release": "dp1", "gpu": 0, "batch": False}


def test_who_is_in_no_group_does_not_see_an_option_and_is_refused_by_name() -> None:
    assert [each.name for each in menu_for().own] == ["release", "batch"]
    with pytest.raises(OptionsError, match=r"^gpu: There is no such spawn option\."):
        chosen({"gpu": 1})


def test_a_choice_of_a_group_is_offered_to_its_members_only() -> None:
    assert chosen({"release": "dp2"}, "commissioning").own["release"] == "dp2"
    with pytest.raises(OptionsError, match=r"There is no release 'dp2'\. Allowed: dp1\.$"):
        chosen({"release": "dp2"})


@pytest.mark.parametrize("wrong", [-1, 5, 1.5, "1.5", "x", "", True, "nan", "inf", "1e400", [1, 2]])
def test_a_number_out_of_bounds_or_no_number_is_refused_with_the_bounds(wrong: object) -> None:
    with pytest.raises(OptionsError, match=r"^gpu: "):
        chosen({"gpu": wrong}, "gpu-users")


@pytest.mark.parametrize(("said", "meant"), [("2", 2), (2, 2), (2.0, 2), (["3"], 3), (None, 0)])
def test_a_number_comes_from_rest_and_from_forms(said: object, meant: int) -> None:
    assert chosen({"gpu": said}, "gpu-users").own["gpu"] == meant


def test_steps_are_counted_as_people_count() -> None:
    fine = Number("x", "X", "", 0, 1, 0, step=0.1)
    assert fine.parse("0.3") == 0.3
    with pytest.raises(OptionsError, match=r"0 to 1 in steps of 0\.1"):
        fine.parse(0.35)


@given(ANY_JSON)
def test_any_value_of_an_own_option_is_a_value_or_an_options_error(raw: object) -> None:
    for name in ("release", "gpu", "batch"):
        try:
            options = chosen({name: raw}, "gpu-users", "commissioning")
        except OptionsError as error:
            assert error.field == name
            continue
        again = parse_options(options_to_json(options), menu_for("gpu-users", "commissioning"))
        assert again == options


def test_effects_hold_the_value_and_the_later_option_counts() -> None:
    options = chosen({"release": "dp2", "gpu": 2, "batch": True}, "gpu-users", "commissioning")
    effect = effect_of(OPTIONS, options.own)
    assert effect.environment == {"DATA_RELEASE": "dp2-dp2"}
    assert effect.resources == {"nvidia.com/gpu": "2"}
    assert effect.node_selector == {"pool": "batch"}
    assert effect.size == "small"  # the flag stands after the release


def test_a_flag_that_is_off_does_nothing() -> None:
    assert effect_of(OPTIONS, {"batch": False}).node_selector == {}


@pytest.mark.parametrize(
    ("name", "option", "said"),
    [
        ("image", {"type": "flag", "title": "X"}, "cannot name an option"),
        ("a b", {"type": "flag", "title": "X"}, "cannot name an option"),
        ("x", {"type": "choice", "title": "X", "choices": {}}, "at least 1"),
        (
            "x",
            {"type": "choice", "title": "X", "choices": {"a": {}}, "default": "b"},
            "default that is no choice",
        ),
        ("x", {"type": "number", "title": "X", "minimum": 2, "maximum": 1}, "above its maximum"),
        (
            "x",
            {"type": "number", "title": "X", "minimum": 0, "maximum": 1, "default": 0.5},
            "default out of its bounds",
        ),
        (
            "x",
            {"type": "flag", "title": "X", "effect": {"resources": {"memory": "1"}}},
            "not an extended resource",
        ),
        (
            "x",
            {"type": "flag", "title": "X", "effect": {"environment": {"JUPYTERHUB_API_URL": "x"}}},
            "not the name of a variable",
        ),
    ],
)
def test_what_a_site_cannot_mean_is_refused(name: str, option: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ADAPTER.validate_python({name: option})


def test_the_form_offers_them_with_words_bounds_and_help() -> None:
    html = render_form(menu_for("gpu-users", "commissioning"), {"gpu": 3, "release": "dp2"})
    found = Elements(html)
    [gpu] = found.all("input", name="gpu")
    assert (gpu["type"], gpu["min"], gpu["max"], gpu["value"]) == ("number", "0", "4", "3")
    assert gpu["aria-describedby"] == "own-gpu.help"
    [label] = found.all("label", **{"for": "own-gpu"})
    assert label
    [dp1, dp2] = found.all("input", name="release")
    assert "checked" in dp2 and "checked" not in dp1
    assert found.all("span", id=str(dp2["aria-describedby"]))
    [batch] = found.all("input", name="batch")
    assert (batch["type"], batch["value"]) == ("checkbox", "true")
    assert "0 to 4." in html


def test_a_refused_option_has_its_error_beside_it() -> None:
    error = OptionsError("gpu", "9 is not possible.", ("0 to 4",))
    found = Elements(render_form(menu_for("gpu-users"), {}, error))
    [gpu] = found.all("input", name="gpu")
    assert gpu["aria-invalid"] == "true"
    assert gpu["aria-describedby"] == "own-gpu.help own-gpu.error"
    assert found.all("p", id="own-gpu.error", role="alert")


@pytest.mark.parametrize("wrong", ["sNaN", "NaN", "1e29", "-1", "1_0x"])
def test_what_is_a_number_to_decimals_only_is_refused_in_words(wrong: str) -> None:
    with pytest.raises(OptionsError, match=r"^gpu: "):
        chosen({"gpu": wrong}, "gpu-users")


def test_what_a_computer_has_counted_out_is_on_its_step() -> None:
    fine = Number("x", "X", "", 0, 1, 0, step=0.1)
    assert fine.parse(0.1 * 3) == 0.3
    odd = Number("x", "X", "", 0.5, 10, 0.5)
    with pytest.raises(OptionsError, match=r"0\.5 to 10 in steps of 1"):
        odd.parse(1)


def test_a_saved_choice_loses_what_the_site_has_taken_away_and_nothing_else() -> None:
    saved = {"image": "plain", "size": "large", "release": "dp2", "gone": True, "batch": True}
    assert without_lost_options(saved, menu_for()) == {
        "image": "plain",
        "size": "large",
        "batch": True,
    }


async def test_groups_are_asked_for_only_where_an_option_is_not_everybodys() -> None:
    def nobody_asks(_: object) -> list[str]:
        raise AssertionError("nothing is limited to groups")

    open_to_all = ADAPTER.validate_python({"batch": {"type": "flag", "title": "Batch"}})
    for options, hook in ((open_to_all, nobody_asks), (OPTIONS, lambda _: ["gpu-users"])):
        holder = SimpleNamespace(
            user_options={}, orm_spawner=None, user=None, lab_options=options, groups_hook=hook
        )
        menu = await TypedOptions(holder, lambda: MENU).menu()
        assert "batch" in [each.name for each in menu.own]


def test_a_wrong_option_is_refused_before_anything_is_waited_for() -> None:
    """JupyterHub answers a REST request at the first pause of a start."""

    async def groups(_: object) -> list[str]:
        return ["gpu-users"]

    holder = SimpleNamespace(
        user_options={}, orm_spawner=None, user=None, lab_options=OPTIONS, groups_hook=groups
    )
    checking = TypedOptions(holder, lambda: MENU).check({"gpu": 9})
    with pytest.raises(HTTPError) as refused:
        checking.send(None)  # to its first pause, without an event loop
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    "option",
    [
        {"type": "flag", "title": "X", "effect": {"environment": {"A": "a\0b"}}},
        {"type": "flag", "title": "X", "effect": {"resources": {"nvidia.com/gpu": "{value}"}}},
        {"type": "number", "title": "X", "minimum": 0, "maximum": 1e300},
        {
            "type": "number",
            "title": "X",
            "minimum": 0,
            "maximum": 2,
            "step": 0.5,
            "effect": {"resources": {"nvidia.com/gpu": "{value}"}},
        },
        {
            "type": "choice",
            "title": "X",
            "choices": {"a+b": {"effect": {"node_selector": {"pool": "{value}"}}}},
        },
        {
            "type": "choice",
            "title": "X",
            "choices": {"two": {"effect": {"resources": {"nvidia.com/gpu": "{value}"}}}},
        },
    ],
)
def test_what_no_lab_could_start_with_is_refused(option: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python({"x": option})


def test_ids_of_the_form_are_unique_whatever_options_are_called() -> None:
    options = ADAPTER.validate_python(
        {
            "pages": {"type": "choice", "title": "P", "choices": {"a": {}, "b": {}}},
            "pages-1": {"type": "flag", "title": "F"},
            "mem": {
                "type": "number",
                "title": "M",
                "minimum": 0,
                "maximum": 2,
                "unit": "GiB",
                "help": "Much.",
            },
            "mem-help": {"type": "flag", "title": "H"},
        }
    )
    menu = Menu(MENU.images, MENU.sizes, MENU.default_size, own=inputs_for(options, ()))
    html = render_form(menu)
    ids = [attributes["id"] for _, attributes in Elements(html).found if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    assert "0 to 2 GiB." in html
