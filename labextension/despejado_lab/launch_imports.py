"""Importing JupyterHub's single-user server without the hub.

``jupyterhub.singleuser`` needs three small things of modules that pull in the whole hub (its page
handlers, ORM, SQLAlchemy and Alembic): a class to compare request handlers with, an exception
class that only the hub's database raises, and a function on scopes that touches the database only
when it is given one. While the server is imported, stand-ins are in place of those modules. They
define exactly these names; whatever else is asked of one later, it loads the real module and
answers from there, so nothing behaves differently. Authentication, scopes and XSRF are JupyterHub's
own code, unchanged.

The stand-ins are used only with the JupyterHub series they were checked with
(``tests/spawner/test_launch_imports.py``); with any other the import is the ordinary one.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

CHECKED_SERIES = ("5.5", "6.0", "6.1")
"""JupyterHub series whose single-user server the stand-ins were checked with."""

_SLOW_AND_OPTIONAL = ("rfc3987", "rfc3987_syntax")
"""jsonschema asks for these to check ``iri`` formats, which no schema of the server uses, and goes
on without them. Importing the second builds a grammar, which takes longer than all the rest."""


class _NoDatabaseError(Exception):
    """In place of ``sqlalchemy.exc.SQLAlchemyError``: nothing here has a database to raise it."""


class _NoHealthCheck:
    """In place of the hub's health check handler, to be compared with; no such handler is here."""


class Deferred(ModuleType):
    """A module that defines given names and loads the real one for any other."""

    def __init__(self, name: str, **names: object) -> None:
        super().__init__(name)
        self.__dict__.update(names)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def series(version: str) -> str:
    """``6.1`` of ``6.1.1``."""
    return ".".join(version.split(".")[:2])


@contextmanager
def lean_imports(hub_version: str) -> Iterator[bool]:
    """Within this context JupyterHub's single-user server imports quickly.

    Yields whether the stand-ins are used. At the end every stand-in is out of ``sys.modules`` and
    of its package, so that later imports get the real modules.
    """
    lean = series(hub_version) in CHECKED_SERIES and "jupyterhub.orm" not in sys.modules
    placed: dict[str, ModuleType | None] = dict.fromkeys(
        name for name in _SLOW_AND_OPTIONAL if name not in sys.modules
    )
    if lean:
        placed |= {
            module.__name__: module for module in _stand_ins() if module.__name__ not in sys.modules
        }
    path = os.environ.get("PATH")
    # None in sys.modules makes an import fail at once (importlib's documentation).
    sys.modules.update(cast(dict[str, ModuleType], placed))
    # JupyterLab runs node at import if it finds one, to ask what nobody here wants to know.
    os.environ["PATH"] = ""
    try:
        _attach(placed)
        yield lean
    finally:
        if path is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = path
        _detach(placed)


def _stand_ins() -> tuple[Deferred, ...]:
    errors = Deferred("sqlalchemy.exc", SQLAlchemyError=_NoDatabaseError)
    pages = Deferred("jupyterhub.handlers.pages", HealthCheckHandler=_NoHealthCheck)
    return (
        errors,
        Deferred("sqlalchemy", exc=errors),
        Deferred("jupyterhub.orm"),
        Deferred("jupyterhub.roles"),
        pages,
        Deferred("jupyterhub.handlers", pages=pages),
    )


def _attach(placed: dict[str, ModuleType | None]) -> None:
    """``from . import orm`` looks at the package first."""
    for name, module in placed.items():
        package, _, attribute = name.rpartition(".")
        if module is not None and package == "jupyterhub":
            setattr(importlib.import_module(package), attribute, module)


def _detach(placed: dict[str, ModuleType | None]) -> None:
    for name, module in placed.items():
        if name in sys.modules and sys.modules[name] is module:
            del sys.modules[name]
        package, _, attribute = name.rpartition(".")
        parent = sys.modules.get(package)
        if module is not None and parent is not None and vars(parent).get(attribute) is module:
            delattr(parent, attribute)
