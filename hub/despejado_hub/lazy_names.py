"""Packages whose names are imported when somebody asks for them, and not all at once.

The client of Kubernetes imports one module for each of its 700 models and 70 APIs: a third of the
time that a hub on a cluster needs to import, and 40 MB, for the 80 that it uses. The packages stay
what they are, with every name; only the statements ``from package.module import Name`` of their
``__init__`` are kept for later (PEP 562).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType
from typing import Any

KUBERNETES = tuple(f"kubernetes_asyncio.client{part}" for part in ("", ".api", ".models"))


def import_names_later(packages: Sequence[str] = KUBERNETES) -> None:
    """Have ``packages`` import their names one by one, where they are not imported yet."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(packages))


class _Finder(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        tree = ast.parse(self.get_data(self.path), self.path)
        names: dict[str, tuple[str, str]] = {}
        now: list[ast.stmt] = []
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and _is_inside(self.name, statement):
                source = str(statement.module)
                names |= {each.asname or each.name: (source, each.name) for each in statement.names}
            else:
                now.append(statement)
        tree.body = now
        module.__dict__.update(_later(module, names))
        exec(compile(tree, self.path, "exec"), module.__dict__)  # noqa: S102 (as its loader does)


def _is_inside(package: str, statement: ast.ImportFrom) -> bool:
    inside = statement.level == 0 and str(statement.module).startswith(f"{package}.")
    return inside and all(each.name != "*" for each in statement.names)


def _later(module: ModuleType, names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """``__getattr__`` and ``__dir__`` of a package that has these names (module and name)."""
    package = module.__name__

    def get(name: str) -> Any:
        if name in names:
            source, original = names[name]
            value = getattr(import_module(source), original)
        elif not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            # The import of a name makes its module an attribute as well.
            value = import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(module, name, value)
        return value

    modules = {source.removeprefix(f"{package}.").partition(".")[0] for source, _ in names.values()}

    def list_names() -> list[str]:
        return sorted({*vars(module), *names, *modules})

    return {"__getattr__": get, "__dir__": list_names}
