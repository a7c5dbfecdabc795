"""Starting, stopping and waiting for the processes of the cluster."""

from __future__ import annotations

import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness import processes
from tests.cluster.harness.commands import Answer, Component
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import Layout

CLIENTS = ("controller-manager", "scheduler", "kubelet")
"""What acts on objects of the API server."""


def until(condition: Callable[[], bool], seconds: float, interval: float = 0.05) -> bool:
    """Ask again until it holds; False when it did not within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


def answers(answer: Answer) -> bool:
    """Whether it works just now."""
    if answer.socket:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            return client.connect_ex(answer.socket) == 0
    if not answer.url:
        return True
    # Several of them sign their own certificate; nothing secret is sent.
    trusting = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(answer.url, timeout=2, context=trusting) as response:
            return response.status == 200 and answer.body in response.read().decode()
    except (urllib.error.URLError, OSError):
        return False


@dataclass(frozen=True)
class Components:
    """The processes of one cluster; faults are made by stopping some of them."""

    layout: Layout
    known: dict[str, Component]

    def start(self, name: str, seconds: float = 60.0) -> None:
        """Start a component unless it runs, and wait until it answers."""
        component = self._named(name)
        if not self.runs(name):
            record = processes.spawn(
                component.command, self.layout.logs / f"{name}.log", component.environment
            )
            processes.save(self._record(name), record)
        self.wait(name, seconds)

    def stop(self, name: str, *, at_once: bool = False) -> None:
        """End a component; ``at_once`` is a crash: it gets no time to say goodbye."""
        component = self._named(name)
        record = processes.load(self._record(name))
        if record is not None:
            processes.end(record, 0.0 if at_once else component.patience)
            self._record(name).unlink(missing_ok=True)
        if component.answer.socket:
            Path(component.answer.socket).unlink(missing_ok=True)

    def restart(self, name: str, seconds: float = 60.0) -> None:
        self.stop(name)
        self.start(name, seconds)

    @contextmanager
    def stopped(self, name: str, *, at_once: bool = False, wake: bool = False) -> Iterator[None]:
        """Within the block the component is down; after it, it answers again.

        ``wake`` is for the API server: the cluster's own programs are started anew then. They
        would look for it again, but after a long absence only within a minute.
        """
        self.stop(name, at_once=at_once)
        try:
            yield
        finally:
            self.start(name)
            for client in CLIENTS if wake else ():
                self.restart(client)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Within the block the component accepts connections and never answers."""
        self.freeze(name)
        try:
            yield
        finally:
            self.thaw(name)

    def freeze(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str, seconds: float = 60.0) -> None:
        self._signal(name, signal.SIGCONT)
        self.wait(name, seconds)

    def wait(self, name: str, seconds: float = 60.0) -> None:
        """Wait until a started component answers; its log's end is the error otherwise."""
        component = self._named(name)
        if until(lambda: not self.runs(name) or answers(component.answer), seconds):
            if self.runs(name):
                return
            problem = "ended"
        else:
            problem = f"did not answer within {seconds:.0f} s"
        log = self.layout.logs / f"{name}.log"
        raise HarnessError(f"{name} {problem}; the end of {log}:\n{_last_lines(log)}")

    def runs(self, name: str) -> bool:
        record = processes.load(self._record(name))
        return record is not None and processes.alive(record)

    def works(self, name: str) -> bool:
        return self.runs(name) and answers(self._named(name).answer)

    def process_id(self, name: str) -> int | None:
        record = processes.load(self._record(name))
        return record.pid if record is not None and processes.alive(record) else None

    def _signal(self, name: str, sign: signal.Signals) -> None:
        record = processes.load(self._record(self._named(name).name))
        if record is None or not processes.send(record, sign):
            raise HarnessError(f"{name} does not run; start it with `start {name}`")

    def _named(self, name: str) -> Component:
        if name not in self.known:
            raise HarnessError(f"there is no component {name}; there are {', '.join(self.known)}")
        return self.known[name]

    def _record(self, name: str) -> Path:
        return self.layout.records / f"{name}.json"


def _last_lines(log: Path, count: int = 12) -> str:
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
