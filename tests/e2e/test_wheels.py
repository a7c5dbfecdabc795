"""Wheels, installed into an empty environment away from the source tree, bring up the same demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.demo import HubUser, running_demo, shared_folder, wait_for

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The `despejado` command of an environment that knows only the wheels and PyPI."""
    folder = tmp_path_factory.mktemp("wheels")
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    if not Path(uv).exists():
        uv = str(Path(sys.executable).parent / "uv")
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [uv, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]

    run("build", "--wheel", "--all-packages", "--directory", str(ROOT), "-o", str(folder / "dist"))
    run("venv", "--python", sys.executable, str(folder / "venv"))
    wheels = sorted(str(path) for path in (folder / "dist").glob("*.whl"))
    assert len(wheels) == 7, wheels
    python = str(folder / "venv" / "bin" / "python")
    # With the extra that labs as processes need; ours come from the folder, which is asked first.
    found = ["--find-links", str(folder / "dist")]
    run("pip", "install", "--python", python, *found, "despejado-hub[demo]")
    listed = subprocess.run(
        [python, "-c", "import despejado_hub; print(despejado_hub.__file__)"],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(folder) in listed
    return [str(folder / "venv" / "bin" / "despejado")]


def test_wheels_alone_bring_up_the_demo(command: list[str], output: Path) -> None:
    with shared_folder() as state, running_demo(command, state, output / "wheels") as demo:
        user = HubUser(demo, "wanda")
        answer = user.api("POST", "/users/wanda/server", json={"image": "plain", "size": "small"})
        assert answer.status_code in (201, 202), answer.text

        def running() -> bool:
            servers = user.api("GET", "/users/wanda").json()["servers"]
            assert servers, (state / "logs" / "hub.log").read_text()[-2000:]
            return bool(servers[""]["ready"])

        wait_for(running, demo.process, demo.log, seconds=180)
        for process in demo.ready["processes"].values():
            text = Path(f"/proc/{process}/cmdline").read_bytes().decode()
            assert str(ROOT) not in text


def test_wheels_bring_what_images_are_built_from(command: list[str]) -> None:
    program = (
        "from despejado_images.containers.sources import find_sources, revision\n"
        "print(find_sources(None), revision(find_sources(None)))"
    )
    python = Path(command[0]).with_name("python")
    said = subprocess.run(
        [python, "-c", program], cwd="/", capture_output=True, text=True, check=True
    ).stdout.split()
    folder = Path(said[0])
    assert ROOT not in folder.parents and said[1] == "None"

    def files(top: Path) -> dict[str, bytes]:
        found = (path for path in top.rglob("*") if path.is_file() and path.suffix != ".pyc")
        named = {str(path.relative_to(top)): path.read_bytes() for path in found}
        # What makes the distribution itself lies beside them in the source tree.
        own = ("despejado_images/", "LICENSE", "README.md", "pyproject.toml")
        return {name: text for name, text in named.items() if not name.startswith(own)}

    assert files(folder) == files(ROOT / "images")
