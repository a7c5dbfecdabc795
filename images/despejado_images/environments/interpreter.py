"""The Python that environments are made with: one that everybody who will use them can run."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from despejado_images.environments.errors import EnvironmentBuildError
from despejado_images.environments.uv import clean_environment

SUPPORTED = SpecifierSet(">=3.11")
_ASK = (
    "import json, platform, sys, sysconfig;"
    "print(json.dumps([platform.python_version(), sys.implementation.name,"
    " sys.implementation.cache_tag, sysconfig.get_path('stdlib')]))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python outside any virtual environment: its path, version and bytecode tag."""

    path: Path
    version: str
    cache_tag: str

    @property
    def minor(self) -> str:
        """Major and minor version: ``3.11``."""
        return ".".join(self.version.split(".")[:2])


def find_interpreter(*, for_others: bool) -> Interpreter:
    """The Python of this process where possible, else one of the system.

    With ``for_others`` (builds as root, for labs under other users) only one that every user may
    run: each folder on the way to it and to its library must be open to all. Raises
    ``EnvironmentBuildError`` that says what to install.
    """
    refused: list[str] = []
    for path in candidates():
        found = ask(path)
        if found is None:
            continue
        interpreter, library = found
        if interpreter.version not in SUPPORTED:
            refused.append(f"{path} is Python {interpreter.version}")
            continue
        closed = closed_to_others(path) or closed_to_others(library) if for_others else None
        if closed is None:
            return interpreter
        refused.append(f"{path} is behind {closed}, which other users may not enter")
    seen = f" ({'; '.join(refused)})" if refused else ""
    raise EnvironmentBuildError(
        "No Python >= 3.11 was found that all users of this machine may run"
        f"{seen}. Install one for everybody (Debian: apt-get install python3)."
    )


def candidates() -> Iterator[Path]:
    """Interpreters in the order of preference, each once, links resolved."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    paths = [Path(getattr(sys, "_base_executable", sys.executable))]
    for name in (ours, "python3"):
        paths += [Path(folder) / name for folder in ("/usr/bin", "/usr/local/bin")]
    for folder in ("/usr/local/bin", "/usr/bin"):
        paths += sorted(Path(folder).glob("python3.[0-9][0-9]"), reverse=True)
    if found := shutil.which("python3"):
        paths.append(Path(found))
    seen: set[Path] = set()
    for path in paths:
        real = path.resolve()
        if real not in seen and os.access(real, os.X_OK):
            seen.add(real)
            yield real


def ask(path: Path) -> tuple[Interpreter, Path] | None:
    """What an interpreter says of itself and where its library is; None if it does not run."""
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", _ASK],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            cwd="/",
            env=clean_environment(),
        )
        version, name, tag, library = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if name != "cpython":
        return None
    return Interpreter(path, version, tag), Path(library)


def closed_to_others(path: Path) -> Path | None:
    """The first part of a path that other users may not pass (or run), or None if all may."""
    real = path.resolve()
    for part in (*reversed(real.parents), real):
        if not part.stat().st_mode & stat.S_IXOTH:
            return part
    return None
