"""The house rules that a machine can check: who imports whom, one version, small files."""

from __future__ import annotations

import ast
import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT: dict[str, set[str]] = {
    "images/despejado_images": set(),
    "spawner/despejado_spawner": {"despejado_images"},
    "hub/despejado_hub": {"despejado_spawner", "despejado_images"},
    "services/despejado_services": set(),
    "kernels/despejado": set(),
    "labextension/despejado_lab": {"despejado"},
    "notebooks/despejado_tutorials": set(),
}
OURS = {path.rpartition("/")[2] for path in MAY_IMPORT}


def imported(path: Path) -> Iterator[str]:
    """Top names of every absolute import in a module, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    own = room.rpartition("/")[2]
    allowed = MAY_IMPORT[room] | {own}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / room).rglob("*.py")
        for name in imported(path)
        if name in OURS - allowed
    ]
    assert wrong == []


def test_there_is_one_version_number() -> None:
    found = {
        str(path.relative_to(ROOT)): tomllib.loads(path.read_text())["project"]["version"]
        for path in [ROOT / "pyproject.toml", *ROOT.glob("*/pyproject.toml")]
    }
    package = ROOT / "labextension" / "package.json"
    found["labextension/package.json"] = json.loads(package.read_text())["version"]
    assert len(found) == 9
    assert len(set(found.values())) == 1, found


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.splitlines()]


def test_source_files_have_one_subject_and_under_500_lines() -> None:
    sources = [path for path in tracked("*.py", "*.ts", "*.tsx") if "tests" not in path.parts]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if (lines := len(path.read_text().splitlines())) > 500
    }
    assert len(sources) > 150
    assert long == {}


def test_relative_links_of_the_documents_lead_somewhere() -> None:
    import re

    dead = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{page.name}: {target}")
    assert dead == []
