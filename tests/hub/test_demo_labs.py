"""A real lab through the life of a demo: hub and proxy killed under it, stopped, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.hub.running_demo import Person, RunningDemo, none_left, open_folder, until

pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]

BUILD_SECONDS = 600.0


@pytest.fixture(scope="module")
def demo() -> Iterator[RunningDemo]:
    with open_folder() as folder:
        running = RunningDemo(folder)
        try:
            yield running.start()
        finally:
            running.stop()


class Lab:
    """The lab of one person, started with the plain environment."""

    def __init__(self, demo: RunningDemo, name: str) -> None:
        self.demo = demo
        self.person = Person(demo, name).log_in()
        self.headers = {"Authorization": f"token {self.person.token()}"}
        self.folder = demo.folder / "state" / "labs" / name / "default"

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "lab.json").read_text())
        return found

    @property
    def data_token(self) -> Path:
        return self.folder / "runtime" / "secrets" / "token"

    def request_start(self) -> None:
        path = f"/users/{self.person.name}/server"
        answer = self.person.api("POST", path, image="plain", size="small")
        assert answer.status_code in (201, 202), answer.text

    def events(self) -> Iterator[dict[str, Any]]:
        """The progress of the start, as the progress page gets it through the proxy."""
        url = f"{self.demo.url}hub/api/users/{self.person.name}/server/progress"
        with httpx.stream("GET", url, headers=self.headers, timeout=BUILD_SECONDS) as stream:
            assert stream.status_code == 200, stream.read()
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def answers(self) -> bool:
        url = f"{self.demo.url}user/{self.person.name}/api/status"
        return httpx.get(url, headers=self.headers).status_code == 200

    def start_kernel(self) -> None:
        url = f"{self.demo.url}user/{self.person.name}/api/kernels"
        made = httpx.post(url, headers=self.headers, json={}, timeout=60)
        assert made.status_code == 201, made.text

    def query(self, token: str) -> int:
        tables = f"{self.demo.ready['services']['tap']}/tables"
        return httpx.get(tables, headers={"Authorization": f"Bearer {token}"}).status_code


def test_lab_outlives_hub_and_proxy_and_ends_with_its_token(demo: RunningDemo) -> None:
    lab = Lab(demo, "rachel")
    lab.request_start()
    first = next(iter(lab.events()))
    # Held back by a proxy, the first event would come with the last.
    assert not first.get("ready")
    assert not lab.answers()
    events = list(lab.events())
    assert events[-1].get("ready"), events
    percents = [event["progress"] for event in events]
    assert percents == sorted(percents)
    assert lab.answers()

    server = psutil.Process(lab.record["pid"])
    token = lab.data_token.read_text().strip()
    assert stat.S_IMODE(lab.data_token.stat().st_mode) == 0o400
    assert lab.query(token) == 200
    seen = httpx.get(f"{demo.url}hub/api/user", headers={"Authorization": f"token {token}"})
    assert "custom:tap:query" in seen.json()["scopes"]
    assert not [scope for scope in seen.json()["scopes"] if scope.startswith(("access", "delete"))]

    hub = demo.pids["hub"]
    os.kill(hub, signal.SIGKILL)
    # The lab answers while there is no hub to ask.
    assert server.is_running()
    until(lambda: demo.pids.get("hub", hub) != hub, "the hub is not back")
    until(lambda: "The hub process works again." in demo.output, "the hub does not work")
    servers = lab.person.api("GET", "/users/rachel").json()["servers"]
    assert servers[""]["ready"]
    assert lab.answers()

    proxy = demo.pids["proxy"]
    os.kill(proxy, signal.SIGKILL)
    until(lambda: demo.pids.get("proxy", proxy) != proxy, "the proxy is not back")
    until(lambda: "The proxy process works again." in demo.output, "the proxy does not work")
    assert lab.answers()
    assert lab.query(token) == 200
    assert psutil.Process(lab.record["pid"]) == server

    assert lab.person.api("DELETE", "/users/rachel/server").status_code in (202, 204)
    until(lambda: none_left([server]), "the lab does not end")
    headers = {"Authorization": f"token {token}"}
    until(
        lambda: httpx.get(f"{demo.url}hub/api/user", headers=headers).status_code == 403,
        "the data token is still valid",
    )
    assert not lab.data_token.exists()


def test_ctrl_c_ends_labs_and_their_kernels(demo: RunningDemo) -> None:
    lab = Lab(demo, "anna")
    lab.request_start()
    assert list(lab.events())[-1].get("ready")
    lab.start_kernel()
    server = psutil.Process(lab.record["pid"])
    processes = [server, *server.children(recursive=True), *demo.everything()]
    assert len(server.children(recursive=True)) >= 1
    assert demo.stop() == 0
    assert none_left(processes)


def test_ctrl_c_ends_labs_when_the_hub_cannot(demo: RunningDemo) -> None:
    if demo.process is None or demo.process.poll() is not None:
        demo.start()
    lab = Lab(demo, "otto")
    lab.request_start()
    assert list(lab.events())[-1].get("ready")
    lab.start_kernel()
    server = psutil.Process(lab.record["pid"])
    processes = [server, *server.children(recursive=True), *demo.everything()]
    os.kill(demo.pids["hub"], signal.SIGSTOP)
    assert demo.stop() == 0
    assert none_left(processes)


def test_ctrl_c_during_a_build_leaves_no_process_and_the_next_start_goes_on() -> None:
    with open_folder() as folder:
        demo = RunningDemo(folder, options=()).start()
        progress = folder / "state" / "environments" / "progress" / "ui.json"
        until(progress.exists, "no build has begun")
        builder = psutil.Process(json.loads(progress.read_text())["pid"])
        processes = [builder, *builder.children(recursive=True), *demo.everything()]
        assert demo.stop() == 0
        assert none_left(processes)
        demo.start()
        until(lambda: "JupyterLab is ready." in demo.output, "not built", seconds=BUILD_SECONDS)
        assert demo.stop() == 0
