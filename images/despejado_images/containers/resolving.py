"""Which versions go into an image: the recipes and locks of the local environments.

The only difference to an environment on this machine is the Python, which is the image's.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import PYTHON, EnvironmentSpec
from despejado_images.environments import locks, records
from despejado_images.environments.builder import Plan, build_wheel
from despejado_images.environments.interpreter import Interpreter, find_interpreter
from despejado_images.environments.layout import Layout
from despejado_images.environments.own_wheels import OwnWheel, own_closure, own_wheel
from despejado_images.environments.recipe import Recipe
from despejado_images.environments.store import EnvironmentStore, check_tag
from despejado_images.environments.uv import Uv
from despejado_images.files import make_folder, write_text
from despejado_images.menu import MenuPolicy

_IMAGE_PYTHON = Path("/usr/bin/python3")


def platform_version() -> str:
    """The version of the platform: one number for all distributions of ours."""
    return version("despejado-images")


def resolve_tag(environments: Path, policy: MenuPolicy | None, name: str) -> str:
    """The tag behind a name. Raises ``UnknownTagError`` for what cannot be one."""
    layout = Layout(environments)
    tag = EnvironmentStore(environments, policy).resolve(name)
    check_tag(tag, records.read_catalogue(layout).tags)
    return tag


class Resolver:
    """Decides environments for one Python. Wheels of ours are shared with the environments."""

    def __init__(self, uv: Uv, python: str, wheels: Path, work: Path, known: Path) -> None:
        self.uv = uv
        self.python = Interpreter(_IMAGE_PYTHON, python, f"cpython-{PYTHON.replace('.', '')}")
        self.wheels = wheels
        self.work = work
        self.known = known
        """Folder of locks that earlier builds here resolved."""

    def decide(
        self,
        recipe: Recipe,
        prefix: str,
        kind: str,
        created: datetime,
        shipped: Path | None,
        **extras: Any,
    ) -> EnvironmentSpec:
        """The environment of a recipe at ``prefix``. Raises ``EnvironmentBuildError``.

        Of the locks at hand the first that still fits is taken: ``shipped``, then that of an
        earlier build; the index is asked only if none does.
        """
        wheels = self.own_wheels(recipe)
        plan = Plan(recipe, self.python, wheels, self._lock(recipe, wheels, shipped))
        versions = locks.pins(plan.lock, locks.markers(self.python.version))
        versions |= {wheel.name: wheel.version for wheel, _ in wheels}
        manifest: Mapping[str, Any] = {
            "tag": recipe.tag,
            "title": recipe.title,
            "kind": kind,
            "digest": plan.digest,
            "versions": versions,
            "created": created.isoformat(timespec="seconds"),
        }
        return replace(
            EnvironmentSpec(
                prefix=prefix,
                digest=plan.digest,
                manifest=manifest,
                lock=plan.lock,
                wheels=tuple(wheel.path for wheel, _ in wheels),
            ),
            **extras,
        )

    def own_wheels(self, recipe: Recipe) -> tuple[tuple[OwnWheel, tuple[str, ...]], ...]:
        """Our distributions of a recipe as wheels, with their extras."""
        closure = own_closure(recipe.own)
        missing = sorted(set(recipe.own) - set(closure))
        if missing:
            raise ImageBuildError(
                f"{' and '.join(missing)} would be in the image, but "
                f"{'is' if len(missing) == 1 else 'are'} not installed here. "
                "Install the whole platform (in the source tree: make sync-dev)."
            )
        make_folder(self.wheels)
        build = partial(build_wheel, self.uv, find_interpreter(for_others=False))
        return tuple(
            (own_wheel(name, self.wheels, build), extras)
            for name, extras in sorted(closure.items())
        )

    def _lock(
        self,
        recipe: Recipe,
        wheels: tuple[tuple[OwnWheel, tuple[str, ...]], ...],
        shipped: Path | None,
    ) -> str:
        markers = locks.markers(self.python.version)
        ours = {wheel.name for wheel, _ in wheels}
        earlier = self.known / f"{recipe.tag}-{recipe.lock}.txt"
        at_hand = [path for path in (shipped, earlier) if path is not None and path.exists()]
        for path in at_hand:
            text = path.read_text()
            lacking = locks.unsatisfied(text, recipe.requirements, wheels, markers)
            if all(canonicalize_name(Requirement(one).name) in ours for one in lacking):
                return text
        related = locks.shipped(recipe.lock)
        preferred = at_hand[0] if at_hand else related if related.exists() else None
        text = self.ask_index(recipe, wheels, preferred)
        make_folder(self.known)
        write_text(earlier, text)
        return text

    def ask_index(
        self,
        recipe: Recipe,
        wheels: tuple[tuple[OwnWheel, tuple[str, ...]], ...],
        preferred: Path | None,
    ) -> str:
        """A new lock; versions in ``preferred`` are kept where they fit."""
        output = self.work / "requirements.lock"
        output.unlink(missing_ok=True)
        return locks.resolve(
            self.uv, recipe, wheels, output, preferred, python_options(), lambda _: None
        )


def python_options() -> list[str]:
    """Options of uv for the Python of an image on a machine like this one."""
    return [
        "--python-version",
        PYTHON,
        "--python-platform",
        f"{platform.machine()}-unknown-linux-gnu",
    ]
