"""The model of ``platform.yaml`` for editors (JSON Schema) and for readers (a table)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from despejado_spawner.site.quantity import format_duration
from despejado_spawner.units import format_memory

from .model import Platform

DIALECT = "https://json-schema.org/draft/2020-12/schema"

EXTENDS: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "title": "Extends",
    "description": "Another platform file that this one says the differences to: a path relative "
    "to this file, or despejado:demo, despejado:prod, ... for one that comes with the package. "
    "Mappings merge key by key, lists and values replace, null takes a key away.",
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a platform file.

    A file with ``extends`` may leave out what the other says and take a name away with null, so
    the schema asks for no nested key and allows null in place of a name's section. The whole is
    judged by ``despejado check``.
    """
    schema = _model_schema()
    required = schema.pop("required", [])
    for section in _sections(schema):
        section.pop("required", None)
        for field in section.get("properties", {}).values():
            if isinstance(field.get("additionalProperties"), dict):
                field["additionalProperties"] = {
                    "anyOf": [field["additionalProperties"], {"type": "null"}]
                }
    properties = {"extends": EXTENDS, **schema.pop("properties")}
    return {
        "$schema": DIALECT,
        "title": "Despejado platform",
        "description": "The one file that configures a Despejado platform.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "anyOf": [{"required": required}, {"required": ["extends"]}],
        "$defs": schema["$defs"],
    }


def key_table() -> str:
    """A Markdown table of every key with its values, default and meaning."""
    schema = _model_schema()
    rows = [("extends", "text", "", EXTENDS["description"]), *_rows(schema, schema, "")]
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, kind, default, meaning in rows:
        cells = (f"`{key}`", kind, default, meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _sections(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The whole, its definitions, and sections that stand in place (those of identity)."""
    if "properties" in schema:
        yield schema
    parts = (schema.get("$defs", {}), schema.get("properties", {}))
    for inner in (*(each for part in parts for each in part.values()), *schema.get("anyOf", ())):
        yield from _sections(inner)


def _model_schema() -> dict[str, Any]:
    """The model's schema with title and description on every key.

    Pydantic leaves them out where they repeat those of the section's class; editors then show
    nothing at the key.
    """
    schema = Platform.model_json_schema()
    for section in _sections(schema):
        for field in section.get("properties", {}).values():
            inner, _ = _resolve(schema, field)
            for name in ("title", "description"):
                field.setdefault(name, inner.get(name, ""))
    return schema


Row = tuple[str, str, str, str]


def _rows(root: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[Row]:
    needed = schema.get("required", ())
    # What must be said comes first.
    fields = sorted(schema.get("properties", {}).items(), key=lambda item: item[0] not in needed)
    for name, field in fields:
        key = f"{path}{name}"
        inner, optional = _resolve(root, field)
        required = name in needed
        default = "required" if required else _default(key, field)
        entries = inner.get("additionalProperties")
        if isinstance(entries, dict):
            yield key, "a section of names", default, field["description"]
            value, _ = _resolve(root, entries)
            yield from _rows(root, value, f"{key}.NAME.")
        elif "properties" in inner:
            kind = "a section, or null" if optional else "a section"
            yield key, kind, default, field["description"]
            yield from _rows(root, inner, f"{key}.")
        else:
            yield key, _kind(inner, optional), default, field["description"]
            entry, of_list = _section_in(root, inner)
            yield from _rows(root, entry, f"{key}[]." if of_list else f"{key}.")


def _section_in(
    root: Mapping[str, Any], field: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bool]:
    """The section that the field may hold, by itself or as an entry of a list."""
    branches = (field, *field.get("anyOf", ()))
    for branch in branches:
        if "items" in branch:
            return _resolve(root, branch["items"])[0], True
    for branch in branches:
        if "$ref" in branch:
            return _resolve(root, branch)[0], False
    return {}, False


def _resolve(root: Mapping[str, Any], field: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The schema behind references, and whether null may stand here."""
    branches = [branch for branch in field.get("anyOf", ()) if branch.get("type") != "null"]
    optional = len(branches) < len(field.get("anyOf", ()))
    if optional and len(branches) == 1:
        inner, _ = _resolve(root, branches[0])
        return inner, True
    if "$ref" in field:
        definition = root["$defs"][field["$ref"].rpartition("/")[2]]
        return definition, optional
    return field, optional


def _default(key: str, field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return ""
    default = field["default"]
    if default is None:
        return "null"
    if _is_duration(field):
        return f"`{format_duration(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default and isinstance(default, dict):
        return f"`{yaml.safe_dump(default, default_flow_style=True).strip()}`"
    if "3Gi" in field.get("anyOf", [{}])[-1].get("examples", field.get("examples", ())):
        return f"`{format_memory(default)}`"
    return "" if default in ([], {}, "") else f"`{default}`"


def _is_duration(field: Mapping[str, Any]) -> bool:
    branches = field.get("anyOf", ())
    return any("10m" in branch.get("examples", ()) for branch in (field, *branches))


def _kind(schema: Mapping[str, Any], optional: bool) -> str:
    words = _words(schema)
    return f"{words}, or null" if optional else words


def _words(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("examples"):
        return "such as " + ", ".join(f"`{example}`" for example in schema["examples"])
    if "anyOf" in schema:
        branches = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
        return " or ".join(_words(branch) for branch in branches)
    if "$ref" in schema:
        return "a section"
    if schema.get("type") == "boolean":
        return "`true`, `false`"
    if schema.get("type") == "object":
        return "a mapping"
    if schema.get("type") == "array":
        return "a list"
    if schema.get("type") == "integer":
        low, high = schema.get("minimum"), schema.get("maximum")
        return f"{low} to {high}" if high is not None else f"{low} or more"
    return "text"
