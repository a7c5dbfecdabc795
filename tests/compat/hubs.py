"""Unit tests of spawner and lab extension on every supported JupyterHub: ``make hubs``.

Each hub gets an environment with everything as in ``uv.lock`` but JupyterHub itself, so a
difference is the hub's. ``--python`` runs them on other Pythons as well. ``despejado-hub`` needs
the newest hub and is not among them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".tools" / "hubs"
HUBS = ("5.5", "6.1")
"""The oldest and the newest series of the range that the distributions declare."""
ROOMS = ("images", "spawner", "services", "kernels", "labextension", "notebooks")
TESTS = ("tests/spawner", "tests/labextension")
VERSIONS = "import jupyterhub, sys; print(jupyterhub.__version__, sys.version.split()[0])"
UNIT = ("-m", "not cluster and not browser and not network", "--ignore-glob=*_cluster.py")
"""The tests of the cluster import the hub room."""


def locked(uv: str) -> str:
    """The lock as requirements, but for our own distributions and JupyterHub."""
    command = [uv, "export", "--quiet", "--frozen", "--all-packages", "--all-extras"]
    done = subprocess.run(
        [*command, "--no-hashes", "--no-emit-workspace", "--no-annotate", "--no-header"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("jupyterhub=="))


def make_environment(uv: str, hub: str, python: str, requirements: Path) -> Path:
    """The Python of an environment with the newest JupyterHub of a series, and this checkout."""
    folder = ENVIRONMENTS / f"{hub}-{Path(python).name}"
    found = folder / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--python", str(found)]
    ours = [part for room in ROOMS for part in ("--editable", str(ROOT / room))]
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", python, str(folder)],
        [*install, "--requirements", str(requirements), f"jupyterhub=={hub}.*"],
        [*install, "--no-deps", *ours],
    ):
        subprocess.run(command, check=True, cwd=ROOT)
    return found


def run_tests(python: Path, arguments: Sequence[str]) -> bool:
    """Whether the tests pass there; what they print goes to the terminal."""
    shown = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    print("== JupyterHub {} on Python {}".format(*shown.stdout.split()), flush=True)
    command = [str(python), "-m", "pytest", "-q", *UNIT, *TESTS, *arguments]
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, check=False)
    return done.returncode == 0


def main() -> int:
    """0 if the tests pass on every hub and Python that was asked for, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--hub", nargs="+", default=HUBS, help="series of JupyterHub: 5.5")
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="3.13, or a path")
    parser.add_argument("arguments", nargs="*", help="for pytest, after --")
    options = parser.parse_args()
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    requirements = ENVIRONMENTS / "requirements.txt"
    requirements.write_text(locked(options.uv))
    passed = [
        run_tests(make_environment(options.uv, hub, python, requirements), options.arguments)
        for hub in options.hub
        for python in options.python
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
