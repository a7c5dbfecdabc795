"""KubeSpawner's profiles in a hub: the same configuration, input and names for sites to call.

Profiles are checked where :class:`~despejado_spawner.options.hub.TypedOptions` checks, before any
hook of the site, and applied where KubeSpawner does, at the start; a refused choice is a 400 and
leaves the previous one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyterhub.utils import maybe_future

from despejado_spawner.errors import OptionsError, SpawnerError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.options.inputs import shown
from despejado_spawner.pods.kubespawner.profiles.check import profiles_of
from despejado_spawner.pods.kubespawner.profiles.form import (
    link_fields,
    read_fields,
    render_profiles,
)
from despejado_spawner.pods.kubespawner.profiles.overrides import Overrides
from despejado_spawner.pods.kubespawner.profiles.parse import (
    PROFILE,
    Profile,
    ProfileChoice,
    offered_part,
    parse_profile,
)


class ProfileOptions:
    """Makes the profile list of a spawner strict in what it takes.

    Parameters
    ----------
    spawner
        A KubeSpawner whose hook points ask this object.
    stock
        The same spawner's methods as they are without those hook points (``super()``).
    overrides
        What of the spawner's settings is changed for a start.
    """

    def __init__(self, spawner: Any, stock: Any, overrides: Overrides) -> None:
        self._spawner = spawner
        self._stock = stock
        self._overrides = overrides
        self._previous: Mapping[str, Any] = {}
        self._of_start: tuple[Any, Sequence[Profile]] | None = None

    # The form

    async def form(self) -> str:
        """The form of the site's own, else that of the profiles."""
        form: str = await self._stock.get_options_form()
        return form

    def default_form(self) -> Any:
        """Rendered at each visit: the list and the last choice may have changed since the first."""
        return self._rendered if self._spawner.profile_list else ""

    async def _rendered(self, current_spawner: Any) -> str:
        try:
            return self.render(await self._current())
        except SpawnerError as error:
            raise spawn_failure(error) from None

    def render(self, profile_list: Any) -> str:
        """The form, with what of the last choice is still offered."""
        spawner = self._spawner
        profiles = self._initialized(profile_list)
        saved = spawner.orm_spawner.user_options if spawner.orm_spawner else None
        if not isinstance(saved, Mapping):
            saved = spawner.user_options
        offered = offered_part(saved, profiles)
        gone = [name for name in saved if name not in offered]
        if gone:
            name = spawner._log_name
            spawner.log.info("Saved options of %s are not offered any more: %s", name, gone)
        return render_profiles(
            profiles,
            offered,
            spawner.profile_form_template,
            spawner.additional_profile_form_template_paths,
        )

    def from_form(self, form_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a submitted form, by the site's own reading if it has one."""
        try:
            options: dict[str, Any] = self._stock.run_options_from_form(form_data)
        except SpawnerError as error:
            raise spawn_failure(error) from None
        return options

    def from_link(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a spawn link's query."""
        # Links to a site without profiles are in a form of the site's own.
        return self.from_form(link_fields(query) if self._spawner.profile_list else query)

    def read_form(self, form_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of the fields of the profiles' form."""
        options, unknown = read_fields(form_data)
        self._tell_unknown(unknown)
        return options

    # The choice

    def note_previous(self, change: Any) -> None:
        """An observer of ``user_options``: what they were before."""
        self._previous = change.old if isinstance(change.old, Mapping) else {}

    async def check(self, user_options: object) -> dict[str, Any]:
        """Check the choice; what the site's `apply_user_options` is to get."""
        spawner = self._spawner
        try:
            profiles = await self._current()
            self._of_start = (spawner.profile_list, profiles)
            if profiles:
                self._checked(user_options, profiles)
        except OptionsError as error:
            self._restore()
            raise spawn_failure(error) from None
        except SpawnerError as error:
            raise spawn_failure(error) from None
        # The same options at the next start are no change that would be noted.
        self._previous = spawner.user_options
        return self._of_the_site(profiles)

    def _checked(self, user_options: object, profiles: Sequence[Profile]) -> ProfileChoice:
        choice = parse_profile(user_options, profiles)
        if not self._spawner.apply_user_options:
            self._tell_unknown(choice.unknown)
        return choice

    def _tell_unknown(self, names: Sequence[str]) -> None:
        if not names:
            return
        if self._spawner.strict_options:
            raise OptionsError(str(names[0])[:60], "There is no such spawn option.")
        # shown: they are anybody's text
        said = ", ".join(map(shown, names))
        self._spawner.log.warning("Ignoring unrecognized spawn options: %s", said)

    def _restore(self) -> None:
        previous = dict(self._previous)
        self._spawner.user_options = previous
        self._previous = previous
        if self._spawner.orm_spawner is not None:
            self._spawner.orm_spawner.user_options = previous

    def _of_the_site(self, profiles: Sequence[Profile]) -> dict[str, Any]:
        """The options that are not a profile's.

        A table of the site knows nothing of profiles, and JupyterHub warns of each option that is
        not in the table.
        """
        options: dict[str, Any] = self._spawner.user_options
        if not isinstance(self._spawner.apply_user_options, dict) or not profiles:
            return options
        unknown = parse_profile(options, profiles).unknown
        return {name: value for name, value in options.items() if name in unknown}

    # The start

    async def load(self) -> None:
        """Check the choice again, as hooks of the site may have changed it, and apply it.

        Raises
        ------
        OptionsError
            If it is not offered.
        """
        spawner = self._spawner
        seen, self._of_start = self._of_start, None
        if seen is not None and callable(seen[0]) and seen[0] is spawner.profile_list:
            profiles = seen[1]
        else:
            profiles = await self._current()
        self._overrides.undo("profile")
        if not profiles:
            if spawner.user_options.get(PROFILE):
                spawner.log.warning("There are no profiles, so none was applied")
            return
        choice = parse_profile(spawner.user_options, profiles)
        spawner.log.debug("Applying profile %s", choice.profile["slug"])
        for override in choice.overrides:
            for name, value in override.items():
                if callable(value):
                    value = await maybe_future(value(spawner))  # noqa: PLW2901
                self._overrides.apply("profile", name, value)

    async def _current(self) -> Sequence[Profile]:
        """The profiles as they are now, with slugs and defaults; empty for none."""
        configured = self._spawner.profile_list
        if callable(configured):
            configured = await maybe_future(configured(self._spawner))
        return self._initialized(configured)

    def _initialized(self, profile_list: Any) -> Sequence[Profile]:
        profiles: Sequence[Profile] = self._spawner._get_initialized_profile_list(
            profiles_of(profile_list)
        )
        return profiles

    # What profiles do not tell

    def image_bytes(self) -> int | None:
        """A profile names an image; how big it is nobody knows."""
        return None

    def bigger_size(self) -> str | None:
        """Profiles have no sizes that could be compared."""
        return None
