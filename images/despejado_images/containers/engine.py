"""buildah, podman or docker: which is there, and what is asked of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from despejado_images.containers.arguments import (
    build_arguments,
    create_arguments,
    dangling_arguments,
    list_arguments,
    pull_arguments,
    push_arguments,
    run_arguments,
)
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.explain import explain_engine
from despejado_images.containers.models import BuildStep, EngineName, ImageRecord, RunStep
from despejado_images.environments.errors import EnvironmentBuildError
from despejado_images.environments.uv import run_logged

ENGINES: tuple[EngineName, ...] = get_args(EngineName)
_ANSWERS: Mapping[EngineName, tuple[str, ...]] = {
    "buildah": ("info",),
    "podman": ("info",),
    # The command alone is of no use without its daemon.
    "docker": ("version", "--format", "{{.Server.Version}}"),
}
_ANSWER_SECONDS = 30

OnLine = Callable[[str], None]


def find_engine(wanted: str | None, log: Path) -> Engine:
    """The engine that was asked for, else the first that works: buildah, podman, docker.

    Raises ``ImageBuildError`` that says what each of them answered.
    """
    names = [name for name in ENGINES if wanted in (None, name)]
    if not names:
        raise ImageBuildError(f"{wanted!r} builds no images. Allowed: {', '.join(ENGINES)}.")
    problems: list[str] = []
    for name in names:
        path = shutil.which(name)
        problem = "it is not installed" if path is None else _trouble(name, path)
        if path is not None and problem is None:
            return Engine(name, path, log)
        problems.append(f"{name}: {problem}")
    raise ImageBuildError(
        f"Nothing here builds images ({'; '.join(problems)}). "
        "Install one, such as buildah (Debian: apt-get install buildah)."
    )


def _trouble(name: EngineName, path: str) -> str | None:
    try:
        done = subprocess.run(
            [path, *_ANSWERS[name]],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_SECONDS,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return f"it did not answer within {_ANSWER_SECONDS} s"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"it ended with {done.returncode}"


class Engine:
    """One engine. What its commands print goes to ``log``; failures raise ``ImageBuildError``."""

    def __init__(self, name: EngineName, path: str, log: Path) -> None:
        self.name = name
        self.path = path
        self.log = log

    def inspect(self, reference: str) -> ImageRecord | None:
        """What is known of an image in the local storage; None if it is not there."""
        kind = ["inspect", "--type", "image"] if self.name == "buildah" else ["image", "inspect"]
        answer = self._ask([*kind, reference])
        if answer is None:
            return None
        found = json.loads(answer)
        return read_buildah(found) if self.name == "buildah" else read_docker(found[0])

    def build(
        self, step: BuildStep, context: Path, secrets: Mapping[str, Path], on_line: OnLine
    ) -> None:
        """Build a step under its reference."""
        self._run(build_arguments(self.name, step, context, secrets), on_line)

    def run(self, step: RunStep, on_line: OnLine, explain: Callable[[Sequence[str]], str]) -> None:
        """Run a command in a new container, which is removed whatever happens."""
        container = f"despejado-{os.getpid()}-{os.urandom(4).hex()}"
        if self.name != "buildah":
            self._run(run_arguments(self.name, step, container), on_line, explain)
            return
        self._run(create_arguments(step.reference, container), lambda _: None)
        try:
            self._run(run_arguments(self.name, step, container), on_line, explain)
        finally:
            self._run(["rm", container], lambda _: None)

    def names(self, repository: str) -> list[str]:
        """The images of a repository in the local storage, newest first."""
        answer = self._ask(list_arguments(self.name, repository)) or ""
        return [line.strip() for line in answer.splitlines() if line.strip()]

    def tag(self, reference: str, name: str) -> None:
        """Give an image another name."""
        self._run(["tag", reference, name], lambda _: None)

    def untag(self, reference: str) -> None:
        """Take a name away, if it is there; the image goes with its last one."""
        self._ask(["rmi", reference])

    def forget(self, image: str) -> None:
        """Remove an image by its id, unless it has a name or something still needs it."""
        nameless = (self._ask(dangling_arguments()) or "").split()
        if image in [one.removeprefix("sha256:") for one in nameless]:
            self._ask(["rmi", image])

    def pull(self, remote: str) -> bool:
        """Fetch an image if a registry has it."""
        try:
            self._run(pull_arguments(self.name, remote), lambda _: None)
        except ImageBuildError:
            return False
        return True

    def push(self, reference: str, remote: str, on_line: OnLine) -> str:
        """Push an image under another name; the digest of its manifest."""
        if self.name == "docker":
            self.tag(reference, remote)
        with tempfile.TemporaryDirectory(prefix="despejado-push-") as folder:
            file = Path(folder) / "digest"
            lines: list[str] = []

            def follow(line: str) -> None:
                lines.append(line)
                on_line(line)

            self._run(push_arguments(self.name, reference, remote, file), follow)
            if file.exists():
                return file.read_text().strip()
        digest = next((m[0] for line in lines[::-1] if (m := _DIGEST.search(line))), None)
        if digest is None:
            raise ImageBuildError(f"{self.name} did not say the digest of {remote}.")
        return digest

    def _ask(self, arguments: Sequence[str]) -> str | None:
        done = subprocess.run(
            [self.path, *arguments], capture_output=True, text=True, check=False, cwd="/"
        )
        return done.stdout if done.returncode == 0 else None

    def _run(
        self,
        arguments: Sequence[str],
        on_line: OnLine,
        explain: Callable[[Sequence[str]], str] = explain_engine,
    ) -> None:
        try:
            run_logged([self.path, *arguments], self.log, os.environ, on_line, explain)
        except EnvironmentBuildError as error:
            raise ImageBuildError(f"{error} (all that {self.name} said: {self.log})") from error


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def read_buildah(found: Mapping[str, Any]) -> ImageRecord:
    """The answer of ``buildah inspect``."""
    image = found["OCIv1"]
    layers = json.loads(found["Manifest"]).get("layers", [])
    return ImageRecord(
        id=str(found["FromImageID"]),
        labels={str(k): str(v) for k, v in (image["config"].get("Labels") or {}).items()},
        layers=tuple(image["rootfs"]["diff_ids"]),
        size_bytes=sum(int(layer["size"]) for layer in layers),
    )


def read_docker(found: Mapping[str, Any]) -> ImageRecord:
    """The answer of ``podman image inspect`` and ``docker image inspect``."""
    return ImageRecord(
        id=str(found["Id"]).removeprefix("sha256:"),
        labels={str(k): str(v) for k, v in (found["Config"].get("Labels") or {}).items()},
        layers=tuple(found["RootFS"]["Layers"]),
        size_bytes=int(found["Size"]),
    )
