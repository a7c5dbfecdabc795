"""Building an environment: decide, download, install, compile, check, publish.

Everything happens in ``building/<tag>``; what is complete is renamed into ``ready/<tag>`` and
then named by ``current``. A reader sees whole environments only, whatever dies when.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from despejado_images.environments import checks, contents, locks
from despejado_images.environments.errors import EnvironmentBuildError, UnknownTagError
from despejado_images.environments.interpreter import Interpreter, find_interpreter
from despejado_images.environments.layout import LOCK, Layout, folder_name
from despejado_images.environments.locking import builder_lock
from despejado_images.environments.meter import CompileMeter, InstallMeter, overall
from despejado_images.environments.models import (
    BuildPhase,
    BuildProgress,
    BuildState,
    Environment,
)
from despejado_images.environments.own_wheels import OwnWheel, own_closure, own_wheel
from despejado_images.environments.recipe import Recipe
from despejado_images.environments.records import (
    add_history,
    now,
    read_current,
    read_environment,
    write_environment,
    write_progress,
)
from despejado_images.environments.uv import DISK_FULL, Uv, run_logged
from despejado_images.files import make_folder, write_text

_FORMAT = 1
"""Raised when the same lock and wheels shall give another environment."""
_NOT_COMPILED = r"/tests?/(?:.*/)?test_[^/]*\.py$"

FindRecipe = Callable[[str], Recipe]
OnProgress = Callable[[BuildProgress], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything decided about an environment, before anything is installed."""

    recipe: Recipe
    interpreter: Interpreter
    wheels: tuple[tuple[OwnWheel, tuple[str, ...]], ...]
    lock: str

    @property
    def digest(self) -> str:
        """``sha256:...`` over all that decides which software is in the environment."""
        parts = [
            _FORMAT,
            self.lock,
            sorted((wheel.name, wheel.digest) for wheel, _ in self.wheels),
            self.interpreter.version,
            platform.machine(),
        ]
        return f"sha256:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


class Builder:
    """Builds the environment of one tag; ``on_progress`` sees what the progress file says."""

    def __init__(self, layout: Layout, tag: str, on_progress: OnProgress) -> None:
        self.layout = layout
        self.tag = tag
        self.work = layout.building(tag)
        self.on_progress = on_progress
        self.progress = BuildProgress(
            tag, "waiting", 0.0, "Waiting", "building", os.getpid(), now(), now()
        )

    def build(self, find_recipe: FindRecipe) -> Environment:
        """Build what is not there yet. Raises ``EnvironmentBuildError``; then nothing is left.

        An environment that exists and is up to date is returned at once. One that cannot be
        renewed stays in use, and the progress says why it is the earlier one.
        """
        self.layout.make()
        with builder_lock(self.layout, self.tag, self._wait_for) as lock:
            existing = read_current(self.layout, self.tag)
            try:
                environment = self._build(find_recipe, existing, lock)
            except (EnvironmentBuildError, OSError, KeyboardInterrupt) as error:
                shutil.rmtree(self.work, ignore_errors=True)
                reason = reason_of(error)
                if existing is not None and not isinstance(error, KeyboardInterrupt):
                    self._say("ready", f"Still the earlier build: {reason}", 1.0, "ready")
                    return existing
                self._say(self.progress.phase, "Failed", None, "failed", reason)
                if isinstance(error, KeyboardInterrupt | UnknownTagError):
                    raise
                raise EnvironmentBuildError(reason) from error
            self._say("ready", "Ready", 1.0, "ready")
            return environment

    def _wait_for(self, pid: int) -> None:
        waiting = replace(self.progress, message=f"Process {pid} is building the same environment")
        self.on_progress(waiting)  # the progress file is that process's

    def _say(
        self,
        phase: BuildPhase,
        message: str,
        fraction: float | None,
        state: BuildState = "building",
        reason: str | None = None,
    ) -> None:
        self.progress = replace(
            self.progress,
            phase=phase,
            message=message,
            fraction=fraction,
            state=state,
            reason=reason,
            updated=now(),
        )
        write_progress(self.layout, self.progress)
        self.on_progress(self.progress)

    def _build(
        self, find_recipe: FindRecipe, existing: Environment | None, lock: int
    ) -> Environment:
        started = time.monotonic()
        self._say("resolving", "Choosing versions", 0.0)
        shutil.rmtree(self.work, ignore_errors=True)
        make_folder(self.work)
        self.layout.log(self.tag).unlink(missing_ok=True)
        uv = Uv(self.layout.root, self.layout.log(self.tag), keep_open=(lock,))
        try:
            recipe = find_recipe(self.tag)
        except UnknownTagError:
            if existing is not None:  # the index forgot it, or there is no catalogue
                return existing
            raise
        plan = self._plan(uv, recipe, existing)
        folder = folder_name(plan.digest)
        ready = read_environment(self.layout.ready(self.tag) / folder)
        if ready is None:
            ready = self._make(uv, plan)
            publish = True
        else:
            publish = existing is None or existing.digest != ready.digest
        if publish:
            write_text(self.layout.current(self.tag), folder + "\n")
            add_history(self.layout, ready, time.monotonic() - started)
            self._prune(keep={folder, existing.prefix.name if existing else folder})
        shutil.rmtree(self.work, ignore_errors=True)
        self.layout.log(self.tag).unlink(missing_ok=True)
        return ready

    def _plan(self, uv: Uv, recipe: Recipe, existing: Environment | None) -> Plan:
        interpreter = find_interpreter(for_others=os.geteuid() == 0)
        wheels = tuple(
            (own_wheel(name, self.layout.wheels, partial(build_wheel, uv, interpreter)), extras)
            for name, extras in sorted(own_closure(recipe.own).items())
        )
        environment = locks.markers(interpreter.version)
        known = [locks.shipped(recipe.lock)] if recipe.exact_lock else []
        if existing is not None:
            known.append(existing.prefix / LOCK)
        for path in known:
            text = path.read_text() if path.exists() else ""
            if not locks.unsatisfied(text, recipe.requirements, wheels, environment):
                return Plan(recipe, interpreter, wheels, text)
        text = locks.resolve(
            uv,
            recipe,
            wheels,
            self.work / LOCK,
            locks.shipped(recipe.lock),
            ["--python", str(interpreter.path)],
            lambda _: None,
        )
        return Plan(recipe, interpreter, wheels, text)

    def _make(self, uv: Uv, plan: Plan) -> Environment:
        prefix = self.work / "environment"
        versions = locks.pins(plan.lock, locks.markers(plan.interpreter.version))
        versions |= {wheel.name: wheel.version for wheel, _ in plan.wheels}
        self._install(uv, plan, prefix, len(versions))
        others = [
            found.prefix
            for tag in self.layout.ready_tags()
            if (found := read_current(self.layout, tag))
        ]
        self._compile(plan, prefix, others)
        contents.open_to_others(prefix)
        self._say("checking", "Checking that it works", overall("checking", 0.0))
        checks.check(prefix, plan.recipe, [wheel.name for wheel, _ in plan.wheels], uv.log)
        size = contents.measure(prefix, others)
        final = self.layout.ready(self.tag) / folder_name(plan.digest)
        environment = Environment(
            tag=self.tag,
            title=plan.recipe.title,
            kind=plan.recipe.kind,
            prefix=final,
            python=final / "bin" / "python",
            digest=plan.digest,
            versions=versions,
            size_bytes=size.total,
            added_bytes=size.added,
            created=now(),
        )
        write_environment(environment, prefix)
        make_folder(final.parent)
        if final.exists():  # without a manifest or a Python: unusable
            final.rename(self.work / "unusable")
        prefix.rename(final)
        return environment

    def _install(self, uv: Uv, plan: Plan, prefix: Path, packages: int) -> None:
        meter = InstallMeter(packages)
        self._say("downloading", meter.message, meter.fraction)

        def follow(line: str) -> None:
            if meter.feed(line):
                self._say(meter.phase, meter.message, meter.fraction)

        uv.run(["venv", "--relocatable", "--python", plan.interpreter.path, prefix], follow)
        write_text(prefix / LOCK, plan.lock)
        python: list[str | Path] = ["--python", prefix / "bin" / "python"]
        sync = ["pip", "sync", "--require-hashes", "--allow-empty-requirements"]
        uv.run([*sync, *python, prefix / LOCK], follow)
        own = [wheel.path for wheel, _ in plan.wheels]
        if own:
            uv.run(["pip", "install", "--no-deps", "--offline", *python, *own], follow)

    def _compile(self, plan: Plan, prefix: Path, others: list[Path]) -> None:
        site = contents.site_packages(prefix)
        tag = plan.interpreter.cache_tag
        self._say("compiling", "Preparing for a quick start", overall("compiling", 0.0))
        donors = [contents.site_packages(other) for other in others]
        contents.share_bytecode(site, donors, tag)
        meter = CompileMeter(contents.uncompiled(site, tag))

        def follow(line: str) -> None:
            if meter.feed(line):
                self._say("compiling", "Preparing for a quick start", meter.fraction)

        command = [str(prefix / "bin" / "python"), "-I", "-m", "compileall", "-j", "0"]
        run_logged(
            [*command, "-x", _NOT_COMPILED, str(site)],
            self.layout.log(self.tag),
            {"PATH": os.environ.get("PATH", os.defpath)},
            follow,
            # Packages carry files that are no Python of this version (templates): status 1.
            lambda lines: DISK_FULL if "No space left" in "\n".join(lines) else "",
            accept=(0, 1),
        )

    def _prune(self, keep: set[str]) -> None:
        """Remove generations before the last that no process runs in."""
        for folder in self.layout.ready(self.tag).iterdir():
            if folder.is_dir() and folder.name not in keep and not contents.processes_in(folder):
                folder.rename(self.work / f"old-{folder.name}")


def build_wheel(uv: Uv, interpreter: Interpreter, source: Path, output: Path) -> None:
    """Build the wheel of a source folder."""
    uv.run(
        ["build", "--wheel", "--python", interpreter.path, "--out-dir", output, source],
        lambda _: None,
    )


def remove(layout: Layout, tag: str) -> list[int]:
    """Remove a tag's environments; if processes run in one, nothing is removed and they are named.

    Raises ``UnknownTagError`` if there is nothing to remove.
    """
    layout.make()
    ready = layout.ready(tag)
    if not ready.is_dir():
        raise UnknownTagError(tag, tuple(layout.ready_tags()))
    with builder_lock(layout, tag, lambda _: None):
        running = contents.processes_in(ready)
        if running:
            return running
        work = layout.building(tag)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        ready.rename(work / "removed")
        shutil.rmtree(work)
        layout.progress(tag).unlink(missing_ok=True)
    return []


def reason_of(error: BaseException) -> str:
    """Why a build failed, as a sentence."""
    if isinstance(error, KeyboardInterrupt):
        return "The build was stopped."
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DISK_FULL
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}"
    return str(error)
