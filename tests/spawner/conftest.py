"""Real environments and a real hub for the spawner's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from despejado_images.environments.interpreter import find_interpreter
from despejado_images.environments.uv import find_uv

from tests.spawner.local_hub import LocalHub

SOURCES = [Path(__file__).parents[2] / room for room in ("labextension", "kernels")]


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that labs under other users can pass (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="despejado-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ui_environment(open_folder: Path) -> Path:
    """JupyterLab and JupyterHub from PyPI, the launcher from the sources; no kernel."""
    prefix = _environment(open_folder / "ui", "jupyterlab>=4.4,<5", "jupyterhub>=6,<7")
    packages = next(prefix.glob("lib/python*/site-packages"))
    (packages / "sources.pth").write_text("".join(f"{source}\n" for source in SOURCES))
    return prefix


@pytest.fixture(scope="session")
def kernel_environment(open_folder: Path) -> Path:
    """A kernel and nothing else."""
    return _environment(open_folder / "kernel", "ipykernel>=6.29")


@pytest.fixture
def make_hub(
    open_folder: Path, ui_environment: Path, kernel_environment: Path
) -> Iterator[Callable[..., LocalHub]]:
    """Start hubs with given spawner traits; all of them and their labs are ended afterwards."""
    made: list[LocalHub] = []

    def make(ui: Path = ui_environment, **spawner: Any) -> LocalHub:
        folder = Path(tempfile.mkdtemp(prefix="hub-", dir=open_folder))
        folder.chmod(0o755)
        hub = LocalHub(folder, ui, kernel_environment, {"spawner": spawner})
        made.append(hub)
        hub.start()
        return hub

    yield make
    for hub in made:
        hub.stop()


def _environment(prefix: Path, *requirements: str) -> Path:
    uv = find_uv()
    python = find_interpreter(for_others=os.geteuid() == 0).path
    commands: list[list[str | Path]] = [
        [uv, "venv", "--python", python, prefix],
        [uv, "pip", "install", "--python", prefix / "bin" / "python", "--compile-bytecode"],
    ]
    commands[1] += requirements
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return prefix
