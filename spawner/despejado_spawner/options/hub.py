"""Typed options in a JupyterHub spawner, whatever it spawns.

JupyterHub hands REST bodies to the spawner as they came, saves them as the last choice and only
then asks the spawner. The one hook between saving and any work is the applying of user options
(5.3 and later), inside the part whose failures the request is answered with. An invalid request
is refused there: status 400 at once, the previous choice put back, no hook of the site run,
nothing started and no traceback. JupyterHub's own failure limit counts only errors (5xx).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits, observe

from despejado_spawner.errors import OptionsError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.models import SpawnOptions
from despejado_spawner.options.fields import options_to_json
from despejado_spawner.options.form import render_form
from despejado_spawner.options.menu import Menu
from despejado_spawner.options.parse import parse_form, parse_link, parse_options, remembered

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner as _Spawner
else:
    # JupyterHub refuses a Spawner class without start, stop and poll, which are not ours to say.
    _Spawner = HasTraits


class TypedOptions(_Spawner):
    """Put before a spawner class, makes its ``user_options`` ``SpawnOptions``.

    Subclasses provide the menu.
    """

    _previous_options: Mapping[str, Any] | None = None
    _form_error: OptionsError | None = None

    def menu(self) -> Menu:
        """What this user can choose from now."""
        raise NotImplementedError

    def menu_url(self) -> str:
        """Where a script of the spawn page may fetch the menu as JSON; empty for nowhere."""
        return ""

    def spawn_options(self) -> SpawnOptions:
        """The options of the current start.

        Raises
        ------
        OptionsError
            If what was saved is no longer offered.
        """
        return parse_options(self.user_options, self.menu())

    async def get_options_form(self) -> str:
        """The form with the last choice, and with the error of a refused one."""
        error, self._form_error = self._form_error, None
        saved = self.orm_spawner.user_options if self.orm_spawner else None
        return render_form(self.menu(), saved or {}, error, self.menu_url())

    def run_options_from_form(self, form_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a submitted form."""
        try:
            return options_to_json(parse_form(form_data, self.menu()))
        except OptionsError as error:
            self._form_error = error
            raise spawn_failure(error) from None

    def options_from_query(self, query_data: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a spawn link."""
        try:
            return options_to_json(parse_link(query_data, self.menu()))
        except OptionsError as error:
            self._form_error = error
            raise spawn_failure(error) from None

    @observe("user_options")
    def _note_previous_options(self, change: Any) -> None:
        self._previous_options = change.old if isinstance(change.old, Mapping) else None

    async def _run_apply_user_options(self, user_options: object) -> None:
        """Check the options before any hook of the site runs (overrides JupyterHub's wrapper,
        which would log a traceback for a refusal). Where a JupyterHub does not call this, the
        same check happens in ``start``."""
        try:
            options = parse_options(user_options, self.menu())
        except OptionsError as error:
            previous = dict(self._previous_options or {})
            previous.pop("reset", None)
            self.user_options = previous
            self._remember(previous)
            raise spawn_failure(error) from None
        self.user_options = options_to_json(options)
        self._remember(remembered(options))
        if self.apply_user_options:
            await super()._run_apply_user_options(self.user_options)

    def _remember(self, options: dict[str, Any]) -> None:
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = options
