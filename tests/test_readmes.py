"""The examples of the distributions' READMEs run, and print what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from jupyterhub.app import JupyterHub
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.with_name("README.md") for path in ROOT.glob("*/pyproject.toml"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A block of Python of a page, and the text that the page shows below it as its output."""

    room: str
    code: str
    output: str | None


def examples() -> list[Example]:
    """All Python of the pages, but what says that it needs a platform."""
    found = []
    for page in PAGES:
        blocks = [*BLOCK.findall(page.read_text()), ("", "")]
        for (language, code), (next_language, text) in pairwise(blocks):
            if language == "python" and not code.startswith("# needs a platform"):
                output = text if next_language == "text" else None
                found.append(Example(page.parent.name, code, output))
    return found


PROGRAMS = [each for each in examples() if "get_config()" not in each.code]
CONFIGURATIONS = [each for each in examples() if "get_config()" in each.code]


def test_every_page_has_an_example() -> None:
    rooms = {each.room for each in examples()}
    assert {page.parent.name for page in PAGES} - rooms == {"hub"}  # its example is a command


@pytest.mark.parametrize("example", PROGRAMS, ids=lambda each: each.room)
def test_the_example_prints_what_the_page_says(example: Example, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", example.code],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if example.output is not None:
        assert done.stdout == example.output


@pytest.mark.parametrize("example", CONFIGURATIONS, ids=lambda each: each.room)
def test_the_configuration_of_a_page_is_understood(example: Example, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(example.code)
    config = PyFileConfigLoader("config.py", path=str(tmp_path)).load_config()
    if "JupyterHub" in config:
        spawner = JupyterHub(config=config).spawner_class
        assert spawner.__module__.startswith("despejado_spawner")
        assert spawner.class_traits(config=True).keys() >= config[spawner.__name__].keys()
    else:
        from despejado_lab.app import DespejadoLab

        assert DespejadoLab.class_traits(config=True).keys() >= config.DespejadoLab.keys()
