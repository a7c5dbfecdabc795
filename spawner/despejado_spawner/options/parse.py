"""Reading spawn options from wherever they come; anything wrong is an ``OptionsError``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import SpawnOptions
from despejado_spawner.options.fields import ATTRIBUTES, fields_of, options_to_json
from despejado_spawner.options.inputs import Input, shown
from despejado_spawner.options.menu import Menu

_LINK_PREFIX = "opt-"
_OF_THE_PAGE = frozenset({"_xsrf", "next", "display_name"})
"""What JupyterHub's own pages put beside the options in forms and links."""


def parse_options(raw: object, menu: Menu) -> SpawnOptions:
    """Spawn options from any JSON value: a REST body, saved options, a form's fields.

    A one-element list stands for its element (forms send such); null and the empty list stand
    for nothing said, as does an absent field, and then the menu's default is taken.

    Raises
    ------
    OptionsError
        For anything else; ``field`` is ``options`` if the whole is not an object.
    """
    fields = fields_of(menu)
    names = tuple(field.name for field in fields)
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise OptionsError("options", f"Spawn options must be a JSON object, not {shown(raw)}.")
    for name in raw:
        if name not in names:
            text = name if isinstance(name, str) and name else repr(name)
            raise OptionsError(text[:60], "There is no such spawn option.", names)
    values: dict[str, Any] = {}
    for field in fields:
        value = _single(field.name, raw.get(field.name))
        values[field.name] = field.unsaid() if value is None else field.parse(value)
    common = {name: values.pop(name) for name in ATTRIBUTES}
    return SpawnOptions(**common, own=values)


def parse_form(form: Mapping[str, Any], menu: Menu) -> SpawnOptions:
    """Spawn options from the fields of the submitted form (name to list of texts)."""
    return parse_options({k: v for k, v in form.items() if k not in _OF_THE_PAGE}, menu)


def parse_link(query: Mapping[str, Any], menu: Menu) -> SpawnOptions:
    """Spawn options from the query of a spawn link.

    JupyterHub 6 names them ``opt-image`` and so on and takes the prefix off before it asks; 5.5
    leaves all as it came. As in 6, names without the prefix are not options if any has it.
    """
    prefixed = {
        name.removeprefix(_LINK_PREFIX): value
        for name, value in query.items()
        if name.startswith(_LINK_PREFIX)
    }
    return parse_form(prefixed or query, menu)


def remembered(options: SpawnOptions) -> dict[str, Any]:
    """What is saved as the last choice.

    A reset is asked for once: remembered, every later start would reset the user's files again.
    """
    return options_to_json(replace(options, reset=False))


def without_lost_options(saved: Mapping[str, Any], menu: Menu) -> dict[str, Any]:
    """The last choice without what of the site's own options is not offered any more.

    Whoever starts again as last time never named an option that the site has taken away. An image
    or a size that is gone stays, and is refused: another one would be another lab.
    """
    own = {field.name: field for field in fields_of(menu) if field.name not in ATTRIBUTES}
    return {
        name: value
        for name, value in saved.items()
        if name in ATTRIBUTES or (name in own and _is_offered(own[name], value))
    }


def _is_offered(field: Input, value: object) -> bool:
    try:
        field.parse(value)
    except OptionsError:
        return False
    return True


def _single(name: str, value: object) -> object:
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise OptionsError(name, f"One value is expected, not {len(value)}.")
    return value[0] if value else None
