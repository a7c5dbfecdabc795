"""Locks: which version of each package, with the hashes of its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from packaging.markers import Environment as MarkerEnvironment
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from despejado_images.environments.own_wheels import OURS, OwnWheel
from despejado_images.environments.recipe import Recipe
from despejado_images.environments.uv import Uv
from despejado_images.files import write_text

OLDEST_PYTHON = "3.11"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*==[^\s\\]+(?:\s*;[^\\\n]+)?)", re.MULTILINE)


def shipped(name: str) -> Path:
    """A lock file of this package, for all supported Pythons."""
    return Path(str(files(__package__).joinpath("locks", f"{name}.txt")))


def markers(python_version: str) -> MarkerEnvironment:
    """Marker environment (PEP 508) of this machine for another Python version."""
    environment = default_environment()
    environment["python_full_version"] = python_version
    environment["python_version"] = ".".join(python_version.split(".")[:2])
    environment["implementation_version"] = python_version
    return environment


def pins(lock: str, environment: MarkerEnvironment) -> dict[str, str]:
    """Name to version of what a lock installs there."""
    found: dict[str, str] = {}
    for match in _PIN.finditer(lock):
        requirement = Requirement(match[1].strip())
        if requirement.marker is None or requirement.marker.evaluate(_plain(environment)):
            (pin,) = requirement.specifier
            found[canonicalize_name(requirement.name)] = pin.version
    return found


def _plain(environment: MarkerEnvironment, extra: str = "") -> dict[str, str]:
    return {**{key: str(value) for key, value in environment.items()}, "extra": extra}


def unsatisfied(
    lock: str,
    requirements: Iterable[str],
    wheels: Sequence[tuple[OwnWheel, Sequence[str]]],
    environment: MarkerEnvironment,
) -> list[str]:
    """Requirements, of a recipe and of our wheels with their extras, that a lock does not meet."""
    have = pins(lock, environment)
    wanted: list[tuple[Requirement, tuple[str, ...]]] = [
        (Requirement(text), ("",)) for text in requirements
    ]
    for wheel, extras in wheels:
        wanted += [(Requirement(text), ("", *extras)) for text in wheel.requires]
    missing: list[str] = []
    for requirement, extras_of in wanted:
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if marker and not any(marker.evaluate(_plain(environment, e)) for e in extras_of):
            continue
        if name in OURS:
            continue
        if name not in have or not requirement.specifier.contains(have[name], prereleases=True):
            missing.append(str(requirement))
    return missing


def resolve(
    uv: Uv,
    recipe: Recipe,
    wheels: Sequence[tuple[OwnWheel, Sequence[str]]],
    output: Path,
    preferred: Path | None,
    python: Sequence[str],
    on_line: Callable[[str], None],
) -> str:
    """Ask the index and write the lock of a recipe to ``output``; the text is also returned.

    Versions in the lock ``preferred`` are kept where they fit, so that environments share files.
    ``python`` are uv's options that say for which interpreter. Raises ``EnvironmentBuildError``.
    """
    work = output.parent
    own = [
        f"{wheel.name}{'[' + ','.join(extras) + ']' if extras else ''} @ {wheel.path.as_uri()}"
        for wheel, extras in wheels
    ]
    inputs, constraints, excludes = (work / f"{name}.txt" for name in ("in", "below", "without"))
    newest = _newest_candidates(uv, recipe, work, python, on_line) if recipe.candidates else []
    write_text(inputs, "\n".join([*recipe.requirements, *newest, *own, ""]))
    write_text(constraints, "\n".join([*recipe.constraints, ""]))
    write_text(excludes, "\n".join([*recipe.excludes, ""]))
    if preferred is not None and preferred.exists():
        write_text(output, preferred.read_text())
    arguments: list[str | Path] = ["pip", "compile", inputs, "--constraints", constraints]
    arguments += ["--excludes", excludes, "--output-file", output, "--generate-hashes"]
    arguments += ["--no-header", "--no-annotate", "--quiet", *python]
    for wheel, _ in wheels:
        arguments += ["--no-emit-package", wheel.name]
    uv.run(arguments, on_line)
    return output.read_text()


def _newest_candidates(
    uv: Uv, recipe: Recipe, work: Path, python: Sequence[str], on_line: Callable[[str], None]
) -> list[str]:
    """The newest version of each of ``recipe.candidates``, pre-releases among them, as pins.

    In one resolution uv would prefer finished versions for all of them, or allow pre-releases of
    everything, numpy included.
    """
    inputs, output = work / "candidates.txt", work / "candidates.lock"
    write_text(inputs, "\n".join([*recipe.candidates, ""]))
    arguments: list[str | Path] = ["pip", "compile", inputs, "--no-deps", "--prerelease", "allow"]
    arguments += ["--output-file", output, "--no-header", "--no-annotate", "--quiet", *python]
    uv.run(arguments, on_line)
    return [match[1].strip() for match in _PIN.finditer(output.read_text())]
