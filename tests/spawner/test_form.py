"""The spawn form: what a person and a screen reader find in it."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from despejado_images.image import Image
from despejado_spawner.errors import OptionsError
from despejado_spawner.models import Size
from despejado_spawner.options import Menu
from despejado_spawner.options.form import image_note, render_form

MENU = Menu(
    images=(
        Image(
            "w_2026_43",
            "Weekly 2026_43",
            state="building",
            recommended=True,
            phase="downloading",
            fraction=0.414,
        ),
        Image("plain", "Plain: JupyterLab, astropy, pyvo"),
        Image("w_2026_42", "Weekly 2026_42"),
        Image(
            "r30_0_11",
            "Release r30.0.11",
            state="absent",
            expected_seconds=118.0,
            size_bytes=300_000_000,
        ),
        Image("w_2026_41", "Weekly 2026_41", state="failed", reason="no space left"),
    ),
    sizes=(Size("small", 1.0, 3 * 2**30), Size("large", 2.0, 8 * 2**30)),
    default_size="small",
    aliases={"recommended": "w_2026_43"},
)


class Elements(HTMLParser):
    """All elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str, **wanted: str) -> list[dict[str, Any]]:
        return [
            attributes
            for name, attributes in self.found
            if name == tag and wanted.items() <= attributes.items()
        ]


def checked(html: str, name: str) -> list[str]:
    return [
        found["value"] for found in Elements(html).all("input", name=name) if "checked" in found
    ]


def test_the_form_as_a_whole(golden: Callable[[str, str], None]) -> None:
    saved = {"image": "w_2026_42", "size": "large", "debug": True}
    golden("spawn_form.html", render_form(MENU, saved, menu_url="/hub/despejado/menu"))


def test_the_form_with_an_error(golden: Callable[[str, str], None]) -> None:
    error = OptionsError("size", "There is no size 'huge'.", ("small", "large"))
    golden("spawn_form_error.html", render_form(MENU, {}, error))


def test_every_control_has_a_label_and_every_description_exists() -> None:
    error = OptionsError("image", "There is no image 'x'.", ("plain",))
    elements = Elements(render_form(MENU, {}, error))
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in elements.all("label")}
    assert {control["id"] for control in elements.all("input")} == labelled
    for _, attributes in elements.found:
        for attribute in ("aria-describedby", "aria-labelledby"):
            assert set((attributes.get(attribute) or "").split()) <= set(ids)
    assert len(elements.all("fieldset")) == len(elements.all("legend")) == 3


def test_the_error_is_tied_to_its_field() -> None:
    error = OptionsError("size", "There is no size 'huge'.", ("small", "large"))
    sizes = Elements(render_form(MENU, {}, error)).all("fieldset", **{"aria-invalid": "true"})
    assert [field["aria-describedby"] for field in sizes] == ["size-help size-error"]


def test_nothing_in_it_runs_or_comes_from_elsewhere() -> None:
    html = render_form(MENU, {})
    elements = Elements(html)
    assert not elements.all("script") and not elements.all("style")
    assert not any(
        name.startswith("on") or name == "style" for _, a in elements.found for name in a
    )


def test_ready_images_stand_apart_and_keep_the_menu_order() -> None:
    html = render_form(MENU, {})
    ready, first_use = html.index("Ready now"), html.index("Built on first use")
    assert ready < html.index("plain") < html.index("w_2026_42") < first_use
    assert first_use < html.index("w_2026_43") < html.index("r30_0_11")


@pytest.mark.parametrize(
    ("saved", "image", "size"),
    [
        ({}, "plain", "small"),
        ({"image": "w_2026_42", "size": "large"}, "w_2026_42", "large"),
        ({"image": "recommended"}, "w_2026_43", "small"),
        ({"image": "w_2019_01", "size": "large"}, "plain", "large"),
        ({"image": ["a", "b"], "size": {"x": 1}, "junk": 5}, "plain", "small"),
    ],
)
def test_the_last_choice_is_preselected_and_what_is_gone_is_not(
    saved: dict[str, Any], image: str, size: str
) -> None:
    html = render_form(MENU, saved)
    assert (checked(html, "image"), checked(html, "size")) == ([image], [size])


def test_reset_and_debug_are_never_preselected() -> None:
    html = render_form(MENU, {"image": "plain", "debug": True, "reset": True})
    assert checked(html, "reset") == checked(html, "debug") == []


def test_user_text_is_escaped() -> None:
    error = OptionsError("<script>alert(1)</script>", "no <b>")
    menu = Menu((Image('"><img src=x>', "<i>"),), MENU.sizes, "small")
    html = render_form(menu, {}, error, menu_url='"><a>')
    elements = Elements(html)
    assert not any(elements.all(tag) for tag in ("script", "b", "img", "i", "a"))


def test_a_choice_says_what_it_costs() -> None:
    notes = {image.tag: image_note(image) for image in MENU.images}
    assert notes == {
        "w_2026_43": "Being built now: downloading, 41 %",
        "plain": "",
        "w_2026_42": "",
        "r30_0_11": "About 2 min, 300 MB",
        "w_2026_41": "The last build failed: no space left",
    }


def test_an_empty_menu_says_what_to_do() -> None:
    assert "Reload this page" in render_form(Menu((), MENU.sizes, "small"), {})


def test_what_cannot_be_started_is_shown_with_its_reason_and_cannot_be_chosen() -> None:
    reason = "it is for arm64, and labs run on amd64"
    stuck = Image("w_2026_40", "Weekly 2026_40", state="unavailable", reason=reason)
    menu = Menu.of((stuck, *MENU.images), MENU.sizes, "small")
    html = render_form(menu, {"image": "w_2026_40"})
    (control,) = Elements(html).all("input", value="w_2026_40")
    assert "disabled" in control and "checked" not in control
    assert checked(html, "image") == ["plain"]
    assert html.index("Not available") > html.index("w_2026_41")
    assert image_note(stuck) == f"Cannot be started: {reason}"
    assert not any("disabled" in each for each in Elements(render_form(MENU)).all("input"))


def test_an_image_called_recommended_is_not_called_so_twice() -> None:
    def named(tag: str) -> int:
        line = Image(tag, "Recommended (Weekly 2026_43)", recommended=True)
        return render_form(Menu.of((line,), MENU.sizes, "small")).count("(recommended)")

    assert (named("latest_weekly"), named("recommended")) == (1, 0)
