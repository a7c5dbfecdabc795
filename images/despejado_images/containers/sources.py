"""The folder ``images/``, the context folders made from it, and what a build may know."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import BuildStep, EnvironmentSpec
from despejado_images.containers.steps import INSTALL_FILE
from despejado_images.environments.own_wheels import source_folder
from despejado_images.environments.uv import find_uv
from despejado_images.files import make_folder, write_text

NOT_COMPILED = r"/tests?/(?:.*/)?test_[^/]*\.py$"
# What says how this network reaches a package index. It may hold credentials: it goes into the
# build as a secret, never as an argument.
_NETWORK = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX_STRATEGY",
    "UV_INSECURE_HOST",
    "UV_HTTP_TIMEOUT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)


def find_sources(wanted: Path | None) -> Path:
    """The folder of Containerfiles: the named one, else that of the source tree or the wheel."""
    folder = _own_sources() if wanted is None else wanted
    if folder is None or not (folder / INSTALL_FILE).is_file():
        where = "despejado-images is installed without its Containerfiles"
        if folder is not None:
            where = f"{folder} is no folder of Containerfiles ({INSTALL_FILE} is missing)"
        advice = "name the folder images/ of the source tree with --sources"
        raise ImageBuildError(f"{where}: {advice}.")
    return folder.absolute()


def _own_sources() -> Path | None:
    try:
        installed = distribution("despejado-images")
    except PackageNotFoundError:
        return None
    package = source_folder(installed)
    if package is not None:
        return package
    for entry in installed.files or ():
        if entry.as_posix().endswith(f"share/despejado/images/{INSTALL_FILE}"):
            return Path(str(installed.locate_file(entry))).resolve().parent
    return None


def read_sources(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The files of ``images/`` that an image is made from."""
    return {name: (folder / name).read_text() for name in names}


def lock_file(folder: Path, tag: str) -> Path:
    """Where the lock of an image is, if the source tree has one."""
    return folder / "locks" / f"{tag}.txt"


def revision(folder: Path) -> str | None:
    """The commit of the source tree, with ``-dirty`` for changes since; None if it is none.

    A folder that was installed may lie in a tree of something else.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        if head is None or _git(folder, "ls-files", "--error-unmatch", INSTALL_FILE) is None:
            return None
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except FileNotFoundError:
        return None
    return f"{head}{'-dirty' if changed else ''}"


def _git(folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, cwd=folder
    )
    return done.stdout.strip() if done.returncode == 0 else None


def write_context(folder: Path, step: BuildStep) -> None:
    """Make the folder that a step is built from; what was in it is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    write_text(folder / "Containerfile", step.containerfile)
    for name, text in step.files.items():
        write_text(folder / name, text)
    if step.environment is not None:
        _write_environment(folder, step.environment, step.files)


def _write_environment(
    folder: Path, environment: EnvironmentSpec, files: Mapping[str, str]
) -> None:
    write_text(folder / "requirements.lock", environment.lock)
    write_text(
        folder / "environment.json", json.dumps(environment.document(NOT_COMPILED), indent=1)
    )
    make_folder(folder / "wheels")
    for wheel in environment.wheels:
        shutil.copyfile(wheel, folder / "wheels" / wheel.name)
    # The program itself: it is a static one, so that of this machine runs in the image.
    shutil.copyfile(find_uv(), folder / "uv")
    (folder / "uv").chmod(0o755)


def write_secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Files for the build: how this machine reaches the package index. They stay in no layer."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    secrets: dict[str, Path] = {}
    network = {name: environment[name] for name in _NETWORK if environment.get(name)}
    if network:
        secrets["network"] = _private(folder / "network", json.dumps(network))
    bundle = environment.get("SSL_CERT_FILE")
    if bundle and Path(bundle).is_file():
        secrets["certificates"] = _private(folder / "certificates", Path(bundle).read_text())
    return secrets


def _private(path: Path, text: str) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    return path


def remove(*folders: Path) -> None:
    """Remove folders of a build, secrets among them."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
