"""The objects of a lab before anybody starts it: what ``despejado render lab`` shows.

They come from the very class that starts labs, with a user and a hub that only have names; so the
site's configuration counts, whatever of KubeSpawner's it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from jupyterhub import orm
from kubernetes_asyncio.config import ConfigException
from traitlets.config import Config

from despejado_spawner.errors import LabFailed
from despejado_spawner.options import options_to_json, parse_options
from despejado_spawner.pods.inquiry import without_warnings
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.plan.render import shown_objects
from despejado_spawner.pods.spawner import LabSpawner

NO_START = "00000000"
"""In place of a start's own random id."""
_SERVER = {"proto": "http", "ip": "", "port": 0, "cookie_name": ""}


@dataclass(frozen=True)
class Preview:
    """The objects of a lab, in the order of their creation, and what one should know of them."""

    pod: Manifest
    dependents: tuple[Manifest, ...] = field(repr=False)
    home_job: Manifest | None
    warnings: tuple[str, ...]

    @property
    def documents(self) -> tuple[Manifest, ...]:
        """All of them; secrets are as ``shown_objects`` hides them."""
        return shown_objects(self)


async def preview_lab(
    config: Config,
    user: str,
    asked: Mapping[str, Any],
    *,
    base_url: str,
    hub_api_url: str,
    secrets: Mapping[str, str],
) -> Preview:
    """The lab that ``user`` would get with the options ``asked``; creates nothing.

    ``config`` is that of the hub. What is chosen at a start (ids, tokens) is a placeholder. The
    image menu is asked for if it is not known yet.

    Raises
    ------
    SpawnerError
        For options, an identity or settings with which no lab can start.
    """
    spawner = _spawner(config, user, base_url, hub_api_url)
    spawner.secrets = dict(secrets)
    spawner.user_options = dict(asked)
    menu = spawner.parts.menu
    if menu is None:
        raise LabFailed("invalid", "The site has no image menu, so its labs cannot be shown.")
    await menu.first_look()
    spawner.user_options = options_to_json(parse_options(asked, await menu.menu()))
    planned = await spawner.parts.planner.plan(NO_START)
    return Preview(planned.pod, planned.dependents, planned.home_job, planned.warnings)


def _spawner(config: Config, user: str, base_url: str, hub_api_url: str) -> LabSpawner:
    record = orm.Spawner(
        name="", server=orm.Server(**{**_SERVER, "base_url": f"{base_url}user/{user}/"})
    )
    someone = SimpleNamespace(
        name=user, id=0, url=f"{base_url}hub/user/{user}/", groups=[], settings={}
    )
    hub = SimpleNamespace(
        base_url=f"{base_url}hub/",
        api_url=hub_api_url,
        public_host="",
        url=f"{urlsplit(hub_api_url).scheme}://{urlsplit(hub_api_url).netloc}{base_url}hub/",
    )
    return _Unstarted(
        config=config,
        user=someone,
        hub=hub,
        orm_spawner=record,
        api_token="",
        oauth_client_id=f"jupyterhub-user-{user}",
    )


class _Unstarted(LabSpawner):
    """A spawner that never starts anything, and so needs no cluster."""

    def __init__(self, **values: Any) -> None:
        without_warnings()
        try:
            super().__init__(**values)
        except ConfigException:
            # The last thing that KubeSpawner does is to read a kubeconfig, and there is none here.
            return
