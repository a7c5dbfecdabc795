"""Overrides of spawner settings as values: merging makes new ones and changes none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
