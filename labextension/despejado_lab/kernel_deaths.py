"""Noticing that a kernel has died, from what Jupyter Server offers for it.

The server tells of kernels that start (``kernel_actions``), and each kernel's restarter tells of
its death before it starts the kernel again. Both are there in every server that has not replaced
its kernel manager; one that has just tells nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async
from tornado import web

KERNEL_ACTIONS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"

Told = Callable[[str, str | None], Awaitable[None]]
"""Awaited with the name of a kernel's specification and the path of its document, if any."""


class KernelDeaths:
    """Calls ``told`` for every kernel that ends without being asked to.

    Parameters
    ----------
    kernels, sessions
        The server's kernel manager and session manager.
    """

    def __init__(self, kernels: Any, sessions: Any, told: Told) -> None:
        self._kernels = kernels
        self._sessions = sessions
        self._told = told
        # The loop keeps no task alive by itself.
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, events: Any) -> None:
        """Attend to every kernel that starts from now on; ``events`` is the server's logger."""
        events.add_listener(schema_id=KERNEL_ACTIONS, listener=self._on_action)

    async def _on_action(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        kernel = data.get("kernel_id")
        if data.get("action") != "start" or not kernel or kernel not in self._kernels:
            return
        # A restart is a start as well, of a kernel whose restarter stays: one callback is enough.
        callback = _Callback(self, kernel)
        self._kernels.remove_restart_callback(kernel, callback, "restart")
        self._kernels.add_restart_callback(kernel, callback, "restart")

    def died(self, kernel: str) -> None:
        """Called by the restarter, in the server's loop."""
        task = asyncio.get_running_loop().create_task(self._tell(kernel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, kernel: str) -> None:
        name = self._kernels.get_kernel(kernel).kernel_name if kernel in self._kernels else ""
        await self._told(name, await self._document(kernel))

    async def _document(self, kernel: str) -> str | None:
        try:
            session = await ensure_async(self._sessions.get_session(kernel_id=kernel))
        except web.HTTPError:
            return None  # a kernel without a document
        path = session.get("path")
        return path if isinstance(path, str) and path else None


@dataclass(frozen=True)
class _Callback:
    """Equal for the same kernel, so that it can be taken back."""

    deaths: KernelDeaths
    kernel: str

    def __call__(self) -> None:
        self.deaths.died(self.kernel)
