"""The house rules that a machine can check: who imports whom, one version, small files."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
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


# Modules and classes of the product


@dataclass(frozen=True)
class Module:
    """One module: ``imports`` are names in it and what they were imported from."""

    name: str
    path: Path
    tree: ast.Module
    imports: Mapping[str, tuple[str, str]]

    @property
    def package(self) -> str:
        """What a relative import is relative to."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def parsed(root: Path, path: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    tree = ast.parse(path.read_text())
    module = Module(name, path, tree, {})
    names = {
        alias.asname or alias.name: (absolute(module, node), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return Module(name, path, tree, names)


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module that ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    above = module.package.split(".")
    above = above[: len(above) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


@cache
def modules() -> dict[str, Module]:
    found = (
        parsed((ROOT / room).parent, path)
        for room in MAY_IMPORT
        for path in sorted((ROOT / room).rglob("*.py"))
        if "lean_site" not in path.parts  # runs inside labs, under a name of Python's own
    )
    return {module.name: module for module in found}


def targets(module: Module, nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The modules of ours that import statements name, wherever they stand."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in modules():
                    yield inner
                elif base in modules():
                    yield base


def test_no_modules_import_each_other() -> None:
    """Also through others, inside functions, and for types only.

    What a module imports of the packages that it stands in is no circle.
    """
    edges = {
        module.name: {
            each
            for each in targets(module, ast.walk(module.tree))
            if each != module.name and not module.name.startswith(f"{each}.")
        }
        for module in modules().values()
    }
    assert circle(edges) is None
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "a"]


def circle(edges: Mapping[str, set[str]]) -> list[str] | None:
    """A way through the imports that comes back to where it began."""
    over: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str] | None:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in over:
            return None
        for each in sorted(edges.get(name, ())):
            found = follow(each, [*way, name])
            if found is not None:
                return found
        over.add(name)
        return None

    return next((found for name in sorted(edges) if (found := follow(name, []))), None)


MOST_MEMBERS = 40


def test_no_class_has_more_than_40_members_of_its_own() -> None:
    """Public and protected ones, counted from the source over all bases of ours.

    A member is a name that a class body defines (method, property, attribute, field, trait) or
    that a method sets on ``self``; dunder names are none. What a base from elsewhere has as well
    (a hook that is filled in, a trait with another default) is that base's member, not one more.
    Protocols say what somebody else has; they are not counted where a class inherits them.
    """
    counted = {
        f"{module.name}.{node.name}": len(own_members(module, node))
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    assert len(counted) > 200
    pods = "despejado_spawner.pods"
    assert counted[f"{pods}.spawner.LabSpawner"] > counted[f"{pods}.traits.LabTraits"] > 25
    assert {name: number for name, number in counted.items() if number > MOST_MEMBERS} == {}


def own_members(module: Module, node: ast.ClassDef) -> set[str]:
    found, foreign = set(), set()
    for each in lineage(module, node):
        if isinstance(each, ast.ClassDef):
            found |= defined(each)
        else:
            foreign |= set(dir(each))
    return {name for name in found - foreign if not name.startswith("__")}


def lineage(module: Module, node: ast.ClassDef) -> Iterator[ast.ClassDef | type]:
    """The class, its bases of ours as source, and the first of others as they are."""
    yield node
    for base in node.bases:
        if isinstance(base, ast.Subscript):
            base = base.value  # noqa: PLW2901
        local = ast.unparse(base)
        where, name = module.imports.get(local, (module.name, local))
        owner = modules().get(where)
        if owner is None:
            found = getattr(import_module(where), name)
            if isinstance(found, type):
                yield found
            continue
        for each in owner.tree.body:
            if isinstance(each, ast.ClassDef) and each.name == name:
                yield from lineage(owner, each)


def defined(node: ast.ClassDef) -> set[str]:
    names: set[str] = set()
    for each in node.body:
        match each:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names |= {name} | set(attributes_set(each))
            case ast.Assign(targets=[*found]):
                names |= {target.id for target in found if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def attributes_set(method: ast.AST) -> Iterator[str]:
    for node in ast.walk(method):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def test_there_is_one_version_number() -> None:
    found = {
        str(path.relative_to(ROOT)): tomllib.loads(path.read_text())["project"]["version"]
        for path in [ROOT / "pyproject.toml", *ROOT.glob("*/pyproject.toml")]
    }
    package = ROOT / "labextension" / "package.json"
    found["labextension/package.json"] = json.loads(package.read_text())["version"]
    assert len(found) == 9
    assert len(set(found.values())) == 1, found


def test_a_release_sets_the_version_in_every_place_that_says_it() -> None:
    bumped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["tbump"]
    version = bumped["version"]["current"]
    lines = {(place["src"], place["search"]) for place in bumped["file"]}
    for path in ROOT.glob("*/pyproject.toml"):
        room, text = str(path.relative_to(ROOT)), path.read_text()
        assert f'version = "{version}"' in text, room
        assert (room, 'version = "{current_version}"') in lines
        if f"=={version}" in text:
            assert (room, '=={current_version}"') in lines
    for name, search in lines:
        assert search.format(current_version=version) in (ROOT / name).read_text(), name


def test_our_distributions_require_exactly_each_other() -> None:
    """They are tested and released together; an upgrade of one never keeps another back."""
    for path in ROOT.glob("*/pyproject.toml"):
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        wanted = [*project.get("dependencies", []), *(line for extra in extras for line in extra)]
        ours = [line for line in wanted if line.startswith("despejado")]
        loose = [
            line
            for line in ours
            if not line.startswith(project["name"] + "[")
            and not line.endswith(f"=={project['version']}")
        ]
        assert loose == [], path


def test_every_distribution_brings_the_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    for path in ROOT.glob("*/pyproject.toml"):
        assert (path.parent / "LICENSE").read_text() == text


def test_distributions_say_who_they_are_for_and_where_they_come_from() -> None:
    for path in ROOT.glob("*/pyproject.toml"):
        project = tomllib.loads(path.read_text())["project"]
        assert {"Documentation", "Source", "Issues", "Changelog"} <= set(project["urls"])
        assert len(project["keywords"]) >= 4
        assert "Programming Language :: Python :: 3.14" in project["classifiers"]
        assert not [line for line in project["classifiers"] if line.startswith("License")]
        assert len((path.parent / "README.md").read_text().splitlines()) > 15, path


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
    dead = []
    for page in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            made = re.fullmatch(r"api/(\w+)/\1\.rst", target)  # by the docs' own build
            if made is not None and made[1] in OURS:
                continue
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


# dead code

UNREFERENCED = {
    "_jupyter_labextension_paths": "JupyterLab calls it",
    "_jupyter_server_extension_points": "Jupyter Server calls it",
}
"""What nothing in the product refers to by name, and why it is there all the same."""


def definitions(room: str) -> Iterator[tuple[str, str]]:
    """Top-level functions and classes of a room but for Python's own hooks: file and name."""
    for path in tracked(f"{room}/*.py"):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("__"):
                yield str(path.relative_to(ROOT)), node.name


def spoken(node: ast.AST) -> Iterator[str]:
    """Names that a node refers to, also as ``package.module.Name`` or ``module:name`` in a text."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.Constant):
        text = str(node.value)
        if re.fullmatch(r"[\w.]*[.:]\w+", text):
            yield re.split("[.:]", text)[-1]


def passed_on(top: ast.stmt, path: Path) -> bool:
    """Whether a statement only offers names again, which is no use of them."""
    return path.name == "__init__.py" and isinstance(top, ast.ImportFrom)


@functools.cache
def references() -> set[str]:
    """All names that the product refers to; a function's calls of itself do not count."""
    found: set[str] = set()
    for path in tracked("*.py"):
        if path.relative_to(ROOT).parts[0] in ("tests", "findings"):
            continue
        for top in ast.parse(path.read_text()).body:
            if not passed_on(top, path):
                own = getattr(top, "name", "")
                found |= {name for node in ast.walk(top) for name in spoken(node) if name != own}
    points = [
        value.rpartition(":")[2]
        for path in ROOT.glob("*/pyproject.toml")
        for project in [tomllib.loads(path.read_text())["project"]]
        for group in [project.get("scripts", {}), *project.get("entry-points", {}).values()]
        for value in group.values()
    ]
    return found | set(points)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_nothing_is_there_for_the_tests_alone(room: str) -> None:
    used = references() | UNREFERENCED.keys()
    assert [f"{file}: {name}" for file, name in definitions(room) if name not in used] == []
