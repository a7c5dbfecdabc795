"""The service as a real process, and the hub's API beside it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer

import httpx
import pytest

HERE = Path(__file__).parent
SCOPE = "custom:tap:query"


@dataclass
class FakeHub:
    """Answers ``GET /hub/api/user`` as JupyterHub 6.1 does (``data/hub_user*.json``).

    The recorded answers are checked against a real hub in ``test_auth_real_hub.py``.
    """

    server: ThreadingHTTPServer
    tokens: dict[str, dict[str, object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    failing: bool = False

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hub/api"

    def add(self, token: str, name: str, scopes: tuple[str, ...] = (SCOPE,)) -> str:
        model = json.loads((HERE / "data" / "hub_user.json").read_text())
        self.tokens[token] = {**model, "name": name, "scopes": list(scopes)}
        return token


class _HubHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        fake = _HUBS[self.server]
        token = self.headers.get("Authorization", "").removeprefix("token ")
        fake.asked.append(token)
        if fake.failing:
            self._answer(502, {"message": "broken"})
        elif token in fake.tokens and self.path == "/hub/api/user":
            self._answer(200, fake.tokens[token])
        else:
            unknown = (HERE / "data" / "hub_user_unknown.json").read_text()
            self._answer(403, json.loads(unknown))

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


_HUBS: dict[BaseServer, FakeHub] = {}


@pytest.fixture(scope="session")
def hub_process() -> Iterator[FakeHub]:
    fake = FakeHub(ThreadingHTTPServer(("127.0.0.1", 0), _HubHandler))
    fake.server.daemon_threads = True
    _HUBS[fake.server] = fake
    threading.Thread(target=fake.server.serve_forever, daemon=True).start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


@pytest.fixture
def hub(hub_process: FakeHub) -> Iterator[FakeHub]:
    hub_process.add("token-of-vera", "vera")
    hub_process.add("token-of-edwin", "edwin")
    hub_process.add("token-without-scope", "vera", ("read:users:name!user=vera",))
    yield hub_process
    hub_process.failing = False
    hub_process.tokens.clear()
    hub_process.asked.clear()


@dataclass
class Service:
    """A running service process."""

    process: subprocess.Popen[str]
    url: str
    lines: queue.Queue[str | None]
    first_lines: str
    """What it said up to the word that it is ready."""

    def client(self, token: str | None = "token-of-vera") -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def log(self) -> str:
        """What it wrote since it was ready; of a service that has ended."""
        return "".join(iter(lambda: self.lines.get(timeout=30), None))


def run_service(
    command: list[str], *, env: dict[str, str] | None = None, prefix: str = "/services/tap"
) -> Service:
    """Start a service and return when it says that it is ready."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )
    assert process.stdout is not None
    source = process.stdout
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in source:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    seen = ""
    while True:
        line = lines.get(timeout=60)
        if line is None:
            raise AssertionError(f"the service ended before it was ready:\n{seen}")
        seen += line
        if "ready at " in line:
            return Service(process, line.split("ready at ")[1].strip(), lines, seen)


@dataclass
class Starter:
    """Starts services on one state folder, one after the other."""

    config: dict[str, object]
    folder: Path
    running: list[Service] = field(default_factory=list)

    def __call__(
        self, *, small: bool = False, env: dict[str, str] | None = None, **changes: object
    ) -> Service:
        """``small`` takes the engine of ``small_engine.py``, whose queries can fail on request."""
        file = self.folder / "config.json"
        file.write_text(json.dumps({**self.config, **changes}))
        program = [str(HERE / "small_engine.py")] if small else ["-m", "despejado_services"]
        service = run_service([sys.executable, *program, "--config", str(file)], env=env)
        self.running.append(service)
        return service

    def stop(self) -> None:
        for service in self.running:
            if service.process.poll() is None:
                service.kill()


def service_config(hub: FakeHub, folder: Path) -> dict[str, object]:
    return {
        "host": "127.0.0.1",
        "port": 0,
        "prefix": "/services/tap",
        "state": str(folder / "state"),
        "data": str(folder / "data"),
        "hub_api_url": hub.api_url,
        "scope": SCOPE,
        "public_url": "http://127.0.0.1:8000/services/tap",
    }


@pytest.fixture
def start(hub: FakeHub, tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(service_config(hub, tmp_path), tmp_path)
    yield starter
    starter.stop()


@pytest.fixture(scope="module")
def tap_process(
    hub_process: FakeHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tap")
    starter = Starter(service_config(hub_process, folder), folder)
    yield starter()
    starter.stop()


@pytest.fixture(scope="module")
def small_process(
    hub_process: FakeHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("small")
    starter = Starter(service_config(hub_process, folder), folder)
    yield starter(small=True)
    starter.stop()


@pytest.fixture
def tap(tap_process: Service, hub: FakeHub) -> Service:
    """The service with its real engine and the sample catalogue."""
    return tap_process


@pytest.fixture
def small(small_process: Service, hub: FakeHub) -> Service:
    """The service with an engine whose queries fail or wait on request."""
    return small_process


Wait = Callable[[httpx.Client, str], str]


@pytest.fixture
def ended() -> Wait:
    """Wait until a job (path below the service) has ended, and give its phase."""

    def wait(client: httpx.Client, job: str) -> str:
        phase = ""
        for _ in range(5):
            client.get(job, params={"WAIT": "20"}).raise_for_status()
            phase = client.get(f"{job}/phase").text
            if phase not in ("PENDING", "QUEUED", "EXECUTING"):
                break
        return phase

    return wait
