"""What is made ready behind the login page: environments and the sample repository.

The work is a process of its own (``despejado_hub.supervisor.builds``) whose lines are shown on the
terminal, so that its libraries leave the memory when it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable

from despejado_hub.supervisor.child import child_environment, how_it_ended, open_log
from despejado_hub.supervisor.processes import ProcessRecord, record, stop
from despejado_hub.supervisor.settings import Settings
from despejado_hub.supervisor.state import StateFolder


class Background:
    """The builds behind the login page, followed line by line."""

    def __init__(self, settings: Settings, state: StateFolder, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._state = state
        self._say = say
        self._task: asyncio.Task[None] | None = None
        self.process: ProcessRecord | None = None

    def start(self) -> None:
        """Begin; nothing waits for it."""
        self._task = asyncio.create_task(self._follow(), name="builds")

    async def _follow(self) -> None:
        path = self._state.logs / "builds.log"
        log = open_log(path)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "despejado_hub.supervisor.builds",
                self._settings.platform,
                self._settings.state,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=child_environment(os.environ),
                start_new_session=True,
            )
        finally:
            os.close(log)
        self.process = record(process.pid)
        if process.stdout is not None:
            async for line in process.stdout:
                self._say(line.decode(errors="replace").rstrip())
        code = await process.wait()
        self.process = None
        if code != 0:
            self._say(f"The builder of environments {how_it_ended(code)}. Its log: {path}")

    async def stop(self) -> None:
        """End it and everything below it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self.process is not None:
            await stop([self.process], grace=3.0)
            self.process = None
