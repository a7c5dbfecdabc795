"""The profile form: what is rendered, and what comes back in its fields or in a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader

from despejado_spawner.pods.kubespawner.profiles.parse import PROFILE, Profile

_OPTION_PREFIX = "profile-option-"
_LINK_PREFIX = "opt-"
_OF_THE_PAGE = frozenset({"_xsrf", "next", "display_name"})
"""What JupyterHub's own pages put beside the options in forms and links."""


def render_profiles(
    profiles: Sequence[Profile], saved: Mapping[str, Any], template: str, folders: Sequence[str]
) -> str:
    """The form by the site's template, else ``form.html`` of ``folders`` or of KubeSpawner.

    ``saved`` is marked as chosen.
    """
    loader = ChoiceLoader([FileSystemLoader(folders), PackageLoader("kubespawner")])
    # Titles and descriptions of profiles are documented as HTML.
    environment = Environment(loader=loader)  # noqa: S701
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # profiles have an order
    form = environment.from_string(template) if template else environment.get_template("form.html")
    return form.render(profile_list=profiles, user_options=saved)


def read_fields(fields: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Options of a form or link (name to list of texts), and the names that are no field of it.

    Options of profiles that are not chosen are in every form; they are left out.
    """
    options: dict[str, Any] = {}
    slug = _first(fields.get(PROFILE))
    if slug:
        prefix = f"{_OPTION_PREFIX}{slug}--"
        options[PROFILE] = slug
        options |= {
            name.removeprefix(prefix): _first(values)
            for name, values in fields.items()
            if name.startswith(prefix)
        }
    unknown = (
        name
        for name in fields
        if name != PROFILE and name not in _OF_THE_PAGE and not name.startswith(_OPTION_PREFIX)
    )
    return options, tuple(sorted(unknown))


def link_fields(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a spawn link's query.

    JupyterHub 6 takes the prefix ``opt-`` off before it asks; 5.5 leaves all as it came. As in 6,
    names without the prefix are no options if any has it.
    """
    prefixed = {
        name.removeprefix(_LINK_PREFIX): value
        for name, value in query.items()
        if name.startswith(_LINK_PREFIX)
    }
    return prefixed or query


def _first(values: Any) -> Any:
    if isinstance(values, list | tuple):
        return values[0] if values else None
    return values
