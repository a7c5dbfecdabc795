"""One process of the platform that is kept running: started, watched, started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from despejado_hub.supervisor.http import until
from despejado_hub.supervisor.processes import ProcessRecord, record, stop
from despejado_hub.variables import FOREIGN

LONGEST_PAUSE = 30.0
"""Seconds between attempts at most."""
STEADY_AFTER = 60.0
"""A process that ran for this many seconds had no trouble starting."""
LOG_LIMIT = 5_000_000
"""Bytes after which a log is set aside at the next start."""


@dataclass(frozen=True)
class ChildSpec:
    """What to run, what to call it, where its output goes, and how to see that it works.

    ``ready`` returns whether the process answers; it is asked again until it does. ``after`` is
    the name of a process that must answer before this one is started for the first time.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    after: str | None = None
    grace: float = 5.0


def pause_before(failures: int) -> float:
    """Seconds to wait before the next start after so many failures in a row.

    The first comes at once: usually a process was killed and nothing is wrong with it.
    """
    return 0.0 if failures <= 1 else min(0.25 * 2 ** min(failures - 2, 10), LONGEST_PAUSE)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the platform."""
    kept = {name: value for name, value in environ.items() if not name.startswith(FOREIGN)}
    # glibc gives each thread an arena of its own, which mostly costs memory here.
    return {**kept, "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}


def open_log(path: Path) -> int:
    """A descriptor to append to a log; a long one is set aside first (one old copy is kept)."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_lines(path: Path, count: int) -> str:
    """The end of a log, for a message."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"  | {line}" for line in text.splitlines()[-count:])


def how_it_ended(code: int) -> str:
    """``ended with status 1`` or ``was ended by SIGKILL``."""
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


class Child:
    """A process that is started again whenever it ends, until it is told to stop."""

    def __init__(
        self,
        spec: ChildSpec,
        *,
        say: Callable[[str], None],
        started: Callable[[Child], None],
        came_back: Callable[[Child], Awaitable[None]],
    ) -> None:
        self.spec = spec
        self.process: ProcessRecord | None = None
        self.answers = asyncio.Event()
        self.failed = asyncio.Event()
        self._say = say
        self._started = started
        self._came_back = came_back
        self._task: asyncio.Task[None] | None = None

    def start(self, after: asyncio.Event | None) -> None:
        """Begin to keep the process running, once ``after`` is set."""
        self._task = asyncio.create_task(self._keep(after), name=f"keep {self.spec.name}")

    async def _keep(self, after: asyncio.Event | None) -> None:
        if after is not None:
            await after.wait()
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            begun = loop.time()
            how = await self._run(again=failures > 0)
            failures = 1 if loop.time() - begun > STEADY_AFTER else failures + 1
            if not self.answers.is_set() and failures >= 3:
                # It never worked: to try on would hide why.
                self.failed.set()
                return
            pause = pause_before(failures)
            when = f" in {pause:.0f} s" if pause >= 1 else ""
            self._say(
                f"The {self.spec.name} process {how}; starting it again{when}. "
                f"Its log: {self.spec.log}"
            )
            await asyncio.sleep(pause)

    async def _run(self, *, again: bool) -> str:
        """Start the process and wait for its end; returns in words how it ended."""
        try:
            process = await self._spawn()
        except OSError as error:
            return f"could not be started ({error.strerror})"
        waiting = asyncio.create_task(self._wait_until_ready(again=again))
        try:
            code = await process.wait()
        finally:
            waiting.cancel()
        self.process = None
        return how_it_ended(code)

    async def _spawn(self) -> asyncio.subprocess.Process:
        log = open_log(self.spec.log)
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=child_environment(os.environ),
                # Ctrl-C in the terminal is for the supervisor, which stops things in order.
                start_new_session=True,
            )
        finally:
            os.close(log)
        self.process = record(process.pid)
        self._started(self)
        return process

    async def _wait_until_ready(self, *, again: bool) -> None:
        await until(self.spec.ready)
        self.answers.set()
        if again:
            await self._came_back(self)

    async def stop(self) -> None:
        """End the process and everything below it."""
        await self.forget()
        if self.process is not None:
            await stop([self.process], self.spec.grace)
            self.process = None

    async def forget(self) -> None:
        """Stop to watch the process, which goes on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
