"""Install the wheels of a folder into a fresh environment, as a stranger would, and use each.

Needs nothing but Python and uv: what is tried is what the wheels bring.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HUB = "despejado_hub"
EXTRAS = "[demo,kubernetes]"

VERSIONS = """
import json
from importlib.metadata import distributions
ours = {d.name: d.version for d in distributions() if d.name.startswith("despejado")}
print(json.dumps(ours))
"""
IMPORTS = """
import despejado, despejado_tutorials, despejado_services.language
from despejado_images.environments.store import EnvironmentStore
from importlib.metadata import entry_points
for spawner in entry_points(group="jupyterhub.spawners"):
    if spawner.name.startswith("despejado"):
        spawner.load()
notebooks = list(despejado_tutorials.tutorials_folder().rglob("*.ipynb"))
assert notebooks, "no tutorial in the wheel"
"""


def say(command: list[str | Path]) -> str:
    """What a command prints; its failure ends the check with all that it said."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def try_wheels(wheels: list[Path], uv: str, folder: Path) -> dict[str, str]:
    """Names and versions of ours in a new environment in which every face was used."""
    environment = folder / "environment"
    python, programs = environment / "bin" / "python", environment / "bin"
    say([uv, "venv", "--quiet", "--python", sys.executable, environment])
    requirements = [f"{path}{EXTRAS if path.name.startswith(HUB) else ''}" for path in wheels]
    say([uv, "pip", "install", "--quiet", "--python", python, *requirements])
    say([python, "-c", IMPORTS])
    json.loads(say([programs / "despejado", "schema"]))
    bundles = environment / "share" / "jupyter" / "labextensions" / "despejado-lab"
    if not (bundles / "static").is_dir():
        raise SystemExit("the wheel of despejado-lab has no bundle for JupyterLab")
    versions: dict[str, str] = json.loads(say([python, "-c", VERSIONS]))
    return versions


def main() -> None:
    """Try the wheels of the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of wheels: dist")
    parser.add_argument("--uv", default="uv")
    arguments = parser.parse_args()
    wheels = sorted(arguments.folder.resolve().glob("*.whl"))
    if not wheels:
        raise SystemExit(f"no wheel in {arguments.folder}: make wheels")
    with tempfile.TemporaryDirectory(prefix="despejado-smoke-") as folder:
        versions = try_wheels(wheels, arguments.uv, Path(folder))
    if len(versions) != len(wheels) or len(set(versions.values())) != 1:
        raise SystemExit(f"{len(wheels)} wheels gave {versions}")
    print(f"{len(versions)} distributions of {next(iter(versions.values()))} install and run")


if __name__ == "__main__":
    main()
