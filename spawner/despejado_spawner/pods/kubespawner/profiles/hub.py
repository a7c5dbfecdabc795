"""KubeSpawner's profiles in a hub: the same configuration, input and overridable methods.

Profiles are checked where :class:`~despejado_spawner.options.hub.TypedOptions` checks, before any
hook of the site, and applied where KubeSpawner does, at the start; a refused choice is a 400 and
leaves the previous one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jupyterhub.utils import maybe_future
from traitlets import Bool, HasTraits, default, observe

from despejado_spawner.errors import OptionsError, SpawnerError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.options.inputs import shown
from despejado_spawner.pods.kubespawner.profiles.check import profiles_of
from despejado_spawner.pods.kubespawner.profiles.form import (
    link_fields,
    read_fields,
    render_profiles,
)
from despejado_spawner.pods.kubespawner.profiles.overrides import copied, merged
from despejado_spawner.pods.kubespawner.profiles.parse import (
    PROFILE,
    Profile,
    ProfileChoice,
    find_profile,
    offered_part,
    parse_profile,
)
from despejado_spawner.pods.kubespawner.profiles.templates import Template

if TYPE_CHECKING:
    from kubespawner import KubeSpawner as _KubeSpawner
else:
    _KubeSpawner = HasTraits

_ABSENT = object()


@dataclass(frozen=True)
class _Override:
    """A setting that was changed for one start: what it was and what it was set to."""

    source: Literal["group", "profile"]
    name: str
    before: Any
    after: Any


class TypedProfiles(_KubeSpawner):
    """Put before ``KubeSpawner``, makes its profile list strict in what it takes."""

    strict_options = Bool(
        False,
        config=True,
        help="""
        Refuse spawn options that the chosen profile does not have. By default they are ignored
        with a warning, as KubeSpawner does, because hooks of the site may read them.
        """,
    )

    _previous_options: Mapping[str, Any] | None = None
    _profiles_of_start: tuple[Any, Sequence[Profile]] | None = None
    _overrides: tuple[_Override, ...] = ()

    # The form

    @default("options_form")
    def _options_form_default(self) -> Any:
        """Rendered at each visit: the list and the last choice may have changed since the first."""
        return self._render_options_form_dynamically if self.profile_list else ""

    async def _render_options_form_dynamically(self, current_spawner: Any) -> str:
        try:
            return self._render_options_form(await self._evaluated_profiles())
        except SpawnerError as error:
            raise spawn_failure(error) from None

    def _render_options_form(self, profile_list: Any) -> str:
        """The form, with what of the last choice is still offered."""
        profiles = self._get_initialized_profile_list(profiles_of(profile_list))
        saved = self.orm_spawner.user_options if self.orm_spawner else None
        if not isinstance(saved, Mapping):
            saved = self.user_options
        offered = offered_part(saved, profiles)
        gone = [name for name in saved if name not in offered]
        if gone:
            self.log.info("Saved options of %s are not offered any more: %s", self._log_name, gone)
        return render_profiles(
            profiles,
            offered,
            self.profile_form_template,
            self.additional_profile_form_template_paths,
        )

    def run_options_from_form(self, form_data: Mapping[str, Any]) -> Any:
        """Options of a submitted form."""
        try:
            return super().run_options_from_form(form_data)
        except SpawnerError as error:
            raise spawn_failure(error) from None

    def options_from_query(self, query_data: Mapping[str, Any]) -> Any:
        """Options of a spawn link."""
        # Links to a site without profiles are in a form of the site's own.
        fields = link_fields(query_data) if self.profile_list else query_data
        return self.run_options_from_form(fields)

    def _options_from_form(self, formdata: Mapping[str, Any]) -> dict[str, Any]:
        options, unknown = read_fields(formdata)
        self._tell_unknown(unknown)
        return options

    # The choice

    @observe("user_options")
    def _note_previous_options(self, change: Any) -> None:
        self._previous_options = change.old if isinstance(change.old, Mapping) else None

    async def _run_apply_user_options(self, user_options: object) -> None:
        """Check the choice before any hook of the site runs (overrides JupyterHub's wrapper,
        which knows no profiles and warns of options that nobody handles)."""
        try:
            profiles = await self._evaluated_profiles()
            self._profiles_of_start = (self.profile_list, profiles)
            if profiles:
                self._checked(user_options, profiles)
        except OptionsError as error:
            self._restore_options()
            raise spawn_failure(error) from None
        except SpawnerError as error:
            raise spawn_failure(error) from None
        # The same options at the next start are no change that would be noted.
        self._previous_options = self.user_options
        if self.apply_user_options:
            await super()._run_apply_user_options(self._options_of_the_site(profiles))

    def _checked(self, user_options: object, profiles: Sequence[Profile]) -> ProfileChoice:
        choice = parse_profile(user_options, profiles)
        if not self.apply_user_options:
            self._tell_unknown(choice.unknown)
        return choice

    def _tell_unknown(self, names: Sequence[str]) -> None:
        if not names:
            return
        if self.strict_options:
            raise OptionsError(str(names[0])[:60], "There is no such spawn option.")
        # shown: they are anybody's text
        self.log.warning("Ignoring unrecognized spawn options: %s", ", ".join(map(shown, names)))

    def _restore_options(self) -> None:
        previous = dict(self._previous_options or {})
        self.user_options = previous
        self._previous_options = previous
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = previous

    def _options_of_the_site(self, profiles: Sequence[Profile]) -> dict[str, Any]:
        """What the site's `apply_user_options` gets; a table of it knows nothing of profiles, and
        JupyterHub warns of each option that is not in the table."""
        options: dict[str, Any] = self.user_options
        if not isinstance(self.apply_user_options, dict) or not profiles:
            return options
        unknown = parse_profile(options, profiles).unknown
        return {name: value for name, value in options.items() if name in unknown}

    # The start

    async def load_user_options(self) -> None:
        """Check the choice again, as hooks of the site may have changed it, and apply it.

        Raises
        ------
        OptionsError
            If it is not offered.
        """
        seen, self._profiles_of_start = self._profiles_of_start, None
        if seen is not None and callable(seen[0]) and seen[0] is self.profile_list:
            profiles = seen[1]
        else:
            profiles = await self._evaluated_profiles()
        self._undo_overrides("profile")
        if not profiles:
            if self.user_options.get(PROFILE):
                self.log.warning("There are no profiles, so none was applied")
            return
        self._validate_user_options(profiles)
        choice = parse_profile(self.user_options, profiles)
        self.log.debug("Applying profile %s", choice.profile["slug"])
        for override in choice.overrides:
            for name, value in override.items():
                if callable(value):
                    value = await maybe_future(value(self))  # noqa: PLW2901
                self._override("profile", name, value)

    async def _evaluated_profiles(self) -> Sequence[Profile]:
        """The profiles as they are now, with slugs and defaults; empty for none."""
        configured = self.profile_list
        if callable(configured):
            configured = await maybe_future(configured(self))
        profiles: Sequence[Profile] = self._get_initialized_profile_list(profiles_of(configured))
        return profiles

    def _validate_user_options(self, profile_list: Sequence[Profile]) -> None:
        if profile_list:
            parse_profile(self.user_options, profile_list)

    def _get_profile(self, slug: str | None, profile_list: Sequence[Profile]) -> Profile:
        return find_profile(slug, profile_list)

    # Settings

    def _apply_overrides(self, spawner_override: Mapping[str, Any]) -> None:
        """Apply overrides of a group; mappings are merged, into new ones."""
        for name, value in spawner_override.items():
            self._override("group", name, value(self) if callable(value) else value)

    def _override(self, source: Literal["group", "profile"], name: str, value: Any) -> None:
        before: Any = getattr(self, name, _ABSENT)
        if before is _ABSENT:
            self.log.warning("%s override of %s: there is no such setting", source, name)
        both = isinstance(before, dict) and isinstance(value, Mapping)
        setattr(self, name, merged(before, value) if both else copied(value))
        change = _Override(source, name, before, getattr(self, name))
        self._overrides = (*self._overrides, change)
        self.log.debug("%s override of %s", source, name)

    def _undo_overrides(self, *sources: Literal["group", "profile"]) -> None:
        """Give settings their values from before, unless somebody else has set them since."""
        for change in reversed(self._overrides):
            if change.source not in sources or getattr(self, change.name) is not change.after:
                continue
            if change.before is _ABSENT:
                delattr(self, change.name)
            else:
                setattr(self, change.name, change.before)
        self._overrides = tuple(each for each in self._overrides if each.source not in sources)

    def clear_state(self) -> None:
        """Also what the profile and groups of the last start have set: it was for that start."""
        self._undo_overrides("group", "profile")
        super().clear_state()

    # Templates

    def _expand_user_properties(self, template: str, slug_scheme: str | None = None) -> str:
        """KubeSpawner's templates; text that is none is kept (``templates.expand``)."""
        expanded: str = super()._expand_user_properties(Template(template), slug_scheme)
        return expanded
