"""The spawn options: those that every lab has, each defined once, and a site's own.

Form, REST, links and saved options all go through the same list.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from despejado_spawner.models import SpawnOptions
from despejado_spawner.options.inputs import Choice, Flag, Input
from despejado_spawner.options.menu import Menu


def _image(menu: Menu) -> Input:
    return Choice(
        "image",
        "Software environment",
        "What your notebooks import.",
        menu.image_names,
        menu.default_image,
        why_not=menu.why_not,
    )


def _size(menu: Menu) -> Input:
    return Choice(
        "size",
        "Size",
        "How much processor and memory the lab may use.",
        menu.size_names,
        menu.default_size,
        titles={size.name: size.label for size in menu.sizes},
        any_case=True,
    )


def _debug(_: Menu) -> Input:
    return Flag("debug", "Debug logs", "The lab writes a detailed log.")


def _reset(_: Menu) -> Input:
    return Flag(
        "reset",
        "Reset environment",
        "Moves .cache, .conda, .config, .eups, .jupyter, .local and notebooks/.user_setups "
        "aside into a dated folder; never deletes.",
    )


ATTRIBUTES = tuple(field.name for field in dataclasses.fields(SpawnOptions) if field.name != "own")
OF_EVERY_LAB: dict[str, Callable[[Menu], Input]] = {
    "image": _image,
    "size": _size,
    "debug": _debug,
    "reset": _reset,
}
"""By name. Those that are no attribute of `SpawnOptions` are among its `own`; a site's own options
cannot be called like any of them."""


def fields_of(menu: Menu) -> tuple[Input, ...]:
    """All options that this user has now: those of every lab, then the site's own."""
    return (*(make(menu) for make in OF_EVERY_LAB.values()), *menu.own)


def options_to_json(options: SpawnOptions) -> dict[str, Any]:
    """The options as a REST body; ``parse_options`` reads it back to the same options."""
    return {name: getattr(options, name) for name in ATTRIBUTES} | dict(options.own)
