"""The last step of a build: what the environment is for must import in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from despejado_images.environments.interpreter import closed_to_others
from despejado_images.environments.recipe import Recipe
from despejado_images.environments.uv import run_logged

_NOBODY = 65534
_SCRIPT = """\
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    print("importing", name, flush=True)
    importlib.import_module(name)
"""


def check(prefix: Path, recipe: Recipe, own: Sequence[str], log: Path) -> None:
    """Import the recipe's modules and our own; raises ``EnvironmentBuildError`` with the reason.

    As root they are imported as nobody, who must be able to read all of them, unless the store
    itself lies behind a folder that others may not enter.
    """
    modules = [*recipe.imports, *(name.replace("-", "_") for name in own)]
    user = _NOBODY if os.geteuid() == 0 and closed_to_others(prefix) is None else None
    with TemporaryDirectory(prefix="despejado-check-") as home:
        if user is not None:
            os.chown(home, user, user)
        run_logged(
            [str(prefix / "bin" / "python"), "-I", "-B", "-c", _SCRIPT, json.dumps(modules)],
            log,
            {"PATH": os.defpath, "HOME": home, "LANG": "C.UTF-8", "MPLBACKEND": "agg"},
            lambda _: None,
            explain_check,
            user=user,
        )


def explain_check(lines: Sequence[str]) -> str:
    """The module that failed and the last line of its traceback."""
    module = next(
        (line.partition(" ")[2] for line in reversed(lines) if line.startswith("importing ")), None
    )
    errors = [line for line in lines if line.strip() and not line.startswith("importing ")]
    reason = errors[-1].strip() if errors else "it ended without a word"
    if module is None:
        return f"The environment's Python does not run: {reason}"
    return f"The environment is broken, {module} does not import: {reason}"
