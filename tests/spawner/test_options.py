"""Spawn options: form, REST, links and saved options give equal results or a clear error."""

from __future__ import annotations

import json
import logging

import pytest
from despejado_images.configured import ConfiguredImages
from despejado_images.image import Image
from despejado_spawner.errors import OptionsError
from despejado_spawner.models import Size, SpawnOptions
from despejado_spawner.options import (
    Menu,
    fields_of,
    options_to_json,
    parse_form,
    parse_link,
    parse_options,
    remembered,
)
from despejado_spawner.options.fields import OF_EVERY_LAB
from despejado_spawner.options.form import render_form
from despejado_spawner.options.inputs import Flag
from despejado_spawner.options.notices import Notices
from hypothesis import given
from hypothesis import strategies as st

MENU = Menu(
    images=(
        Image("w_2026_43", "Weekly 2026_43", state="building", recommended=True),
        Image("plain", "Plain"),
        Image("r30_0_11", "Release r30.0.11", state="absent"),
    ),
    sizes=(Size("small", 1.0, 3 * 2**30), Size("large", 2.0, 8 * 2**30)),
    default_size="small",
    aliases={"recommended": "w_2026_43"},
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from([field.name for field in fields_of(MENU)])
VALUES = ANY_JSON | st.sampled_from(["plain", "w_2026_43", "small", "Large", "true", "false"])
ALMOST = st.dictionaries(NAMES | st.text(max_size=5), VALUES | st.lists(VALUES, max_size=2))


@given(ANY_JSON | ALMOST)
def test_any_json_gives_options_or_an_options_error(raw: object) -> None:
    try:
        options = parse_options(raw, MENU)
    except OptionsError as error:
        assert error.field
        assert str(error).startswith(error.field)
        return
    assert options.image in MENU.image_names
    assert options.size in MENU.size_names
    assert parse_options(options_to_json(options), MENU) == options


@given(
    image=st.sampled_from(MENU.image_names),
    size=st.sampled_from(MENU.size_names),
    debug=st.booleans(),
    reset=st.booleans(),
)
def test_form_rest_links_and_saved_options_are_equal(
    image: str, size: str, debug: bool, reset: bool
) -> None:
    body = {"image": image, "size": size, "debug": debug, "reset": reset}
    rest = parse_options(body, MENU)
    form = {"image": [image], "size": [size], "_xsrf": ["x"]}
    form |= {"debug": ["true"]} if debug else {}
    form |= {"reset": ["true"]} if reset else {}
    link = {f"opt-{name}": value for name, value in form.items() if name != "_xsrf"}
    assert rest == SpawnOptions(image, size, debug, reset)
    assert parse_form(form, MENU) == rest
    assert parse_link(link, MENU) == rest
    assert parse_options(json.loads(json.dumps(options_to_json(rest))), MENU) == rest


def test_the_whole_request_is_an_image_and_a_size() -> None:
    assert parse_options({"image": "plain", "size": "small"}, MENU) == SpawnOptions(
        "plain", "small"
    )


@pytest.mark.parametrize("nothing", [None, {}, {"image": None}, {"image": [], "size": []}])
def test_nothing_said_takes_an_image_that_is_ready_and_the_default_size(nothing: object) -> None:
    assert parse_options(nothing, MENU) == SpawnOptions("plain", "small")


@pytest.mark.parametrize(
    ("raw", "field", "allowed"),
    [
        ({"image": "w_1999_01"}, "image", MENU.image_names),
        ({"image": "w_2026_43\n"}, "image", MENU.image_names),
        ({"image": 5}, "image", MENU.image_names),
        ({"image": {"tag": "plain"}}, "image", MENU.image_names),
        ({"image": ["plain", "plain"]}, "image", ()),
        ({"size": "gargantuan"}, "size", ("small", "large")),
        ({"debug": "on"}, "debug", ("true", "false")),
        ({"reset": 1}, "reset", ("true", "false")),
        ({"sizes": "small"}, "sizes", ("image", "size", "debug", "reset")),
        ({"": "small"}, "''", ("image", "size", "debug", "reset")),
        ([], "options", ()),
        ("plain", "options", ()),
    ],
)
def test_a_wrong_value_is_refused_with_field_and_allowed_values(
    raw: object, field: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(OptionsError) as raised:
        parse_options(raw, MENU)
    assert raised.value.field == field
    assert raised.value.allowed == allowed
    assert all(value in str(raised.value) for value in allowed)


def test_a_long_value_is_not_repeated_in_full() -> None:
    with pytest.raises(OptionsError) as raised:
        parse_options({"image": "x" * 10_000}, MENU)
    assert len(str(raised.value)) < 300


def test_sizes_ignore_case_and_images_do_not() -> None:
    assert parse_options({"size": "LARGE"}, MENU).size == "large"
    with pytest.raises(OptionsError, match="image"):
        parse_options({"image": "PLAIN"}, MENU)


def test_an_old_style_link_is_read_and_mixed_with_new_style_is_dropped() -> None:
    assert parse_link({"image": ["plain"]}, MENU).image == "plain"
    mixed = {"opt-image": ["plain"], "size": ["nonsense"]}
    assert parse_link(mixed, MENU) == SpawnOptions("plain", "small")


def test_a_reset_is_not_remembered() -> None:
    saved = remembered(SpawnOptions("plain", "large", debug=True, reset=True))
    assert parse_options(saved, MENU) == SpawnOptions("plain", "large", debug=True)


def test_an_empty_menu_says_that_there_is_nothing() -> None:
    with pytest.raises(OptionsError, match="No image is available"):
        parse_options({}, Menu((), MENU.sizes, "small"))


# What is on the menu and cannot be started

STUCK = Menu.of(
    (
        Image("w_2026_43", "Weekly 2026_43", state="unavailable", reason="it is for arm64"),
        Image("latest_weekly", "Latest Weekly", recommended=True, also=("w_2026_42",)),
    ),
    MENU.sizes,
    "",
)


def test_what_cannot_be_started_is_refused_with_its_reason() -> None:
    with pytest.raises(OptionsError) as caught:
        parse_options({"image": "w_2026_43"}, STUCK)
    assert caught.value.field == "image"
    assert "Weekly 2026_43 cannot be started: it is for arm64." in str(caught.value)
    assert "w_2026_43" not in caught.value.allowed
    assert "w_2026_43" not in STUCK.image_names
    with pytest.raises(OptionsError, match="it is for arm64"):
        STUCK.image("w_2026_43")


def test_other_names_of_an_image_are_as_good_as_its_tag() -> None:
    assert set(STUCK.image_names) == {"latest_weekly", "w_2026_42", "recommended"}
    for name in STUCK.image_names:
        assert STUCK.image(parse_options({"image": name}, STUCK).image).tag == "latest_weekly"
    assert parse_options({}, STUCK).image == "latest_weekly"


def test_a_menu_of_which_nothing_can_be_started_says_so() -> None:
    menu = Menu.of(STUCK.images[:1], MENU.sizes, "")
    with pytest.raises(OptionsError, match="No image is available"):
        parse_options({}, menu)


def test_the_hub_s_log_tells_each_notice_once(caplog: pytest.LogCaptureFixture) -> None:
    source = ConfiguredImages({"a": "registry.example.org/a:1"})
    log, notices = logging.getLogger("hub"), Notices()
    for warnings in (["One."], ["One."], ["One.", "Two."], ["Two."], ["One."]):
        source.warnings = warnings
        notices.tell(log, source)
    source.problem = "Away."
    notices.tell(log, source)
    told = ["One.", "Two.", "One.", "Away."]
    assert caplog.messages == [f"Images: {each}" for each in told]


def test_one_more_option_of_every_lab_is_a_line_of_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it does to a lab is said where it does so: the second file that it costs."""
    monkeypatch.setitem(OF_EVERY_LAB, "gpu", lambda _: Flag("gpu", "Graphics", "One processor."))
    options = parse_options({"gpu": True}, MENU)
    assert options.own == {"gpu": True}
    assert parse_form({"gpu": ["true"]}, MENU) == parse_link({"opt-gpu": ["true"]}, MENU) == options
    assert parse_options(options_to_json(options), MENU) == options
    assert 'name="gpu"' in render_form(MENU, options_to_json(options))
    with pytest.raises(OptionsError, match=r"^gpu: 'maybe' is neither yes nor no"):
        parse_options({"gpu": "maybe"}, MENU)
