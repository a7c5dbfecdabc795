"""Overrides of spawner settings: they make new values, and are undone after the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Source = Literal["group", "profile"]
_ABSENT = object()


@dataclass(frozen=True)
class _Change:
    """A setting that was changed for one start: what it was and what it was set to."""

    source: Source
    name: str
    before: Any
    after: Any


class Overrides:
    """The settings of a spawner that groups and the profile of a start have changed."""

    def __init__(self, spawner: Any) -> None:
        self._spawner = spawner
        self._changes: tuple[_Change, ...] = ()

    def apply(self, source: Source, name: str, value: Any) -> None:
        """Set a setting; mappings are merged, into new ones."""
        spawner = self._spawner
        before: Any = getattr(spawner, name, _ABSENT)
        if before is _ABSENT:
            spawner.log.warning("%s override of %s: there is no such setting", source, name)
        both = isinstance(before, dict) and isinstance(value, Mapping)
        setattr(spawner, name, merged(before, value) if both else copied(value))
        self._changes = (
            *self._changes,
            _Change(source, name, before, getattr(spawner, name)),
        )
        spawner.log.debug("%s override of %s", source, name)

    def undo(self, *sources: Source) -> None:
        """Give settings their values from before, unless somebody else has set them since."""
        for change in reversed(self._changes):
            if change.source not in sources:
                continue
            if getattr(self._spawner, change.name) is not change.after:
                continue
            if change.before is _ABSENT:
                delattr(self._spawner, change.name)
            else:
                setattr(self._spawner, change.name, change.before)
        self._changes = tuple(each for each in self._changes if each.source not in sources)


def merged(current: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """``current`` with ``override`` laid over, recursively; ``None`` removes a key.

    Both stay as they are, also in depth: they are the configuration of all users.
    """
    result = {key: copied(value) for key, value in current.items()}
    for key, value in override.items():
        if isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = copied(value)
    return result


def copied(value: Any) -> Any:
    """A copy of all containers in ``value``; what they hold is shared."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value
