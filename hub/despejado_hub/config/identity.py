"""The section ``identity``: which source says who users are, and the settings of that source.

A source is a line of ``SOURCES``, or an entry point of another distribution in the group
``despejado.identity_sources``. It is imported when a platform file names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

from despejado_spawner.site.values import Model, refuse
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

GROUP = "despejado.identity_sources"
DEFAULT = "embedded"
SOURCES = {"embedded": "despejado_hub.identity.registry:EmbeddedRegistry"}
PLANNED = ("oidc", "ldap", "headers")


def _entry_points() -> dict[str, EntryPoint]:
    own = {name: EntryPoint(name, value, GROUP) for name, value in SOURCES.items()}
    return {**{each.name: each for each in entry_points(group=GROUP)}, **own}


def source_names() -> tuple[str, ...]:
    """What ``identity.source`` may be, the sources of this package first."""
    return tuple(dict.fromkeys((*SOURCES, *_entry_points())))


def source_class(name: str) -> Any:
    """The class of a source, an ``IdentitySource``.

    Raises KeyError for no such name, ImportError with a sentence where it cannot be had.
    """
    if name in SOURCES:
        return EntryPoint(name, SOURCES[name], GROUP).load()  # without a look at all that is there
    point = _entry_points()[name]
    try:
        found = point.load()
    except Exception as error:
        raise ImportError(f"{point.value}: {str(error) or type(error).__name__}") from error
    if not isinstance(found, type) or not hasattr(found, "settings_model"):
        raise ImportError(f"{point.value} is no IdentitySource")
    return found


def _installed() -> dict[str, Any]:
    """Every source that can be imported."""
    found = {}
    for name in source_names():
        with suppress(ImportError):
            found[name] = source_class(name)
    return found


def _source(value: object) -> object:
    if isinstance(value, str) and value in SOURCES:
        return value
    names = source_names()
    if value not in names:
        later = value in PLANNED
        what = (
            "is planned, and this version cannot do it yet"
            if later
            else "is not one of the choices"
        )
        raise refuse(what, ", ".join(names), names)
    try:
        source_class(str(value))
    except ImportError as error:
        raise refuse(f"cannot be imported: {error}", ", ".join(SOURCES)) from error
    return value


class _Names:
    """The choices as editors see them: those of this installation."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": list(_installed())}


class IdentitySettings(Model):
    """What every source of identities is told; a source adds its own keys."""

    source: Annotated[str, BeforeValidator(_source), _Names] = Field(
        default=DEFAULT,
        title="Source",
        description="embedded: a registry of the platform's own gives UIDs and GIDs and keeps "
        "them. Other packages may add sources.",
    )


class _SourceAlone(IdentitySettings):
    model_config = ConfigDict(extra="ignore")


def settings_model(section: object) -> type[IdentitySettings]:
    """The settings of the source that a section of a file names; those of the default else.

    Raises pydantic's ValidationError for a name that is none.
    """
    if not isinstance(section, Mapping):
        section = {}
    chosen = _SourceAlone.model_validate({"source": section.get("source", DEFAULT)})
    found: type[IdentitySettings] = source_class(chosen.source).settings_model
    return found


def read_settings(section: object) -> IdentitySettings:
    """The section, by the model of the source that it names."""
    if isinstance(section, IdentitySettings):
        return section
    return settings_model(section).model_validate(section)


class BySource:
    """Annotation of the section: its source decides which keys there are."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(read_settings)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        models = [each.settings_model for each in _installed().values()]
        schemas = [handler(model.__pydantic_core_schema__) for model in models]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
