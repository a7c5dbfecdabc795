"""Building an image: decide, make what is not there yet, test it, give it its name, push it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from despejado_images.containers import smoke, sources, targets
from despejado_images.containers.engine import find_engine
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.history import History
from despejado_images.containers.models import (
    DEBIAN,
    BuildStep,
    BuiltImage,
    EnvironmentSpec,
    ImagePhase,
    ImageProgress,
    ImageRecord,
    Target,
)
from despejado_images.containers.names import local_reference, remote_reference
from despejado_images.containers.resolving import (
    Resolver,
    platform_version,
    resolve_tag,
)
from despejado_images.containers.steps import (
    CONTENT_LABEL,
    base_step,
    image_labels,
    lab_base_step,
    lab_ui_step,
    last_step,
    source_files,
)
from despejado_images.environments import locks
from despejado_images.environments.layout import Layout
from despejado_images.environments.locking import builder_lock
from despejado_images.environments.models import BuildProgress
from despejado_images.environments.recipe import Recipe, recipe_of
from despejado_images.environments.records import write_progress
from despejado_images.environments.store import find_recipe
from despejado_images.environments.uv import Uv
from despejado_images.files import make_folder
from despejado_images.image import UI_TAG
from despejado_images.menu import MenuPolicy
from despejado_images.reference import parse_reference

_KEPT_LINKS = 4
"""How many images of a shared link stay: a build of another checkout may be using one."""

OnProgress = Callable[[ImageProgress], None]


class ImageBuilder:
    """Builds one image; ``state`` is the platform's state folder.

    ``registry`` is where it is pushed; layers that another machine pushed there are used again.
    """

    def __init__(
        self,
        state: Path,
        on_progress: OnProgress,
        *,
        engine: str | None = None,
        folder: Path | None = None,
        registry: str | None = None,
        fresh: bool = False,
        policy: MenuPolicy | None = None,
    ) -> None:
        self.environments = Layout(state / "environments")
        self.layout = Layout(state / "images")
        self.wanted_engine = engine
        self.folder = sources.find_sources(folder)
        self.registry = registry
        self.fresh = fresh
        self.policy = policy
        self.history = History(self.layout.history)
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._steps = 0
        self._now = ImageProgress("", "waiting", "Waiting", 0, 0, 0.0)

    def build(self, name: str) -> BuiltImage:
        """Build an image, unless it is there and up to date; test it; push it if asked to.

        ``name`` is a tag of a lab (``w_2026_43``, ``recommended``, ``plain``), ``hub``,
        ``services``, or ``stock``. Raises ``EnvironmentBuildError`` with the reason.
        """
        if name == UI_TAG:
            raise ImageBuildError("'ui' is a part of every lab image, and none by itself.")
        if self.registry is not None:
            remote_reference(self.registry, "despejado/lab", "check")
        is_lab = targets.is_lab(name)
        tag = resolve_tag(self.environments.root, self.policy, name) if is_lab else name
        self.layout.make()
        self._now = replace(self._now, tag=tag)
        with self._alone(tag):
            self._work = self.layout.building(tag)
            make_folder(self._work)
            log = self.layout.log(tag)
            log.unlink(missing_ok=True)
            self._engine = find_engine(self.wanted_engine, log)
            self._uv = Uv(self.layout.root, log)
            try:
                image = self._build(targets.target_of(tag, platform_version()), tag)
            finally:
                sources.remove(self._work)
        self._say("ready", f"{image.reference} is ready")
        return image

    def _build(self, target: Target, name: str) -> BuiltImage:
        self._steps = 6 if target.kind == "lab" else 4
        self._steps += self.registry is not None
        texts = sources.read_sources(self.folder, source_files(target.kind, target.folder))
        chain = [self._base(texts)]
        environment, imports = self._extend(chain, texts, target, name)
        final = self._final(chain, target, environment, imports)
        return self._push(chain, target, final)

    def _extend(
        self, chain: list[BuildStep], texts: Mapping[str, str], target: Target, name: str
    ) -> tuple[EnvironmentSpec, tuple[str, ...]]:
        """Add the other steps to ``chain``, and make all but the last."""
        self._say("resolving", "Choosing versions")
        created = datetime.now(UTC)
        python = smoke.python_version(self._engine, chain[0].reference)
        resolver = Resolver(
            self._uv, python, self.environments.wheels, self._work, self.layout.root / "locks"
        )
        commit = sources.revision(self.folder)
        ui: EnvironmentSpec | None = None
        if target.kind == "lab":
            recipe = find_recipe(self.environments, name)
            ui_recipe = recipe_of(UI_TAG, {})
            ui = resolver.decide(
                ui_recipe,
                targets.LAB_UI,
                "ui",
                created,
                locks.shipped("ui"),
                without=targets.LAB_UI_WITHOUT,
            )
            spec = resolver.decide(
                recipe,
                targets.LAB_STACK,
                "kernel",
                created,
                self._shipped(recipe),
                files=targets.lab_files(recipe.tag, recipe.title),
                links=targets.LAB_LINKS,
            )
            chain.append(self._ensure(lab_base_step(texts, chain[-1])))
            chain.append(self._ensure(lab_ui_step(texts, chain[-1], ui)))
        else:
            part = targets.platform_part(name, target.tag)
            recipe = part.recipe
            spec = resolver.decide(recipe, part.prefix, target.kind, created, self._shipped(recipe))
        labels = image_labels(target, spec, ui=ui, python=python, created=created, revision=commit)
        this = f"{os.getpid()}-{os.urandom(4).hex()}"
        chain.append(last_step(texts, target, chain[-1], spec, labels, this))
        own = tuple(wheel.partition("[")[0].replace("-", "_") for wheel in recipe.own)
        return spec, (*recipe.imports, *own)

    def _shipped(self, recipe: Recipe) -> Path:
        """The lock of the source tree for a tag; those of ``plain`` come with the package."""
        here = sources.lock_file(self.folder, recipe.lock if recipe.exact_lock else recipe.tag)
        return locks.shipped(recipe.lock) if recipe.exact_lock and not here.exists() else here

    # Steps

    def _base(self, texts: Mapping[str, str]) -> BuildStep:
        self._say("base", "Looking for Debian")
        if self.fresh or self._engine.inspect(DEBIAN) is None:
            self._engine.pull(DEBIAN)
        debian = self._engine.inspect(DEBIAN)
        if debian is None:
            raise ImageBuildError(
                f"{DEBIAN} is not here and cannot be pulled. Without a way to Docker Hub it can be "
                "made from Debian's own packages: docs/images.md, 'Without Docker Hub'."
            )
        salt = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}" if self.fresh else ""
        return self._ensure(base_step(texts, debian.id, salt))

    def _ensure(self, step: BuildStep) -> BuildStep:
        """Have the image of a step that others share: here, from the registry, or newly made."""
        # Two builds of different tags would otherwise make it twice.
        with self._alone(f"_{step.name}"):
            return self._find_or_make(step)

    def _find_or_make(self, step: BuildStep) -> BuildStep:
        if self._has(step.reference, step.key) is not None:
            self._say(step.phase, f"{step.name} is there")
            return step
        if self.registry is not None:
            remote = self._remote(self.registry, step)
            if self._engine.pull(remote) and self._has(remote, step.key) is not None:
                self._engine.tag(remote, step.reference)
                self._say(step.phase, f"{step.name} comes from {self.registry}")
                return step
        self._make(step)
        # Every change of the client or the extension makes a link; the last of them are enough.
        links = str(parse_reference(step.reference).repository)
        for old in self._engine.names(links)[_KEPT_LINKS:]:
            self._engine.untag(old)
        return step

    def _make(self, step: BuildStep) -> None:
        self._say(step.phase, f"Building {step.name}", timed=step.name)
        started = time.monotonic()
        context, secrets = self._work / "context", self._work / "secrets"
        try:
            sources.write_context(context, step)
            files = sources.write_secrets(secrets) if step.environment is not None else {}
            self._engine.build(step, context, files, self._detail)
        finally:
            sources.remove(context, secrets)
        self.history.add(step.name, time.monotonic() - started)

    def _has(self, reference: str, key: str) -> ImageRecord | None:
        record = self._engine.inspect(reference)
        return record if record and record.labels.get(CONTENT_LABEL) == key else None

    def _final(
        self,
        chain: list[BuildStep],
        target: Target,
        environment: EnvironmentSpec,
        imports: tuple[str, ...],
    ) -> BuiltImage:
        step = chain[-1]
        reference = local_reference(target.repository, target.tag)
        record = self._has(reference, step.key)
        if record is None:
            record = self._replace(step, reference, target, imports)
        else:
            self._say("installing", f"{reference} is up to date")
        return BuiltImage(
            kind=target.kind,
            tag=target.tag,
            title=str(environment.manifest["title"]),
            reference=reference,
            id=record.id,
            content=step.key,
            versions=environment.manifest["versions"],
            layers=record.layers,
            size_bytes=record.size_bytes,
        )

    def _replace(
        self, step: BuildStep, reference: str, target: Target, imports: tuple[str, ...]
    ) -> ImageRecord:
        """Make and test a candidate, which then takes the name and the place of the last one."""
        last = self._engine.inspect(reference)
        try:
            self._make(step)
            self._test(step, target, imports)
            record = self._has(step.reference, step.key)
            if record is None:
                raise ImageBuildError(f"{reference} was built, and is not there any more.")
            self._engine.tag(step.reference, reference)
        finally:
            self._engine.untag(step.reference)
        if last is not None and last.id != record.id:
            self._engine.forget(last.id)
        return record

    def _test(self, step: BuildStep, target: Target, imports: tuple[str, ...]) -> None:
        """Run the smoke test. Raises ``ImageBuildError`` with its sentence."""
        self._say("testing", "Testing the image as an unknown user", timed="test")
        started = time.monotonic()
        file = self.folder / target.folder / "smoke.py"
        smoke.run(
            self._engine, step.reference, target.kind, imports, file, self._work, self._detail
        )
        self.history.add("test", time.monotonic() - started)

    def _push(self, chain: list[BuildStep], target: Target, image: BuiltImage) -> BuiltImage:
        if self.registry is None:
            return image
        remote = remote_reference(self.registry, target.repository, target.tag)
        self._say("pushing", f"Pushing {remote}", timed=f"push {target.kind}")
        started = time.monotonic()
        for step in chain[:-1]:
            self._engine.push(step.reference, self._remote(self.registry, step), self._detail)
        # By its id: a build from another state folder may have taken the name since.
        digest = self._engine.push(image.id, remote, self._detail)
        self.history.add(f"push {target.kind}", time.monotonic() - started)
        return replace(image, pushed=remote, digest=digest)

    def _remote(self, registry: str, step: BuildStep) -> str:
        name = parse_reference(step.reference)
        return remote_reference(registry, name.repository.path, name.tag)

    # What is told

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Wait for another process that builds the same, and say which one it is."""
        with builder_lock(self.layout, name, self._wait_for):
            now = datetime.now(UTC)
            write_progress(
                self.layout,
                BuildProgress(name, "installing", None, "", "building", os.getpid(), now, now),
            )
            try:
                yield
            finally:
                self.layout.progress(name).unlink(missing_ok=True)

    def _wait_for(self, pid: int) -> None:
        self._on_progress(replace(self._now, message=f"Process {pid} is building the same image"))

    def _say(self, phase: ImagePhase, message: str, timed: str | None = None) -> None:
        self._now = replace(
            self._now,
            phase=phase,
            message=message,
            detail="",
            step=self._steps if phase == "ready" else min(self._now.step + 1, self._steps),
            steps=self._steps,
            seconds=time.monotonic() - self._started,
            expected_seconds=None if timed is None else self.history.expected(timed),
        )
        self._on_progress(self._now)

    def _detail(self, line: str) -> None:
        seconds = time.monotonic() - self._started
        self._now = replace(self._now, detail=line.strip()[:200], seconds=seconds)
        self._on_progress(self._now)
