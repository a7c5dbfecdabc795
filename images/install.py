"""Make one environment of an image, inside its build: install, compile, describe.

Run by the image's own Python, which has nothing but the standard library. ``environment.json``
says what is made; lock, wheels and uv lie beside it. Package indexes, their credentials and the
certificates of the building machine's network come as secrets of the build and stay in no layer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

CACHE = Path("/mnt/cache")
SECRETS = Path("/run/secrets")
MANIFEST = "despejado-environment.json"
LOCK = "requirements.lock"


def environment() -> dict[str, str]:
    """Variables for uv: a cache of the build's own, and how this network reaches the index."""
    network = SECRETS / "network"
    certificates = SECRETS / "certificates"
    variables = json.loads(network.read_text()) if network.exists() else {}
    if certificates.exists():
        variables["SSL_CERT_FILE"] = str(certificates)
    return {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "UV_CACHE_DIR": str(CACHE),
        # Layers and the cache are two file systems.
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        **variables,
    }


def run(*command: str | Path, accept: tuple[int, ...] = (0,)) -> None:
    """Run a command; what it prints is the build's log."""
    print("$", *command, flush=True)
    done = subprocess.run([str(part) for part in command], env=environment(), check=False)
    if done.returncode not in accept:
        sys.exit(done.returncode)


def install(context: Path, spec: dict[str, Any]) -> Path:
    """Install the lock and our own wheels into ``spec["prefix"]``, with bytecode."""
    prefix = Path(spec["prefix"])
    prefix.parent.mkdir(parents=True, exist_ok=True)
    uv = context / "uv"
    run(uv, "venv", "--python", sys.executable, prefix)
    python = prefix / "bin" / "python"
    lock = context / LOCK
    run(uv, "pip", "sync", "--require-hashes", "--python", python, lock)
    wheels = sorted((context / "wheels").glob("*.whl"))
    if wheels:
        run(uv, "pip", "install", "--no-deps", "--offline", "--python", python, *wheels)
    for name in spec["without"]:
        shutil.rmtree(prefix / name)
    # uv's own, which everybody could write to.
    (prefix / ".lock").unlink(missing_ok=True)
    shutil.copyfile(lock, prefix / LOCK)
    # Packages carry files that are no Python of this version (templates): status 1.
    compiler = [python, "-I", "-m", "compileall", "-q", "-j", "0", "-x", spec["not_compiled"]]
    run(*compiler, prefix / "lib", accept=(0, 1))
    return prefix


def describe(prefix: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest; its size is what this layer adds."""
    size = sum(path.lstat().st_size for path in prefix.rglob("*") if path.is_file())
    write_json(prefix / MANIFEST, {**manifest, "size": size, "added": size})


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a file that everybody may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def main(file: str) -> None:
    """Make the environment that ``file`` describes."""
    os.umask(0o022)
    context = Path(file).parent
    spec = json.loads(Path(file).read_text())
    prefix = install(context, spec)
    describe(prefix, spec["manifest"])
    for path, document in spec["files"].items():
        write_json(Path(path), document)
    for path, target in spec["links"].items():
        Path(path).symlink_to(target)


if __name__ == "__main__":
    main(sys.argv[1])
