"""The kinds of value that a site's settings hold, each with what is allowed said in words.

A validator raises ``PydanticCustomError`` whose context has ``allowed``;
:mod:`despejado_spawner.site.mistakes` shows it beside the key and the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from despejado_spawner.site import quantity


class Model(BaseModel):
    """Base of every section: unknown keys are refused, values are not converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def refuse(what: str, allowed: str, choices: tuple[str, ...] = ()) -> PydanticCustomError:
    """The error of a value that is not allowed here; ``choices`` are words to guess from."""
    context = {"what": what, "allowed": allowed, "choices": choices}
    return PydanticCustomError("refused_value", "{what}", context)


def choice(now: tuple[str, ...], later: tuple[str, ...] = ()) -> Any:
    """Validator of a word that may be one of ``now``; words of ``later`` get an honest answer."""
    allowed = ", ".join(now)

    def validate(value: object) -> object:
        if isinstance(value, str) and value in later:
            raise refuse("is planned, and this version cannot do it yet", allowed)
        if value not in now:
            raise refuse("is not one of the choices", allowed, now)
        return str(value)

    return BeforeValidator(validate)


def words(*now: str) -> WithJsonSchema:
    """The JSON Schema of a word that may be one of ``now``."""
    return WithJsonSchema({"type": "string", "enum": list(now)})


def matching(pattern: str, what: str, allowed: str) -> BeforeValidator:
    """Validator of text that ``pattern`` matches as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def validate(value: object) -> object:
        if isinstance(value, str) and not compiled.fullmatch(value):
            raise refuse(what, allowed)
        return str(value) if isinstance(value, str) else value

    return BeforeValidator(validate)


def parsed(parse: Callable[[object], Any], what: str, allowed: str) -> BeforeValidator:
    """Validator that takes what ``parse`` makes of the value, which raises ValueError."""

    def validate(value: object) -> Any:
        try:
            return parse(value)
        except ValueError:
            raise refuse(what, allowed) from None

    return BeforeValidator(validate)


@dataclass(frozen=True)
class Spelling:
    """A second way to write a value.

    ``read`` turns it into the first one; ``schema`` gives the JSON Schema of the second from that
    of the first, for editors.
    """

    read: Callable[[Any], Any]
    schema: Callable[[JsonSchemaValue], JsonSchemaValue]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        first = handler(schema)
        return {"anyOf": [self.schema(first), *first.get("anyOf", (first,))]}


def _as_list(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, dict | BaseModel):
        return (value,)
    if not isinstance(value, list | tuple):
        raise refuse("is neither a section nor a list of sections", "{key: value}, or [{...}]")
    return value


ONE_OR_MORE = Spelling(_as_list, lambda many: dict(many["items"]))
"""A list of sections whose only entry may stand alone."""


def _one_of(pattern: str, example: Any, numeric: str) -> WithJsonSchema:
    text: dict[str, Any] = {"type": "string", "pattern": pattern}
    number = {"type": numeric, "minimum": 0}
    return WithJsonSchema({"anyOf": [number, text], "examples": [example]})


Cpu = Annotated[
    float,
    parsed(quantity.parse_cpu, "is not a number of CPU cores", quantity.CPU_ALLOWED),
    _one_of(quantity.CPU_PATTERN, "500m", "number"),
]
Memory = Annotated[
    int,
    parsed(quantity.parse_memory, "is not an amount of memory", quantity.MEMORY_ALLOWED),
    _one_of(quantity.MEMORY_PATTERN, "3Gi", "integer"),
]
Duration = Annotated[
    int,
    parsed(quantity.parse_duration, "is not a time", quantity.DURATION_ALLOWED),
    _one_of(quantity.DURATION_PATTERN, "10m", "integer"),
]
