"""Labs as processes or as pods: one question, one interface, and no library of the other kind."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import despejado_hub
import pytest
from despejado_hub.config import Platform, load_platform
from despejado_hub.labs import labs_of
from despejado_hub.labs.pods import pod_labs
from despejado_images.environments import uv
from despejado_images.environments.errors import EnvironmentBuildError

ROOM = Path(despejado_hub.__file__).parent
PODS = Path(__file__).parent / "data" / "platform_pods.yaml"
PROCESSES = ROOM / "platforms" / "demo.yaml"


def asked_for_the_kind(tree: ast.AST) -> Iterator[ast.AST]:
    """Every place that asks a platform which kind of labs it has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"pods", "spawner"}:
            if isinstance(node.value, ast.Attribute) and node.value.attr == "labs":
                yield node
        elif isinstance(node, ast.Name) and node.id in {"PodLabs", "ProcessLabs"}:
            yield node


def test_what_kind_labs_are_is_asked_in_one_place() -> None:
    found = {
        f"{path.relative_to(ROOM)}:{ast.unparse(node)}"
        for path in sorted(ROOM.rglob("*.py"))
        for node in asked_for_the_kind(ast.parse(path.read_text()))
        # What the section of the platform file is, whatever the kind: no decision.
        if path.relative_to(ROOM).parts[0] != "config"
    }
    assert found == {
        "labs/__init__.py:platform.labs.pods",
        "labs/__init__.py:PodLabs",
        "labs/__init__.py:ProcessLabs",
    }


IMPORTED = """
import sys
from despejado_hub.config import load_platform
from despejado_hub.labs import labs_of
from despejado_hub.labs.tokens import DataTokens
from despejado_hub.runtime import Runtime
from traitlets.config import Config
from pathlib import Path
labs = labs_of(load_platform(sys.argv[1]))
runtime = Runtime(Path("/nowhere"), 1, 2, 3, 4, **labs.places())
c = Config()
c.Spawner.environment = {}
labs.configure(c, runtime, tokens=DataTokens((), None), identity_hook=None)
labs.menu(runtime)
print(*sorted(sys.modules))
"""


def imported_by(platform: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, platform], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_a_hub_with_processes_imports_no_library_of_clusters() -> None:
    found = imported_by(PROCESSES)
    assert "despejado_spawner.processes.spawner" in found
    assert not {"kubespawner", "kubernetes_asyncio", "despejado_spawner.pods.spawner"} & found


def test_a_hub_with_pods_imports_of_the_cluster_s_models_what_it_uses() -> None:
    found = imported_by(PODS)
    models = {name for name in found if name.startswith("kubernetes_asyncio.client.models.")}
    assert 0 < len(models) < 150  # of 700


def test_a_hub_with_pods_imports_nothing_that_builds_environments() -> None:
    found = imported_by(PODS)
    assert "despejado_spawner.pods.spawner" in found
    assert not {"uv", "pip", "despejado_images.environments"} & found
    assert not {"despejado_spawner.processes.spawner", "despejado_images.containers"} & found


STARTED = """
import sys
from despejado_hub import launch
def without_a_database(*arguments):
    def adopt():
        from jupyterhub.app import JupyterHub
        JupyterHub.launch_instance = stop
    return adopt
def stop(arguments):
    from jupyterhub.app import JupyterHub
    JupyterHub.instance().parse_command_line(arguments)
    print(*sorted(sys.modules))
launch.check_once = without_a_database
launch.main(sys.argv[1:])
"""


def test_a_hub_imports_no_spawner_before_it_knows_which(tmp_path: Path) -> None:
    file = tmp_path / "hub.json"
    file.write_text(json.dumps({"runtime": {"state": str(tmp_path)}}))
    done = subprocess.run(
        [sys.executable, "-c", STARTED, file], capture_output=True, text=True, check=True
    )
    found = set(done.stdout.split())
    assert "jupyterhub.app" in found
    assert not {"kubespawner", "despejado_spawner.processes.spawner"} & found


@pytest.fixture
def demo() -> Platform:
    return load_platform(PROCESSES)


def no_uv() -> Path:
    raise EnvironmentBuildError("uv is missing")


def test_what_is_not_installed_is_said_with_the_command_that_brings_it(
    demo: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods = load_platform(PODS)
    assert labs_of(demo).missing() is None
    assert labs_of(pods).missing() is None
    monkeypatch.setattr(uv, "find_uv", no_uv)
    assert "pip install 'despejado-hub[local]'" in str(labs_of(demo).missing())
    assert labs_of(pods).missing() is None
    monkeypatch.setattr(pod_labs, "find_spec", lambda name: None)
    assert "pip install 'despejado-hub[kubernetes]'" in str(labs_of(pods).missing())
