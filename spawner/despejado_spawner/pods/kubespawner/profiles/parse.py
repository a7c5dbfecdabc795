"""What a user chose of the profile list, from wherever it comes; all wrong is an ``OptionsError``.

The keys are KubeSpawner's: ``profile`` (a slug), for each of its options ``NAME`` (a key of its
choices) or ``NAME--unlisted-choice`` (a text). Nothing said, null and the empty text mean the
default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from despejado_spawner.errors import OptionsError
from despejado_spawner.options.inputs import shown
from despejado_spawner.pods.kubespawner.profiles.check import ProfileListError
from despejado_spawner.pods.kubespawner.profiles.templates import fill_value

Profile = Mapping[str, Any]
"""A profile after KubeSpawner has given it its slug and its defaults."""

PROFILE = "profile"
UNLISTED = "--unlisted-choice"
_UNLISTED_VALUE = UNLISTED.strip("-")
"""What the form's list holds for "Other..."; without scripts a browser sends it."""


@dataclass(frozen=True)
class ProfileChoice:
    """A profile and the overrides of what was chosen of it, in the order to apply them.

    ``unknown`` are the names of the request that mean nothing to this profile.
    """

    profile: Profile
    overrides: tuple[Mapping[str, Any], ...]
    unknown: tuple[str, ...]


def parse_profile(raw: object, profiles: Sequence[Profile]) -> ProfileChoice:
    """The choice that ``raw``, any JSON value, makes among ``profiles`` (at least one).

    Without a profile the default one counts, and options are checked as its options.

    Raises
    ------
    OptionsError
        For a profile, choice or text that is not offered; ``field`` is the key in ``raw``, or
        ``options`` if it is no object.
    ProfileListError
        If the chosen profile cannot be had by anybody.
    """
    options = _object(raw)
    slugs = [str(profile["slug"]) for profile in profiles]
    profile = find_profile(_text(options, PROFILE, slugs), profiles)
    overrides = [profile.get("kubespawner_override") or {}]
    names = {PROFILE}
    for name, option in (profile.get("profile_options") or {}).items():
        overrides.append(_option_override(name, option, options))
        names |= {name, name + UNLISTED}
    unknown = tuple(key for key in options if key not in names)
    return ProfileChoice(profile, tuple(overrides), unknown)


def find_profile(slug: str | None, profiles: Sequence[Profile]) -> Profile:
    """The profile of that slug, the default one for none.

    Raises
    ------
    OptionsError
        If there is no such profile.
    """
    for profile in profiles:
        if str(profile["slug"]) == slug if slug else profile.get("default"):
            return profile
    allowed = [str(profile["slug"]) for profile in profiles]
    raise OptionsError(PROFILE, f"There is no profile {shown(slug)}.", allowed)


def offered_part(saved: object, profiles: Sequence[Profile]) -> dict[str, Any]:
    """What of the saved options can still be chosen, to mark it in the form."""
    options = dict(saved) if isinstance(saved, Mapping) else {}
    try:
        profile = find_profile(_text(options, PROFILE), profiles)
    except OptionsError:
        return {}  # without its profile no option means what it meant
    gone = set()
    for name, option in (profile.get("profile_options") or {}).items():
        for key in (name, name + UNLISTED):
            try:
                if key in options:
                    _option_override(name, option, {key: options[key]})
            except (OptionsError, ProfileListError):
                gone.add(key)
    return {key: value for key, value in options.items() if key not in gone}


def _option_override(
    name: str, option: Mapping[str, Any], options: Mapping[str, Any]
) -> Mapping[str, Any]:
    choices: Mapping[Any, Mapping[str, Any]] = option.get("choices") or {}
    keys = [str(key) for key in choices]
    unlisted: Mapping[str, Any] = option.get("unlisted_choice") or {}
    text = _text(options, name + UNLISTED)
    chosen = _text(options, name, keys)
    if text is not None:
        return _unlisted_override(name + UNLISTED, text, unlisted)
    if chosen is not None:
        for key, choice in choices.items():
            if str(key) == chosen:
                return choice.get("kubespawner_override") or {}
        if not (unlisted.get("enabled") and chosen == _UNLISTED_VALUE):
            raise OptionsError(name, f"There is no choice {shown(chosen)}.", keys)
    elif choices:
        default = next((c for c in choices.values() if c.get("default")), None)
        return (default or next(iter(choices.values()))).get("kubespawner_override") or {}
    if not unlisted.get("enabled"):
        raise ProfileListError(
            f"profile_options[{name!r}]", "has no choices and no enabled unlisted_choice."
        )
    title = unlisted.get("display_name") or option.get("display_name") or name
    raise OptionsError(name + UNLISTED, f"A value is needed ({title}).")


def _unlisted_override(field: str, text: str, unlisted: Mapping[str, Any]) -> Mapping[str, Any]:
    if not unlisted.get("enabled"):
        raise OptionsError(field, "Only listed choices are on offer.")
    pattern = unlisted.get("validation_regex")
    if pattern and not _matches(field, pattern, text):
        hint = unlisted.get("validation_message") or f"It must match {pattern}"
        raise OptionsError(field, f"{shown(text)} is not allowed. {str(hint).rstrip('.')}.")
    override: Mapping[str, Any] = fill_value(unlisted.get("kubespawner_override") or {}, text)
    return override


def _matches(field: str, pattern: str, text: str) -> bool:
    # In full, as the form's own ``pattern`` does: a match of the beginning would let a name of the
    # site be continued by anything.
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error as error:
        raise ProfileListError(f"{field}.validation_regex", f"is none: {error}.") from None


def _object(raw: object) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise OptionsError("options", f"Spawn options must be a JSON object, not {shown(raw)}.")
    return raw


def _text(options: Mapping[str, Any], field: str, allowed: Sequence[str] = ()) -> str | None:
    value = options.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise OptionsError(field, f"{shown(value)} is not a text.", allowed)
    return value
