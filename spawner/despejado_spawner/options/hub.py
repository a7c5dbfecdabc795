"""Typed options of a JupyterHub spawner, whatever it spawns.

JupyterHub hands REST bodies to the spawner as they came, saves them as the last choice and only
then asks the spawner. The one hook between saving and any work is the applying of user options
(5.3 and later), inside the part whose failures the request is answered with. An invalid request
is refused there: status 400 at once, the previous choice put back, no hook of the site run,
nothing started and no traceback. JupyterHub's own failure limit counts only errors (5xx).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from despejado_spawner.errors import OptionsError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.models import SpawnOptions
from despejado_spawner.options.fields import options_to_json
from despejado_spawner.options.form import render_form
from despejado_spawner.options.groups import groups_of
from despejado_spawner.options.menu import Menu
from despejado_spawner.options.parse import (
    parse_form,
    parse_link,
    parse_options,
    remembered,
    without_lost_options,
)
from despejado_spawner.site.options import SiteOption, inputs_for, limited

Answer = dict[str, Any] | Awaitable[dict[str, Any]]
"""Options, now or when they are known; JupyterHub takes both."""


class OptionsHolder(Protocol):
    """A spawner: the options of this start and the saved last choice, and where its menu is.

    `groups_hook` says which groups the user is in.
    """

    user_options: Any
    orm_spawner: Any
    hub: Any
    menu_path: str
    """Where the menu is as JSON, below the hub's address; empty for nowhere."""
    user: Any
    groups_hook: Any

    @property
    def lab_options(self) -> Mapping[str, SiteOption]:
        """The options that the site declares itself."""
        ...


class ServerOptions(Protocol):
    """How people choose: the answers to JupyterHub's four questions.

    Each raises JupyterHub's exception for a refusal, with status 400 and the field's name.
    """

    async def form(self) -> str:
        """The spawn form, as HTML."""
        ...

    def from_form(self, form_data: Mapping[str, Any]) -> Answer:
        """Options of a submitted form."""
        ...

    def from_link(self, query: Mapping[str, Any]) -> Answer:
        """Options of a spawn link's query."""
        ...

    async def check(self, user_options: object) -> dict[str, Any]:
        """Check and save what a start was asked for; the options that hooks of the site get."""
        ...

    def note_previous(self, change: Any) -> None:
        """An observer of ``user_options``: what they were before."""
        ...


class TypedOptions:
    """Makes a spawner's ``user_options`` ``SpawnOptions`` of a menu.

    Parameters
    ----------
    spawner
        Whose options they are.
    menu
        The images and sizes that there are now.
    """

    def __init__(self, spawner: OptionsHolder, menu: Callable[[], Menu]) -> None:
        self._spawner = spawner
        self._offered = menu
        self._previous: Mapping[str, Any] = {}
        self._form_error: OptionsError | None = None
        record = spawner.orm_spawner
        self._saved: dict[str, Any] = dict(record.user_options or {}) if record else {}

    async def menu(self) -> Menu:
        """What this user can choose from now."""
        options = self._spawner.lab_options
        groups = await groups_of(self._spawner) if limited(options) else ()
        return replace(self._offered(), own=inputs_for(options, groups))

    async def chosen(self) -> SpawnOptions:
        """The options of the current start.

        Raises
        ------
        OptionsError
            If what was saved is no longer offered.
        """
        return parse_options(self._spawner.user_options, await self.menu())

    async def form(self) -> str:
        """The form with the last choice, and with the error of a refused one."""
        error, self._form_error = self._form_error, None
        record = self._spawner.orm_spawner
        saved = record.user_options if record else None
        path = self._spawner.menu_path
        url = f"{self._spawner.hub.base_url}{path.lstrip('/')}" if path else ""
        return render_form(await self.menu(), saved or {}, error, url)

    async def from_form(self, form_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a submitted form."""
        return await self._parsed(parse_form, form_data)

    async def from_link(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a spawn link's query."""
        return await self._parsed(parse_link, query)

    async def check(self, user_options: object) -> dict[str, Any]:
        """The options, checked, and remembered as the last choice.

        Where a JupyterHub does not ask for this, the same check happens in ``start``.
        """
        menu = await self.menu()
        if user_options == self._saved:
            user_options = without_lost_options(self._saved, menu)
        try:
            options = parse_options(user_options, menu)
        except OptionsError as error:
            previous = dict(self._previous)
            previous.pop("reset", None)
            self._spawner.user_options = previous
            self._remember(previous)
            raise spawn_failure(error) from None
        checked = options_to_json(options)
        self._spawner.user_options = checked
        self._remember(remembered(options))
        return checked

    def note_previous(self, change: Any) -> None:
        """An observer of ``user_options``: what they were before."""
        self._previous = change.old if isinstance(change.old, Mapping) else {}

    async def _parsed(
        self, parse: Callable[[Mapping[str, Any], Menu], SpawnOptions], said: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            return options_to_json(parse(said, await self.menu()))
        except OptionsError as error:
            self._form_error = error
            raise spawn_failure(error) from None

    def _remember(self, options: dict[str, Any]) -> None:
        self._saved = options
        if self._spawner.orm_spawner is not None:
            self._spawner.orm_spawner.user_options = options
