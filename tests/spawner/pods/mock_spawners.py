"""Spawners outside a hub and a cluster: real classes, a user and a saved record made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import kubespawner.spawner
import pytest
from despejado_spawner.pods.spawner import LabSpawner
from jupyterhub import orm
from jupyterhub.utils import maybe_future
from kubespawner import KubeSpawner
from traitlets.config import Config

STOCK_AND_OURS = (KubeSpawner, LabSpawner)


def without_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let spawners be made where there is no kubeconfig."""
    monkeypatch.setattr(kubespawner.spawner, "load_config", lambda **_: None)


def make_spawner(
    spawner_class: type[Any],
    config: Config | None = None,
    *,
    user: str = "jo",
    server: str = "",
    saved: Any = None,
    groups: tuple[str, ...] = (),
    **traits: Any,
) -> Any:
    """A spawner as the hub makes it for a user's server; needs a running event loop."""
    someone = SimpleNamespace(
        name=user,
        id=17,
        url=f"/hub/user/{user}/",
        groups=[SimpleNamespace(name=group) for group in groups],
        settings={},
    )
    record = orm.Spawner(name=server, user_options=saved)  # of no database
    return spawner_class(
        config=config or Config(),
        user=someone,
        orm_spawner=record,
        user_options=dict(saved or {}),
        api_token="not-a-token",
        oauth_client_id="lab",
        _mock=True,
        **traits,
    )


async def begin_start(spawner: Any, options: dict[str, Any] | None) -> None:
    """What JupyterHub does with the options of a request, up to the spawner's ``start``."""
    if options is None:
        options = spawner.orm_spawner.user_options or {}
    else:
        spawner.orm_spawner.user_options = options
    spawner.user_options = options
    spawner.clear_state()
    await spawner.apply_group_overrides()
    await spawner._run_apply_user_options(spawner.user_options)


async def start_with(spawner: Any, options: dict[str, Any] | None) -> None:
    """The same, and what KubeSpawner does with them."""
    await begin_start(spawner, options)
    await spawner.load_user_options()


async def manifest(spawner: Any) -> dict[str, Any]:
    """The pod as the API would get it."""
    pod = await spawner.get_pod_manifest()
    found: dict[str, Any] = spawner.api.api_client.sanitize_for_serialization(pod)
    return found


def notebook(pod: dict[str, Any]) -> dict[str, Any]:
    """The lab's own container."""
    found: dict[str, Any] = next(c for c in pod["spec"]["containers"] if c["name"] == "notebook")
    return found


async def final_pod(spawner: Any) -> dict[str, Any]:
    """The pod that a start would create, after the site's hook and all of the spawner's own."""
    if isinstance(spawner, LabSpawner):
        return dict((await spawner.parts.planner.plan("start1")).pod)
    pod = await spawner.get_pod_manifest()
    if spawner.modify_pod_hook:
        pod = await maybe_future(spawner.modify_pod_hook(spawner, pod))
    found: dict[str, Any] = spawner.api.api_client.sanitize_for_serialization(pod)
    return found


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    """The lab's environment as far as it is in clear."""
    return {each["name"]: each.get("value") for each in notebook(pod)["env"]}
