"""An environment, sources and an engine to build with, none of them real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import (
    DEBIAN,
    BuildStep,
    EnvironmentSpec,
    ImageRecord,
    RunStep,
)
from despejado_images.containers.steps import source_files

IMAGES = Path(__file__).parents[2] / "images"
CREATED = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def environment(tag: str = "w_2026_43", digest: str = "a" * 64, **versions: str) -> EnvironmentSpec:
    """An environment as the resolver decides it."""
    inside = versions or {"lsst_daf_butler": "30.2026.4300", "astropy": "7.1.0"}
    return EnvironmentSpec(
        prefix="/opt/despejado/stack",
        digest=f"sha256:{digest}",
        manifest={
            "tag": tag,
            "title": f"Title of {tag}",
            "kind": "kernel",
            "digest": f"sha256:{digest}",
            "versions": {name.replace("_", "-"): value for name, value in inside.items()},
            "created": CREATED.isoformat(),
        },
        lock="astropy==7.1.0\n",
        wheels=(),
    )


def texts(folder: str = "lab") -> dict[str, str]:
    """Files of ``images/``: their names stand for their content."""
    return {
        name: f"content of {name}\n"
        for name in source_files("lab" if folder == "lab" else "hub", folder)
    }


class FakeEngine:
    """An engine that remembers what it was asked; images are records by name."""

    name = "buildah"

    def __init__(self) -> None:
        self.images: dict[str, ImageRecord] = {DEBIAN: ImageRecord("debian-1", {}, ("d",), 80)}
        self.remote: dict[str, ImageRecord] = {}
        self.done: list[tuple[str, str]] = []
        self.smoke_problem: str | None = None
        self.python = "3.13.5"

    def inspect(self, reference: str) -> ImageRecord | None:
        return self.images.get(reference)

    def build(
        self,
        step: BuildStep,
        context: Path,
        secrets: Mapping[str, Path],
        on_line: Callable[[str], None],
    ) -> None:
        self.done.append(("build", step.reference))
        assert (context / "Containerfile").read_text() == step.containerfile
        on_line("STEP 1: FROM somewhere")
        layers = (*self.images[step.parent].layers, step.key[:6])
        self.images[step.reference] = ImageRecord(step.key, dict(step.labels), layers, 100)

    def run(
        self,
        step: RunStep,
        on_line: Callable[[str], None],
        explain: Callable[[Sequence[str]], str],
    ) -> None:
        assert not step.user.startswith("0:")
        if "smoke.py" not in " ".join(step.command):
            on_line(self.python)
            return
        self.done.append(("smoke", step.reference))
        if self.smoke_problem:
            raise ImageBuildError(explain([f"smoke: {self.smoke_problem}"]))

    def names(self, repository: str) -> list[str]:
        return [name for name in self.images if name.startswith(f"{repository}:")][::-1]

    def tag(self, reference: str, name: str) -> None:
        self.images[name] = self.images[reference]

    def untag(self, reference: str) -> None:
        self.images.pop(reference, None)

    def forget(self, image: str) -> None:
        self.done.append(("forget", image))

    def pull(self, remote: str) -> bool:
        self.done.append(("pull", remote))
        if remote not in self.remote:
            return False
        self.images[remote] = self.remote[remote]
        return True

    def push(self, reference: str, remote: str, on_line: Callable[[str], None]) -> str:
        self.done.append(("push", remote))
        by_id = {record.id: record for record in self.images.values()}
        self.remote[remote] = self.images.get(reference) or by_id[reference]
        return f"sha256:{'d' * 64}"

    def asked(self, verb: str) -> list[str]:
        """What was asked of one sort, without registry and key."""
        return [
            name.rpartition("/")[2].partition(":")[0] for done, name in self.done if done == verb
        ]


def another(spec: EnvironmentSpec, digest: str) -> EnvironmentSpec:
    """The same environment with other software."""
    return replace(spec, digest=f"sha256:{digest * 64}")
