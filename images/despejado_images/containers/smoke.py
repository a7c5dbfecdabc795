"""Running things in an image: its smoke test, and the question which Python it has."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from despejado_images.containers.engine import Engine
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import PYTHON, ImageKind, RunStep
from despejado_images.containers.targets import smoke_command
from despejado_images.files import make_folder

UNKNOWN_USER = "54321:54322"
"""A user and a group that no image has in its passwd and group."""
_VERSION = re.compile(r"(\d+\.\d+\.\d+)\S*")
_ASK = "import platform; print(platform.python_version())"


def run(
    engine: Engine,
    reference: str,
    kind: ImageKind,
    imports: tuple[str, ...],
    file: Path,
    work: Path,
    on_line: Callable[[str], None],
) -> None:
    """Run the smoke test ``file`` in an image. Raises ``ImageBuildError`` with its sentence."""
    folder = work / "smoke"
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    shutil.copyfile(file, folder / "smoke.py")
    (folder / "smoke.py").chmod(0o644)
    step = RunStep(reference, smoke_command(kind, imports), UNKNOWN_USER, {folder: "/mnt/smoke"})
    engine.run(step, on_line, explain_smoke)


def explain_smoke(lines: Sequence[str]) -> str:
    """The sentence of a failed smoke test, else its last line."""
    for line in reversed(lines):
        if line.startswith("smoke: "):
            return f"The image does not work: {line.removeprefix('smoke: ')}"
    said = [line.strip() for line in lines if line.strip() and "level=" not in line]
    return f"The image does not work: {said[-1] if said else 'its test ended without a word'}"


def python_version(engine: Engine, reference: str) -> str:
    """The Python of an image, in full."""
    lines: list[str] = []
    step = RunStep(reference, ("/usr/bin/python3", "-I", "-c", _ASK), UNKNOWN_USER)
    engine.run(step, lines.append, explain_smoke)
    found = [match[1] for line in lines if (match := _VERSION.fullmatch(line.strip()))]
    if not found or not found[-1].startswith(f"{PYTHON}."):
        said = found[-1] if found else "no version at all"
        raise ImageBuildError(
            f"{reference} has Python {said}, where {PYTHON} is expected: "
            "another Debian has taken the place of the one that the images are made for."
        )
    return found[-1]
