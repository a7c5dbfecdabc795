"""The spawn form as HTML: a pure function of the menu, the last choice and the error, if any."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from despejado_images.amounts import decimal_size
from despejado_images.image import Image
from jinja2 import Environment, PackageLoader, StrictUndefined

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import SpawnOptions
from despejado_spawner.options.fields import ATTRIBUTES, fields_of
from despejado_spawner.options.inputs import Input, Number, plain
from despejado_spawner.options.menu import Menu
from despejado_spawner.options.parse import parse_options

_TEMPLATES = Environment(
    loader=PackageLoader("despejado_spawner.options"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_form(
    menu: Menu,
    saved: Mapping[str, Any] | None = None,
    error: OptionsError | None = None,
    menu_url: str = "",
) -> str:
    """The fields of the spawn form (without the ``form`` element, which is the page's).

    ``saved`` is the last choice; what of it is no longer offered falls back to the default.
    ``error`` is shown next to its field. ``menu_url`` is put on the image list as
    ``data-menu-url``: a script of the page may fetch the menu there and refresh the lines, each
    of which has ``data-image`` and ``data-state``.
    """
    chosen = _preselect(menu, saved or {})
    ready = [image for image in menu.images if image.state == "ready"]
    others = [image for image in menu.images if image.state != "ready" and image.can_start]
    stuck = [image for image in menu.images if not image.can_start]
    fields = {field.name: field for field in fields_of(menu)}
    return _TEMPLATES.get_template("spawn_form.html").render(
        fields=fields,
        own=_own_fields(menu),
        groups=[
            ("ready", "Ready now", "", ready),
            ("first-use", "Built on first use", _group_note(others), others),
            ("unavailable", "Not available", "", stuck),
        ],
        sizes=menu.sizes,
        chosen=chosen,
        error=error,
        general_error=error if error is not None and error.field not in fields else None,
        menu_url=menu_url,
        note=image_note,
        plain=plain,
        bounds=_bounds,
    )


def image_note(image: Image) -> str:
    """The words behind an image's title: what choosing it now means."""
    cost = ", ".join(
        part
        for part in (
            _about(image.expected_seconds),
            None if image.size_bytes is None else decimal_size(image.size_bytes),
        )
        if part is not None
    )
    match image.state:
        case "ready":
            return ""
        case "building":
            done = "" if image.fraction is None else f", {math.floor(image.fraction * 100)} %"
            phase = image.phase or "building"
            return f"Being built now: {phase}{done}"
        case "failed":
            return f"The last build failed: {image.reason or 'no reason known'}"
        case "unavailable":
            return f"Cannot be started: {image.reason or 'no reason known'}"
        case _:
            return cost[:1].upper() + cost[1:] if cost else "Built when you choose it"


def _about(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 50:
        return f"about {max(5, math.ceil(seconds / 5) * 5)} s"
    return f"about {math.ceil(seconds / 60 - 0.2)} min"


def _group_note(images: list[Image]) -> str:
    return "Your lab starts when it is built." if images else ""


def _preselect(menu: Menu, saved: Mapping[str, Any]) -> SpawnOptions:
    """The last choice, field by field; debug and reset are asked for anew each time."""
    raw: dict[str, Any] = {}
    own_fields = _own_fields(menu)
    for name in ("image", "size", *(field.name for field in own_fields)):
        try:
            parse_options({name: saved.get(name)}, menu)
        except OptionsError:
            continue
        raw[name] = saved.get(name)
    try:
        options = parse_options(raw, menu)
    except OptionsError:
        own = {field.name: field.unsaid() for field in own_fields}
        return SpawnOptions(image="", size=menu.default_size, own=own)
    image = menu.aliases.get(options.image, options.image)
    return SpawnOptions(image=image, size=options.size, own=options.own)


def _own_fields(menu: Menu) -> list[Input]:
    """What stands below image and size, beside debug and reset."""
    return [field for field in fields_of(menu) if field.name not in ATTRIBUTES]


def _bounds(number: Number) -> str:
    """What a number may be, as a sentence begins; the unit is spelled as it is."""
    return number.bounds[:1].upper() + number.bounds[1:]
