"""``despejado render lab``: what a lab is made of, without starting or keeping anything."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from despejado_images.environments import UI_TAG, EnvironmentStore
from despejado_images.image import Image, find_image
from despejado_spawner.identity import check_identity
from despejado_spawner.models import LabFile, LabPlan, LabProcess, SpawnOptions
from despejado_spawner.options import Menu, parse_options
from despejado_spawner.pods.plan.render import write_yaml
from despejado_spawner.processes.own_identity import enforceable
from despejado_spawner.processes.process import build_process
from despejado_spawner.slugs import folder_name

from despejado_hub.config import Platform, derive
from despejado_hub.identity import EmbeddedRegistry
from despejado_hub.runtime import Runtime, state_folder

from .output import load, say, say_json, told

NOT_BUILT = "not-built-yet"
HIDDEN = "(a secret, not shown)"


@told
def main(options: argparse.Namespace) -> int:
    """Print the objects or the process of a lab for a user, an image and a size."""
    platform = load(options)
    state = state_folder(platform, options.state)
    asked = {"image": options.image, "size": options.size}
    asked = {name: value for name, value in asked.items() if value}
    if platform.labs.pods is not None:
        from .render_pods import print_lab

        return print_lab(platform, state, options.user, asked, as_json=options.json)
    document = process_document(build_process(plan_lab(platform, state, options.user, asked)))
    if options.json:
        say_json(document)
    else:
        say(write_yaml([document], width=100))
    return 0


def plan_lab(platform: Platform, state: Path, user: str, asked: dict[str, str]) -> LabPlan:
    """The plan that the spawner would make; nothing is assigned, built or written.

    Ports that are chosen at start are 0, and variables that JupyterHub adds are missing.
    """
    store = EnvironmentStore(state / "environments", derive.menu_policy(platform))
    port = platform.public.port
    runtime = Runtime(state=state, port=port, hub_port=0, proxy_api_port=0, tap_port=0)
    menu = lab_menu(platform, store)
    spawn_options = parse_options(asked, menu)
    registry = EmbeddedRegistry(runtime.identities, platform.identity)
    identity = check_identity(enforceable(registry.preview(user)), lowest=0)
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
