"""KubeSpawner's own test-suite for stock and for LabSpawner: ``make compat SUITE=FOLDER``.

The suite is in no package. ``FOLDER`` is a checkout of KubeSpawner, or its ``tests`` folder. With a
``KUBECONFIG`` the tests that need a cluster run as well; without one they skip themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.compat.compare import Outcome, compare, stale, table

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = "despejado_spawner.pods.spawner:LabSpawner"
ENVIRONMENTS = ROOT / ".tools" / "compat"
NO_CLUSTER = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
"""


class CompatError(Exception):
    """The comparison could not be made."""


def make_environment(uv: str, extra: Sequence[str]) -> str:
    """The suite's own environment, with its pins and this checkout; returns its Python.

    Other requirements make another one: they would stay where the next run asks for none.
    """
    digest = hashlib.sha256("\n".join(extra).encode()).hexdigest()[:8]
    folder = ENVIRONMENTS / (digest if extra else "default")
    python = str(folder / "bin" / "python")
    commands: list[list[str]] = [
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", python, "-r", str(HERE / "requirements.txt")],
    ]
    commands[1] += ["--editable", f"{ROOT / 'spawner'}[kubernetes]", *extra]
    for command in commands:
        subprocess.run(command, check=True)
    return python


def run_suite(
    python: str, suite: Path, replacement: str | None, arguments: Sequence[str] = ()
) -> dict[str, Outcome]:
    """Run a copy of the suite with ``replacement`` (``module:class``) in KubeSpawner's place.

    Raises
    ------
    CompatError
        If it does not come as far as to run tests.
    """
    with tempfile.TemporaryDirectory(prefix="compat-") as name:
        folder = Path(name)
        ignore = shutil.ignore_patterns("__pycache__", ".git", ".*cache")
        shutil.copytree(tests_of(suite), folder / "tests", ignore=ignore)
        (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
        (folder / "kubeconfig").write_text(NO_CLUSTER)
        outcomes = folder / "outcomes.json"
        environment = {
            "KUBECONFIG": str(folder / "kubeconfig"),
            **os.environ,
            "PYTHONPATH": str(HERE),
            "COMPAT_OUTCOMES": str(outcomes),
            "COMPAT_CLASS": replacement or "",
        }
        command = [python, "-m", "pytest", "-q", "-p", "compat_plugin", "-p", "no:cacheprovider"]
        command += ["-c", str(folder / "pytest.ini"), *arguments, "tests"]
        done = subprocess.run(
            command, check=False, cwd=folder, env=environment, capture_output=True, text=True
        )
        found = json.loads(outcomes.read_text()) if outcomes.exists() else {}
        if done.returncode not in (0, 1) or not found:
            raise CompatError(f"The suite did not run:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return {test: Outcome(**each) for test, each in found.items()}


def tests_of(suite: Path) -> Path:
    """The folder with the tests.

    Raises
    ------
    CompatError
        If there are none.
    """
    for folder in (suite / "tests", suite):
        if list(folder.glob("test_*.py")):
            return folder
    raise CompatError(f"{suite} has no test_*.py, nor has its folder tests. Name a checkout.")


def intended_differences(path: Path) -> Mapping[str, str]:
    """Ids of tests to reasons."""
    found = yaml.safe_load(path.read_text()) or {}
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise CompatError(f"{path} must be a mapping of test ids to reasons.")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 if something passes for stock only and is not listed."""
    parser = argparse.ArgumentParser(prog="make compat", description=__doc__)
    parser.add_argument("suite", type=Path, help="a checkout of KubeSpawner or its tests folder")
    parser.add_argument("--class", dest="replacement", default=OURS, help="module:class to compare")
    parser.add_argument("--python", help="run in this environment instead of making one")
    parser.add_argument("--uv", default="uv", help="the uv that makes it")
    parser.add_argument(
        "--with", dest="extra", action="append", default=[], help="one more requirement in it"
    )
    parser.add_argument("--differences", type=Path, default=HERE / "differences.yaml")
    parser.add_argument("-k", dest="keyword", help="only tests that match, as pytest's -k")
    options = parser.parse_args(argv)
    arguments = ["-k", options.keyword] if options.keyword else []
    try:
        tests_of(options.suite)
        intended = intended_differences(options.differences)
        python = options.python or make_environment(options.uv, options.extra)
        stock = run_suite(python, options.suite, None, arguments)
        ours = run_suite(python, options.suite, options.replacement, arguments)
    except CompatError as error:
        print(error, file=sys.stderr)
        return 2
    rows = compare(stock, ours, intended)
    print(table(rows))
    for pattern in stale(rows, intended):
        print(f"not needed any more in {options.differences.name}: {pattern}")
    return 1 if any(row.kind == "regression" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
