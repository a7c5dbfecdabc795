"""The interface for labs that are processes; each method imports what it needs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from despejado_hub.config import derive
from despejado_hub.labs.interface import (
    Check,
    Explanation,
    ImageListing,
    LabPreview,
    Labs,
    Menu,
    Missing,
    Say,
)
from despejado_hub.labs.tokens import DataTokens
from despejado_hub.runtime import Runtime

MENU_PATH = "despejado/menu"


class ProcessLabs(Labs):
    """Labs of ``labs.spawner: local``."""

    @property
    def token_lifetime(self) -> int | None:
        """Seconds that a lab may run, and an hour; None where none is ended for its age."""
        oldest = self.platform.hub.idle.max_age
        # A lab that is ended for its age has a token until then, and an hour for the ending.
        return None if oldest is None else int(oldest) + 3600

    def missing(self) -> Missing | None:
        """uv, if it is not installed."""
        from despejado_images.environments.errors import EnvironmentBuildError
        from despejado_images.environments.uv import find_uv

        try:
            find_uv()
        except EnvironmentBuildError:
            return Missing(
                "labs.spawner is local, and uv, which builds the software of such labs, is not "
                "installed",
                "pip install 'despejado-hub[local]'",
            )
        return None

    def configure(
        self,
        c: Any,
        runtime: Runtime,
        *,
        tokens: DataTokens,
        identity_hook: Callable[[Any], Any],
    ) -> None:
        """Have labs started by `LocalLabSpawner`; also see `Labs.configure`."""
        from despejado_spawner.processes.spawner import LocalLabSpawner

        c.JupyterHub.spawner_class = LocalLabSpawner
        lab = c.LocalLabSpawner
        lab.state_dir = os.fspath(runtime.state)
        lab.environment_policy = dataclasses.asdict(derive.menu_policy(self.platform))
        lab.sizes = derive.spawner_sizes(self.platform)
        lab.default_size = self.platform.labs.default_size
        lab.discovery = derive.discovery_document(self.platform, runtime)
        lab.menu_path = MENU_PATH
        lab.identity_hook = identity_hook

    def menu(self, runtime: Runtime) -> Menu | None:
        """The menu from the environments of this machine; each call reads it anew."""
        from .menu import environment_store, menu_document

        return partial(menu_document, environment_store(self.platform, runtime.environments))

    async def make_ready(self, state: Path, say: Say) -> None:
        """Build the environments, then the sample repository; see `Labs.make_ready`."""
        from .builds import make_ready

        await make_ready(self.platform, state, say)

    async def preview(self, state: Path, user: str, asked: Mapping[str, str]) -> LabPreview:
        """The process of the lab, its files and variables; see `Labs.preview`."""
        from .preview import preview_lab

        return await preview_lab(self.platform, state, user, asked)

    async def explain(self, state: Path, user: str) -> list[Explanation]:
        """See `Labs.explain`."""
        from .explain import explain

        return await explain(self.platform, state, user)

    async def images(self, state: Path, *, refresh: bool) -> ImageListing:
        """The environments; the index is asked for new ones with ``refresh``."""
        from .images import list_environments
        from .menu import environment_store

        store = environment_store(self.platform, state / "environments")
        return await list_environments(store, refresh=refresh)

    def checks(self, state: Path, port: int) -> dict[str, Check]:
        """What of users, sizes and images this machine can have."""
        from .checks import check_labs

        return {"labs": partial(check_labs, self.platform, state)}
