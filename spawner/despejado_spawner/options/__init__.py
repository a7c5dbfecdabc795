"""Spawn options: one definition for the form, REST, links and saved options."""

from despejado_spawner.options.fields import FIELDS, options_schema, options_to_json
from despejado_spawner.options.menu import Menu
from despejado_spawner.options.parse import (
    parse_form,
    parse_link,
    parse_options,
    remembered,
)

__all__ = [
    "FIELDS",
    "Menu",
    "options_schema",
    "options_to_json",
    "parse_form",
    "parse_link",
    "parse_options",
    "remembered",
]
