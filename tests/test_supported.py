"""What the page about supported versions says is what the distributions declare and CI runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.cluster.harness.programs import KUBERNETES
from tests.compat.hubs import HUBS

ROOT = Path(__file__).parents[1]
ROWS = {
    cells[0].strip(): cells[1:]
    for line in (ROOT / "docs" / "supported.md").read_text().splitlines()
    if line.startswith("| ") and len(cells := line.strip("| ").split(" | ")) == 3
}


def project(room: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / room / "pyproject.toml").read_text())["project"]
    return table


def range_of(room: str, name: str) -> SpecifierSet:
    """The versions of a requirement of one of our distributions, in whichever extra it stands."""
    table = project(room)
    extras = table.get("optional-dependencies", {}).values()
    lines = [*table["dependencies"], *(line for extra in extras for line in extra)]
    return next(each.specifier for each in map(Requirement, lines) if each.name == name)


def test_pythons_of_the_page_are_declared_and_in_the_workflow() -> None:
    first, last = re.findall(r"3\.(\d+)", ROWS["Python"][0])
    pythons = [f"3.{minor}" for minor in range(int(first), int(last) + 1)]
    prefix = "Programming Language :: Python :: 3."
    for path in ROOT.glob("*/pyproject.toml"):
        table = project(path.parent.name)
        assert table["requires-python"] == f">=3.{first}"
        declared = [name for name in table["classifiers"] if name.startswith(prefix)]
        assert [name.rpartition(" ")[2] for name in declared] == pythons
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["jobs"]["unit"]["strategy"]["matrix"]["python"] == pythons


def test_the_oldest_and_newest_hub_of_the_page_are_those_that_are_tried() -> None:
    assert set(re.findall(r"(?<!\.)\b\d\.\d\b(?!\.)", ROWS["JupyterHub"][0])) == set(HUBS)
    for room in ("spawner", "labextension"):
        allowed = range_of(room, "jupyterhub")
        assert not allowed.contains("5.5.2")
        assert all(allowed.contains(f"{hub}.4") for hub in HUBS)


def test_other_versions_of_the_page_are_in_the_declared_ranges() -> None:
    assert range_of("spawner", "jupyterhub-kubespawner").contains(f"{ROWS['KubeSpawner'][0]}.0")
    lab = range_of("labextension", "jupyterlab")
    assert lab.contains("4.4.0")
    assert not lab.contains("4.3.9")
    assert KUBERNETES in ROWS["Kubernetes"][1]
