"""Command lines of the three engines."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from despejado_images.containers.arguments import (
    build_arguments,
    create_arguments,
    list_arguments,
    pull_arguments,
    push_arguments,
    run_arguments,
)
from despejado_images.containers.engine import ENGINES
from despejado_images.containers.models import EngineName, RunStep, Target
from despejado_images.containers.steps import base_step, last_step

from tests.images.builds import environment, texts

CONTEXT = Path("/state/images/building/w_2026_43/context")
SECRETS = {"network": Path("/state/network"), "certificates": Path("/state/certificates")}
TARGET = Target("lab", "w_2026_43", "despejado/lab", "lab")
RUN = RunStep(
    "localhost/despejado/lab:w_2026_43",
    ("/opt/despejado/ui/bin/python", "/mnt/smoke/smoke.py", '["astropy"]'),
    "54321:54322",
    {Path("/state/smoke"): "/mnt/smoke"},
)


@pytest.mark.parametrize("engine", ENGINES)
def test_commands(engine: EngineName, golden: Callable[[str, str], None]) -> None:
    labels = {"org.opencontainers.image.title": "Weekly 2026_43", "dev.despejado.tag": "w_2026_43"}
    step = last_step(texts(), TARGET, base_step(texts(), "debian-1"), environment(), labels)
    # The keys of the chain are another test's; here they would change with every source file.
    step = replace(step, parent="localhost/despejado/lab-ui:0123456789ab", labels=labels)
    remote = "registry.example.org/despejado/lab:w_2026_43"
    commands = {
        "build": build_arguments(engine, step, CONTEXT, SECRETS),
        "create": create_arguments(RUN.reference, "smoke") if engine == "buildah" else [],
        "run": run_arguments(engine, RUN, "smoke"),
        "push": push_arguments(engine, step.reference, remote, Path("/tmp/digest")),
        "pull": pull_arguments(engine, remote),
        "list": list_arguments(engine, "localhost/despejado/lab-ui"),
    }
    lines = [f"# {name}\n{shlex.join(command)}\n" for name, command in commands.items()]
    golden(f"{engine}.txt", "".join(lines))


@pytest.mark.parametrize("engine", ENGINES)
def test_secrets_of_the_network_are_named_by_file_only(engine: EngineName) -> None:
    step = base_step(texts(), "debian-1")
    arguments = build_arguments(engine, step, CONTEXT, SECRETS)
    assert [one for one in arguments if "/state/network" in one] == [
        "id=network,src=/state/network"
    ]
    assert not [one for one in arguments if one.startswith(("BASE=", "--env")) and "state" in one]


@pytest.mark.parametrize("engine", ["buildah", "podman"])
def test_tls_is_left_out_on_loopback_only(engine: EngineName) -> None:
    far = push_arguments(engine, "a", "registry.example.org/a:1", Path("d"))
    near = push_arguments(engine, "a", "127.0.0.1:5000/a:1", Path("d"))
    assert "--tls-verify=false" not in far
    assert "--tls-verify=false" in near
    assert "--tls-verify=false" not in pull_arguments(engine, "registry.example.org/a:1")
