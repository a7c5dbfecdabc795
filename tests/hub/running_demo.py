"""``despejado demo`` as a process, and people who use it over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

COMMAND = (sys.executable, "-c", "import sys; from despejado_hub.cli import main; sys.exit(main())")


def until(what: Callable[[], Any], why: str, seconds: float = 90.0) -> Any:
    """The first true answer of ``what``; fails with ``why`` if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, f"{why} (waited {seconds:.0f} s)"
        time.sleep(0.05)
    return answer


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that labs under other users can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="despejado demo "))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass
class RunningDemo:
    """One demo, from its start to its end."""

    folder: Path
    options: tuple[str, ...] = ("--no-build",)
    state: str = "state"
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def ready_file(self) -> Path:
        return self.folder / "ready.json"

    @property
    def log(self) -> Path:
        return self.folder / "demo.log"

    @property
    def output(self) -> str:
        return self.log.read_text()

    def launch(self) -> subprocess.Popen[bytes]:
        arguments = ["demo", "--no-browser", "--port", str(self.port), "--state", self.state]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments, "--ready-file", str(self.ready_file), *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        return self.process

    def start(self) -> RunningDemo:
        """Launch it and wait until it says that it is ready."""
        process = self.launch()

        def ready() -> bool:
            assert process.poll() is None, f"the demo ended:\n{self.output}"
            return self.ready_file.exists()

        until(ready, f"the demo is not ready:\n{self.output}")
        return self

    @property
    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def pids(self) -> dict[str, int]:
        found: dict[str, int] = self.ready["processes"]
        return found

    def everything(self) -> list[psutil.Process]:
        """The demo and all processes below it, as they are now."""
        assert self.process is not None
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ctrl-C, as the terminal sends it; returns the exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.signal(signal.SIGINT)
        return self.process.wait(60)


class Person:
    """Somebody at the hub without a browser."""

    def __init__(self, demo: RunningDemo, name: str) -> None:
        self.name = name
        self.http = httpx.Client(base_url=demo.url, timeout=30)
        self.password = str(demo.ready["password"])

    def form(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of the hub's, with the token against forged requests."""
        self.http.get("/hub/login")
        return self.http.post(path, data={**fields, "_xsrf": self.xsrf})

    def log_in(self) -> Person:
        answer = self.form("/hub/login", username=self.name, password=self.password)
        assert answer.status_code == 302, answer.text
        self.http.get("/hub/home")
        return self

    @property
    def xsrf(self) -> str:
        return next(c.value or "" for c in self.http.cookies.jar if c.name == "_xsrf")

    def api(self, method: str, path: str, **json_body: Any) -> httpx.Response:
        return self.http.request(
            method, f"/hub/api{path}", params={"_xsrf": self.xsrf}, json=json_body or None
        )

    def token(self, *scopes: str) -> str:
        """What the token page makes."""
        answer = self.api(
            "POST", f"/users/{self.name}/tokens", note="test", scopes=list(scopes) or ["inherit"]
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


def none_left(processes: list[psutil.Process]) -> bool:
    """Whether all of them have ended (psutil compares start times, as it must)."""
    return not [
        one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    ]
