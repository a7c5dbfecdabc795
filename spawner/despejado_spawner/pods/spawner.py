"""``LabSpawner``: labs as pods, for any JupyterHub that KubeSpawner serves.

The hook points of JupyterHub and KubeSpawner. Each asks one of the plain objects of
:class:`~despejado_spawner.pods.parts.LabParts`; what happens stands there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Any

from traitlets import default

from despejado_spawner.options.hub import Answer
from despejado_spawner.pods.kubespawner.profiles.templates import Template
from despejado_spawner.pods.parts import LabParts
from despejado_spawner.pods.traits import LabTraits
from despejado_spawner.progress import POD_SCALE

_STATE = "despejado"


class LabSpawner(LabTraits):
    """A KubeSpawner whose labs start at once, fail at once and say why.

    Configuration of KubeSpawner (``c.KubeSpawner...``) counts as it is. With an image menu
    (`images` or `image_repository`) options are typed and labs get the platform's files.
    """

    # One dictionary of our own: with KubeSpawner's, a hub that has both kinds of spawner would
    # hand each the other's watches.
    reflectors: dict[Any, Any] = {}  # noqa: RUF012

    phases = tuple(POD_SCALE)
    """The phases of a start in their order, for the hub's pages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.observe(self.parts.options.note_previous, "user_options")

    @cached_property
    def parts(self) -> LabParts:
        """The objects that do the work."""
        return LabParts(self, super())

    # Life

    def start(self) -> asyncio.Future[str]:
        """Start the lab; the result is its address, once it answers.

        Raises JupyterHub's ``SpawnException`` (5.5: ``HTTPError``) with what happened and what to
        do. Whatever ends it early, cancelling included, leaves nothing.
        """
        return asyncio.ensure_future(self.parts.starter.start())

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The phases of the current start, from the first, for any number of listeners."""
        progress = self.parts.starter.progress
        if progress is not None:
            async for event in progress.listen():
                yield event.to_json()

    async def poll(self) -> int | None:
        """None while the lab runs or starts, else how it ended."""
        return await self.parts.starter.poll()

    async def stop(self, now: bool = False) -> None:
        """Delete the pod, which owns all else of the lab, and wait until it is gone."""
        self.parts.renewal.stop()
        await self.parts.monitor.stop(now=now)

    def start_polling(self) -> None:
        """Also listen to the watch, so that an end is noticed when it happens."""
        super().start_polling()
        self.parts.monitor.listen()
        self.parts.renewal.start(fresh=self.parts.starter.here)

    def stop_polling(self) -> None:
        """Also stop listening to the watch and renewing secrets."""
        super().stop_polling()
        self.parts.monitor.stop_listening()
        self.parts.renewal.stop()

    @property
    def last_end(self) -> Mapping[str, Any] | None:
        """Why the last lab is not there any more: reason, message, advice, when, bigger_size.

        None after a stop that somebody asked for, and since the next start.
        """
        return self.parts.monitor.last_end

    @property
    def trouble(self) -> str | None:
        """What is wrong with the running lab that may mend itself: its machine does not answer."""
        return self.parts.monitor.trouble if self.ready else None

    # State

    def get_state(self) -> dict[str, Any]:
        """KubeSpawner's state, and whether the lab was up, its home, and how the last one ended."""
        state: dict[str, Any] = super().get_state()
        known = self.parts.homes.known
        state[_STATE] = {
            "started": self.parts.monitor.started,
            "home": dict(known) if known else None,
        }
        if self.last_end is not None:
            state["last_end"] = self.last_end
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Also that of a stock KubeSpawner: its pods are found again and can be stopped."""
        super().load_state(state)
        own = state.get(_STATE) or {}
        self.parts.homes.known = own.get("home")
        self.parts.monitor.load(bool(own.get("started", False)), state.get("last_end"))

    def clear_state(self) -> None:
        """Forget the pod; the home that is known and the last end stay.

        JupyterHub does this after a stop and before a start.
        """
        # What the profile and groups of the last start have set was for that start.
        self.parts.overrides.undo("group", "profile")
        super().clear_state()
        self.parts.monitor.started = False
        self.parts.starter.expect()
        self.secrets = {}
        if self.orm_spawner is not None:
            # JupyterHub does this at the begin of a start, before it commits: so most starts need
            # no commit of their own, which costs a busy hub more than a request to the cluster.
            self.orm_spawner.state = self.get_state()

    # Options

    async def get_options_form(self) -> str:
        """The spawn form."""
        return await self.parts.options.form()

    def run_options_from_form(self, form_data: Mapping[str, Any]) -> Answer:
        """Options of a submitted form."""
        return self.parts.options.from_form(form_data)

    def options_from_query(self, query_data: Mapping[str, Any]) -> Answer:
        """Options of a spawn link."""
        return self.parts.options.from_link(query_data)

    async def _run_apply_user_options(self, user_options: object) -> None:
        """Check the options before any hook of the site runs.

        Overrides JupyterHub's wrapper, which would log a traceback for a refusal and warn of
        options that it does not know.
        """
        options = await self.parts.options.check(user_options)
        if self.apply_user_options:
            await super()._run_apply_user_options(options)

    async def load_user_options(self) -> None:
        """Check the choice of a profile again, as hooks may have changed it, and apply it."""
        await self.parts.options.load()

    # Profiles: names that sites call, and that KubeSpawner itself calls

    @default("options_form")
    def _options_form_default(self) -> Any:
        return self.parts.profiles.default_form()

    def _render_options_form(self, profile_list: Any) -> str:
        return self.parts.profiles.render(profile_list)

    def _options_from_form(self, formdata: Mapping[str, Any]) -> dict[str, Any]:
        return self.parts.profiles.read_form(formdata)

    def _apply_overrides(self, spawner_override: Mapping[str, Any]) -> None:
        """Apply overrides of a group."""
        for name, value in spawner_override.items():
            self.parts.overrides.apply("group", name, value(self) if callable(value) else value)

    def _expand_user_properties(self, template: str, slug_scheme: str | None = None) -> str:
        """KubeSpawner's templates; text that is none is kept (``templates.expand``)."""
        expanded: str = super()._expand_user_properties(Template(template), slug_scheme)
        return expanded
