"""A lab's objects from its plan: golden files for several sites."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable

import jupyterhub
import pytest
import yaml
from despejado_spawner.pods.models import PodPlan
from despejado_spawner.pods.plan.build import build_lab
from despejado_spawner.pods.plan.home_job import home_source
from despejado_spawner.pods.plan.render import shown_objects, write_yaml

from tests.spawner.pods.example_labs import LABS, observatory

WHOLE = ("observatory", "foreign_image")


@pytest.mark.parametrize("name", WHOLE)
async def test_the_objects_of_a_lab(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"labs/{name}.yaml", rendered(await LABS[name]()))


@pytest.mark.parametrize("name", [name for name in LABS if name not in WHOLE])
async def test_how_another_lab_differs(name: str, golden: Callable[[str, str], None]) -> None:
    usual, other = rendered(await observatory()), rendered(await LABS[name]())
    lines = difflib.unified_diff(usual.splitlines(), other.splitlines(), n=2, lineterm="")
    # Without line numbers, which every change of the usual lab would move.
    shown = ["" if line.startswith("@@") else line for line in list(lines)[2:]]
    golden(f"labs/{name}.diff", "\n".join(shown).strip("\n") + "\n")


async def test_the_plan_is_not_changed() -> None:
    plan = await LABS["foreign_image"]()
    before = copy.deepcopy(plan.base)
    assert build_lab(plan) == build_lab(plan)
    assert plan.base == before


def rendered(plan: PodPlan) -> str:
    """As ``render`` writes it, without the text of the home job's script."""
    documents = list(yaml.safe_load_all(write_yaml(shown_objects(build_lab(plan)))))
    for document in documents:
        if document["kind"] == "Job":
            command = document["spec"]["template"]["spec"]["containers"][0]["command"]
            command[command.index(home_source())] = "(home_script.py)"
    # The pod says which JupyterHub made it; the files are the same for all.
    return write_yaml(documents).replace(
        f"jupyterhub-version: {jupyterhub.__version__}\n", "jupyterhub-version: 6.1.1\n"
    )
