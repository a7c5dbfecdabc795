"""The table of KubeSpawner's and JupyterHub's private names, against our code and theirs."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import despejado_spawner
import jupyterhub.spawner
import kubespawner.spawner
import pytest
from despejado_spawner.pods.kubespawner.inherited import INHERITED, Inherited
from jupyterhub.spawner import Spawner
from kubespawner import KubeSpawner

SOURCES = sorted(Path(despejado_spawner.__file__).parent.rglob("*.py"))
MODULES = {"JupyterHub": jupyterhub.spawner, "KubeSpawner": kubespawner.spawner}
CLASSES = {"JupyterHub": Spawner, "KubeSpawner": KubeSpawner}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node


@cache
def theirs(owners: tuple[str, ...] = ("JupyterHub", "KubeSpawner")) -> frozenset[str]:
    """All private names of a spawner: of its class, and those that its methods set."""
    modules = "".join(inspect.getsource(MODULES[owner]) for owner in owners)
    found = set(re.findall(r"\bself\.(_[a-z]\w*)", modules))
    named = found | set(dir(CLASSES[owners[-1]]))
    return frozenset(each for each in named if is_private(each))


def our_classes() -> Iterator[ast.ClassDef]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield node


def is_spawner(node: ast.ClassDef) -> bool:
    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return bool(bases & {"Spawner", "KubeSpawner", "LabTraits"})


def members(node: ast.ClassDef) -> set[str]:
    """What a class defines, and what its methods set of themselves."""
    found = {each.name for each in node.body if isinstance(each, FUNCTIONS)}
    for each in node.body:
        targets = each.targets if isinstance(each, ast.Assign) else []
        targets = [each.target] if isinstance(each, ast.AnnAssign) else targets
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    for attribute in attributes(node):
        own = isinstance(attribute.value, ast.Name) and attribute.value.id == "self"
        if own and isinstance(attribute.ctx, ast.Store):
            found.add(attribute.attr)
    return found


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def overridden() -> set[str]:
    """Private names of theirs that our spawners define."""
    found: set[str] = set()
    for node in filter(is_spawner, our_classes()):
        of_hub = any(isinstance(base, ast.Name) and base.id == "Spawner" for base in node.bases)
        found |= members(node) & (theirs(("JupyterHub",)) if of_hub else theirs())
    return found


def reached_for() -> set[str]:
    """Private names of theirs on another object than our own plain ones: ``spawner._x``,
    ``super()._x``, ``self._spawner._x``, and ``self._x`` in a spawner that does not define it."""
    found: set[str] = set()
    for node in our_classes():
        own = members(node)
        for each in attributes(node):
            of_self = isinstance(each.value, ast.Name) and each.value.id in ("self", "cls")
            if not of_self or (is_spawner(node) and each.attr not in own):
                found.add(each.attr)
    return found & theirs()


def test_the_code_uses_just_what_is_in_the_table() -> None:
    assert len({each.name for each in INHERITED}) == len(INHERITED)
    named = {each.name for each in INHERITED}
    assert named == overridden() | reached_for()
    assert {each.name for each in INHERITED if each.use == "overridden"} == overridden()


@pytest.mark.parametrize("inherited", INHERITED, ids=lambda each: each.name)
def test_the_installed_releases_have_each_name(inherited: Inherited) -> None:
    source = inspect.getsource(MODULES[inherited.owner])
    set_there = re.search(rf"\bself\.{inherited.name} = ", source)
    assert inherited.name in vars(CLASSES[inherited.owner]) or set_there
    assert inherited.why.endswith(".")


def test_a_name_that_is_gone_or_new_would_be_seen() -> None:
    """The walk sees what it is to see."""
    assert {"_run_apply_user_options", "_expand_all", "_spawn_pending"} <= reached_for()
    assert "_get_pod_port" in theirs() - reached_for()
    source = "class A(LabTraits):\n def f(self): return self._get_pod_port(1)"
    (node,) = (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ClassDef))
    assert is_spawner(node) and members(node) == {"f"}
