"""The process of a lab, without starting or keeping anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from despejado_images.environments import UI_TAG, EnvironmentStore
from despejado_images.image import Image, find_image
from despejado_spawner.identity import check_identity
from despejado_spawner.models import Identity, LabFile, LabPlan, LabProcess, SpawnOptions
from despejado_spawner.options import Menu, parse_options
from despejado_spawner.processes.own_identity import enforceable
from despejado_spawner.processes.process import build_process
from despejado_spawner.slugs import folder_name

from despejado_hub.config import Platform, derive
from despejado_hub.identity import source_of
from despejado_hub.labs.interface import HIDDEN, LabPreview
from despejado_hub.runtime import Runtime

from .menu import environment_store

NOT_BUILT = "not-built-yet"


async def preview_lab(
    platform: Platform, state: Path, user: str, asked: Mapping[str, str]
) -> LabPreview:
    """The process of a lab; raises ``SpawnerError`` if none can start."""
    who = await source_of(platform, state).preview(user)
    process = build_process(plan_lab(platform, state, user, who, asked))
    document = process_document(process)
    return LabPreview([document], document, width=100)


def plan_lab(
    platform: Platform, state: Path, user: str, who: Identity, asked: Mapping[str, str]
) -> LabPlan:
    """The plan that the spawner would make; nothing is assigned, built or written.

    Ports that are chosen at start are 0, and variables that JupyterHub adds are missing.
    """
    store = environment_store(platform, state / "environments")
    port = platform.public.port
    runtime = Runtime(state=state, port=port, hub_port=0, proxy_api_port=0, tap_port=0)
    menu = lab_menu(platform, store)
    spawn_options = parse_options(asked, menu)
    identity = check_identity(enforceable(who), lowest=0)
    ui = store.ready(UI_TAG)
    folder = folder_name(user)
    prefix = platform.public.prefix
    return LabPlan(
        identity=identity,
        options=spawn_options,
        image=_image(store, spawn_options),
        size=menu.size(spawn_options.size),
        server_name="",
        base_url=f"{prefix}user/{user}/",
        hub_url=f"{prefix}hub/",
        ip="127.0.0.1",
        port=0,
        home=runtime.homes / folder,
        runtime=runtime.labs / folder / "default" / "runtime",
        server_prefix=ui.prefix if ui else _not_built(runtime, UI_TAG),
        kernel_python=_python(store, runtime, spawn_options),
        discovery=derive.discovery_document(platform, runtime),
        secrets={"token": HIDDEN},
    )


def lab_menu(platform: Platform, store: EnvironmentStore) -> Menu:
    """The menu of the spawn page, from files only."""
    return Menu.of(store.choices(), derive.lab_sizes(platform), platform.labs.default_size)


def _not_built(runtime: Runtime, tag: str) -> Path:
    return runtime.environments / "ready" / tag / NOT_BUILT


def _image(store: EnvironmentStore, options: SpawnOptions) -> Image:
    environment = store.ready(options.image)
    if environment is not None:
        return environment.image
    return replace(find_image(store.choices(), options.image), digest=NOT_BUILT)


def _python(store: EnvironmentStore, runtime: Runtime, options: SpawnOptions) -> Path:
    environment = store.ready(options.image)
    if environment is not None:
        return environment.python
    return _not_built(runtime, options.image) / "bin" / "python"


def process_document(process: LabProcess) -> dict[str, Any]:
    """A process as plain data; secrets are named and not shown."""
    return {
        "kind": "Process",
        "argv": list(process.argv),
        "cwd": str(process.cwd),
        "uid": process.uid,
        "gid": process.gid,
        "groups": list(process.groups),
        "umask": f"{process.umask:04o}",
        "environment": dict(sorted(process.environment.items())),
        "files": [_file(each, process) for each in process.files],
    }


def _file(file: LabFile, process: LabProcess) -> dict[str, Any]:
    return {
        "path": str(file.path),
        "mode": f"{file.mode:04o}",
        "owner": f"{process.uid}:{process.gid}",
        "content": HIDDEN if file.secret else file.content,
    }
