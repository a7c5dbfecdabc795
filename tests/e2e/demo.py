"""Run `despejado demo` as its users do: a process, a ready file, a signal to stop."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass(frozen=True)
class Demo:
    """A running demo: what its ready file said, and where its state is."""

    process: subprocess.Popen[bytes]
    state: Path
    ready_file: Path
    log: Path

    @property
    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    @property
    def url(self) -> str:
        return str(self.ready["url"]).rstrip("/")

    @property
    def password(self) -> str:
        return str(self.ready["password"])


@contextmanager
def running_demo(
    command: list[str], state: Path, output: Path, options: Sequence[str] = ()
) -> Iterator[Demo]:
    """Start the demo on a free port, wait for its ready file, and stop it with Ctrl-C's signal."""
    output.mkdir(parents=True, exist_ok=True)
    log = output / "demo.log"
    ready_file = state / "ready.json"
    ready_file.unlink(missing_ok=True)
    arguments = ["demo", "--no-browser", "--port", str(free_port()), "--state", str(state)]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, *arguments, *options, "--ready-file", str(ready_file)],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
            cwd="/", start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(ready_file.exists, process, log, seconds=120)
            yield Demo(process, state, ready_file, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def wait_for(
    done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float
) -> None:
    """Poll another process's doing; fail with its log if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, f"the demo ended:\n{log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"not within {seconds} s:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A temporary folder that other users can traverse, as a state folder must be."""
    folder = Path(tempfile.mkdtemp(prefix="despejado-e2e-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class HubUser:
    """A person at the hub without a browser: log in, take a token, use the REST API."""

    def __init__(self, demo: Demo, name: str) -> None:
        self.demo = demo
        self.name = name
        self.http = httpx.Client(base_url=demo.url, follow_redirects=True, timeout=60)
        self.http.get("/hub/login")
        self._post("/hub/login", data={"username": name, "password": demo.password})
        self.token = self.new_token("e2e")

    def _xsrf(self) -> str:
        values = [cookie.value for cookie in self.http.cookies.jar if cookie.name == "_xsrf"]
        assert values and values[-1], "no XSRF cookie: not logged in"
        return values[-1]

    def _post(self, path: str, **kwargs: Any) -> httpx.Response:
        answer = self.http.post(path, params={"_xsrf": self._xsrf()}, **kwargs)
        assert answer.status_code < 400, (path, answer.status_code, answer.text[:500])
        return answer

    def new_token(self, note: str) -> str:
        """What the token page does."""
        answer = self._post(
            f"/hub/api/users/{self.name}/tokens",
            json={"note": note},
            headers={"Referer": f"{self.demo.url}/hub/token"},
        )
        return str(answer.json()["token"])

    def api(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.demo.url}/hub/api{path}",
            headers={"Authorization": f"token {self.token}"},
            timeout=60,
            **kwargs,
        )
