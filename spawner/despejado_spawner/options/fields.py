"""The spawn options, each defined once.

A field knows its name, its words for people, how a value is read from any JSON value, and its
JSON Schema. Form, REST, links and saved options all go through these objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import SpawnOptions
from despejado_spawner.options.menu import Menu

_SHOWN = 60


def shown(value: object) -> str:
    """A value for a message: its type if it is a container, else its text, shortened."""
    if isinstance(value, dict | list):
        return f"a JSON {'object' if isinstance(value, dict) else 'list'}"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


@dataclass(frozen=True)
class Choice:
    """One of the names that the menu offers."""

    name: Literal["image", "size"]
    label: str
    help: str

    def allowed(self, menu: Menu) -> tuple[str, ...]:
        return menu.image_names if self.name == "image" else menu.size_names

    def default(self, menu: Menu) -> str:
        """What is taken when nothing is said.

        Raises
        ------
        OptionsError
            If there is nothing to choose from.
        """
        value = menu.default_image if self.name == "image" else menu.default_size
        if not value:
            raise OptionsError(self.name, f"No {self.name} is available at the moment.")
        return value

    def parse(self, value: object, menu: Menu) -> str:
        """The chosen name, spelled as the menu spells it; sizes ignore case."""
        allowed = self.allowed(menu)
        if not isinstance(value, str):
            raise OptionsError(self.name, f"{shown(value)} is not a name.", allowed)
        if value in allowed:
            return value
        if self.name == "size" and value.lower() in allowed:
            return value.lower()
        why_not = menu.why_not(value) if self.name == "image" else None
        raise OptionsError(
            self.name, why_not or f"There is no {self.name} {shown(value)}.", allowed
        )

    def schema(self, menu: Menu) -> dict[str, Any]:
        return {"type": "string", "title": self.label, "enum": list(self.allowed(menu))}


@dataclass(frozen=True)
class Flag:
    """Yes or no; in forms and links the words ``true`` and ``false``."""

    name: Literal["debug", "reset"]
    label: str
    help: str

    def default(self, menu: Menu) -> bool:
        return False

    def parse(self, value: object, menu: Menu) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value in ("true", "false"):
            return value == "true"
        raise OptionsError(self.name, f"{shown(value)} is neither yes nor no.", ("true", "false"))

    def schema(self, menu: Menu) -> dict[str, Any]:
        return {"type": "boolean", "title": self.label, "default": False}


Field = Choice | Flag

FIELDS: Sequence[Field] = (
    Choice("image", "Software environment", "What your notebooks import."),
    Choice("size", "Size", "How much processor and memory the lab may use."),
    Flag("debug", "Debug logs", "The lab writes a detailed log."),
    Flag(
        "reset",
        "Reset environment",
        "Moves .cache, .conda, .config, .eups, .jupyter, .local and notebooks/.user_setups "
        "aside into a dated folder; never deletes.",
    ),
)


def options_schema(menu: Menu) -> dict[str, Any]:
    """JSON Schema of a spawn request's options with what the menu offers now."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "properties": {field.name: field.schema(menu) for field in FIELDS},
    }


def options_to_json(options: SpawnOptions) -> dict[str, Any]:
    """The options as a REST body; :func:`parse_options` reads it back to the same options."""
    return {field.name: getattr(options, field.name) for field in FIELDS}
