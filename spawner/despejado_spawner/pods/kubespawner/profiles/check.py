"""A site's profile list, checked before it is used: a mistake names its place in the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from despejado_spawner.errors import SpawnerError


class ProfileListError(SpawnerError, ValueError):
    """A profile list that cannot be offered: a mistake of the site, not of the request."""

    reason = "invalid"

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(f"{where} {message}", "Tell the administrator.")


def profiles_of(configured: object) -> list[Mapping[str, Any]]:
    """The profiles of a configured list or mapping (by its sorted keys), of the right shapes.

    What only concerns those who choose a profile, its patterns say, is found when they do.

    Raises
    ------
    ProfileListError
        If it is not as KubeSpawner documents ``profile_list``.
    """
    if not configured:
        return []
    if isinstance(configured, Mapping):
        found = [(f"profile_list[{key!r}]", configured[key]) for key in sorted(configured)]
    elif isinstance(configured, Sequence) and not isinstance(configured, str):
        found = [(f"profile_list[{index}]", item) for index, item in enumerate(configured)]
    else:
        raise ProfileListError("profile_list", f"must be a list, not {_kind(configured)}.")
    return [_profile(where, item) for where, item in found]


def _profile(where: str, raw: object) -> Mapping[str, Any]:
    profile = _mapping(where, raw)
    if not (profile.get("slug") or profile.get("display_name")):
        raise ProfileListError(where, "needs a display_name or a slug.")
    _override(where, profile)
    options = _optional(where, profile, "profile_options")
    for name, option in options.items():
        _option(f"{where}.profile_options[{name!r}]", option)
    return profile


def _option(where: str, raw: object) -> None:
    option = _mapping(where, raw)
    for key, choice in _optional(where, option, "choices").items():
        place = f"{where}.choices[{key!r}]"
        _override(place, _mapping(place, choice))
    _override(f"{where}.unlisted_choice", _optional(where, option, "unlisted_choice"))


def _override(where: str, owner: Mapping[str, Any]) -> None:
    for name in _optional(where, owner, "kubespawner_override"):
        if not isinstance(name, str):
            raise ProfileListError(f"{where}.kubespawner_override", f"has a key {name!r}.")


def _optional(where: str, owner: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _mapping(f"{where}.{key}", owner[key]) if key in owner else {}


def _mapping(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ProfileListError(where, f"must be a mapping, not {_kind(value)}.")
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
