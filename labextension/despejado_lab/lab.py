"""What the handlers do: one object for each server, its file work in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from despejado_lab.cgroup import Memory, read_memory
from despejado_lab.config import LabConfig, read_config
from despejado_lab.errors import TutorialMissing
from despejado_lab.hub_api import HubApi
from despejado_lab.memory_watch import MemoryWatch, Stop
from despejado_lab.tutorial_copy import Copied, copy_tutorial
from despejado_lab.tutorial_tree import Entry, TutorialTree, packaged_folders

NO_TUTORIALS = (
    "No tutorials are installed here. The package despejado-tutorials brings some; "
    "the setting DespejadoLab.tutorials_dir names a folder of your own."
)


@dataclass(frozen=True)
class Tutorials:
    """The tree, or in ``problem`` why there is none."""

    entries: tuple[Entry, ...]
    problem: str | None = None

    def as_json(self) -> dict[str, object]:
        """The answer of the route, as JSON."""
        return {"entries": [entry.as_json() for entry in self.entries], "problem": self.problem}


@dataclass(frozen=True)
class MemoryState:
    """Memory now, None where nothing counts it, and what was stopped for it."""

    now: Memory | None
    stops: tuple[Stop, ...]

    def as_json(self) -> dict[str, object]:
        """The answer of the route, as JSON."""
        return {
            "used": self.now.used if self.now else None,
            "limit": self.now.limit if self.now else None,
            "stops": [stop.as_json() for stop in self.stops],
        }


@dataclass(frozen=True)
class Lab:
    """The lab behind the front end.

    ``root`` is the server's root folder, ``runtime_dir`` the lab's runtime folder if it has one,
    ``tutorials_dir`` a folder that overrides ``lab.json``, ``target`` where copies go
    below ``root``, ``cgroup_dir`` the control group that counts the lab's memory.
    """

    root: Path
    target: PurePosixPath
    runtime_dir: Path | None
    tutorials_dir: Path | None
    environ: Mapping[str, str] = field(repr=False)
    cgroup_dir: Path
    watch: MemoryWatch = field(repr=False)
    _tree: TutorialTree = field(default_factory=TutorialTree, repr=False)
    # Titles are remembered by one reader at a time.
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def config(self) -> LabConfig:
        """What ``lab.json`` or the environment says now."""
        return await asyncio.to_thread(read_config, self.runtime_dir, self.environ)

    async def tutorials(self) -> Tutorials:
        """The tree of tutorials; never raises for a folder that is not there."""
        async with self._reading:
            return await asyncio.to_thread(self._read_tutorials)

    async def copy_tutorial(self, path: str, *, overwrite: bool) -> Copied:
        """Copy one to the home; raises what ``tutorial_copy.copy_tutorial`` raises."""
        return await asyncio.to_thread(self._copy, path, overwrite)

    async def memory(self) -> MemoryState:
        """Memory now, and the programs that were stopped because there was no more."""
        now = await asyncio.to_thread(read_memory, self.cgroup_dir)
        self.watch.looked(now)
        return MemoryState(now, self.watch.stops)

    async def kernel_died(self, kernel: str, document: str | None) -> None:
        """A kernel has ended by itself; tells of it if memory was the reason."""
        now = await asyncio.to_thread(read_memory, self.cgroup_dir)
        self.watch.kernel_died(now, kernel, document)

    def hub(self) -> HubApi:
        """The hub that started this server. Raises NoHub."""
        return HubApi.from_environment(self.environ)

    def _folder(self) -> Path | None:
        if self.tutorials_dir is not None:
            return self.tutorials_dir
        named = read_config(self.runtime_dir, self.environ).tutorials
        if named:
            return Path(named)
        return next(iter(packaged_folders()), None)

    def _read_tutorials(self) -> Tutorials:
        try:
            folder = self._folder()
        except (ImportError, AttributeError) as error:
            return Tutorials((), f"The package of tutorials cannot be loaded: {error}")
        if folder is None:
            return Tutorials((), NO_TUTORIALS)
        try:
            entries = self._tree.read(folder)
        except OSError as error:
            return Tutorials((), f"The tutorials cannot be read: {error}")
        return Tutorials(entries, None if entries else f"There are no notebooks in {folder}.")

    def _copy(self, path: str, overwrite: bool) -> Copied:
        folder = self._folder()
        if folder is None:
            raise TutorialMissing(NO_TUTORIALS)
        return copy_tutorial(folder, self.root, self.target, path, overwrite=overwrite)
