"""What the launcher does in a pod: secrets of mode 0400, renewed; a port that listens at once."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from despejado_lab import launch_secrets
from despejado_lab.launch_end import LaunchError
from despejado_lab.launch_secrets import copy_secrets, keep_secrets, prepare_secrets
from despejado_lab.launch_socket import PortTaken, early_socket


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A runtime folder as Kubernetes mounts it: files behind the link ``..data``."""
    (tmp_path / "secrets").mkdir()
    mount(tmp_path, "1", {"token": "first", "hub-token": "of-the-hub", "netrc": ""})
    return tmp_path


def mount(runtime: Path, version: str, values: dict[str, str]) -> None:
    """Write a version of a Secret as the kubelet does: a new folder, then the link at once."""
    mounted = runtime / "mounted-secrets"
    folder = mounted / f"..{version}"
    folder.mkdir(parents=True)
    for name, value in values.items():
        (folder / name).write_text(value)
        link = mounted / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
    new = mounted / "..data_tmp"
    new.symlink_to(folder.name)
    new.replace(mounted / "..data")


def test_secrets_become_files_that_only_the_user_may_read(runtime: Path) -> None:
    environment = {"DESPEJADO_RUNTIME_DIR": str(runtime)}
    assert prepare_secrets(environment) == []
    for name, value in {"token": "first", "hub-token": "of-the-hub", "netrc": ""}.items():
        found = runtime / "secrets" / name
        assert found.read_text() == value
        assert stat.S_IMODE(found.stat().st_mode) == 0o400
        assert found.stat().st_uid == os.getuid()
    assert environment["JUPYTERHUB_API_TOKEN"] == "of-the-hub"


def test_a_process_lab_has_nothing_to_copy(tmp_path: Path) -> None:
    environment = {"DESPEJADO_RUNTIME_DIR": str(tmp_path), "JUPYTERHUB_API_TOKEN": "kept"}
    assert prepare_secrets(environment) == []
    assert environment["JUPYTERHUB_API_TOKEN"] == "kept"


def test_only_what_changed_is_replaced(runtime: Path) -> None:
    copy_secrets(runtime)
    assert copy_secrets(runtime) == []
    mount(runtime, "2", {"token": "second", "hub-token": "of-the-hub", "netrc": ""})
    assert copy_secrets(runtime) == ["token"]
    assert (runtime / "secrets" / "token").read_text() == "second"


def test_secrets_are_renewed_while_the_lab_runs(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch_secrets, "_LOOK_SECONDS", 0.02)
    environment = {"DESPEJADO_RUNTIME_DIR": str(runtime)}
    prepare_secrets(environment)
    stop = threading.Event()
    keep_secrets(environment, stop)
    mount(runtime, "2", {"token": "second", "hub-token": "of-the-hub", "netrc": ""})
    deadline = time.monotonic() + 10
    while (runtime / "secrets" / "token").read_text() != "second":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stop.set()


def test_a_secret_that_was_taken_away_is_gone(runtime: Path) -> None:
    copy_secrets(runtime)
    (runtime / "mounted-secrets" / "netrc").unlink()
    mount(runtime, "2", {"token": "first", "hub-token": "of-the-hub"})
    assert copy_secrets(runtime) == ["netrc"]
    assert sorted(path.name for path in (runtime / "secrets").iterdir()) == ["hub-token", "token"]


def test_secrets_that_cannot_be_copied_are_told_and_the_server_has_its_token(runtime: Path) -> None:
    (runtime / "secrets").rmdir()
    (runtime / "secrets").write_text("")
    environment = {"DESPEJADO_RUNTIME_DIR": str(runtime)}
    told = prepare_secrets(environment)
    assert len(told) == 1 and "cannot be copied" in told[0]
    assert environment["JUPYTERHUB_API_TOKEN"] == "of-the-hub"


def test_a_server_that_nobody_could_log_in_to_does_not_start(runtime: Path) -> None:
    mount(runtime, "2", {"token": "first", "hub-token": ""})
    with pytest.raises(LaunchError, match="no token of the hub"):
        prepare_secrets({"DESPEJADO_RUNTIME_DIR": str(runtime)})


def test_the_port_listens_before_the_server_is_there(free_port: int) -> None:
    environment = {
        "DESPEJADO_EARLY_SOCKET": "1",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{free_port}/user/rachel/",
    }
    listening = early_socket(environment)
    assert listening is not None
    with (
        listening,
        socket.create_connection(("127.0.0.1", free_port), timeout=5),
        pytest.raises(PortTaken, match=f"port {free_port}"),
    ):
        early_socket(environment)
    assert early_socket({"JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/"}) is None


@pytest.mark.parametrize(
    ("host", "asked"),
    [("", ["127.0.0.1", "::1"]), ("0.0.0.0", ["127.0.0.1"]), ("[::]", ["::1"])],
)
def test_the_port_listens_where_jupyterhub_would(
    free_port: int, host: str, asked: list[str]
) -> None:
    environment = {
        "DESPEJADO_EARLY_SOCKET": "1",
        "JUPYTERHUB_SERVICE_URL": f"http://{host}:{free_port}/user/rachel/",
    }
    listening = early_socket(environment)
    assert listening is not None
    with listening:
        for address in asked:
            socket.create_connection((address, free_port), timeout=5).close()


def test_tornado_answers_on_the_socket_that_was_listening(free_port: int) -> None:
    """In a process of its own: the hand-over changes Tornado for good."""
    script = f"""
import asyncio, socket, urllib.request
from despejado_lab.launch_socket import early_socket, hand_over
url = "http://127.0.0.1:{free_port}/"
listening = early_socket({{"DESPEJADO_EARLY_SOCKET": "1", "JUPYTERHUB_SERVICE_URL": url}})
early = socket.create_connection(("127.0.0.1", {free_port}))
early.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
hand_over(listening)
from tornado.netutil import bind_sockets
for each in bind_sockets({free_port}, "127.0.0.1"):
    each.close()  # as jupyter_server looks whether the port is free
from tornado import web
class Ready(web.RequestHandler):
    def get(self):
        self.write("ready")
async def main():
    web.Application([("/", Ready)]).listen({free_port}, "127.0.0.1")
    loop = asyncio.get_running_loop()
    while True:
        answer = await loop.run_in_executor(None, early.recv, 4096)
        if b"ready" in answer or not answer:
            return answer
print(asyncio.run(main()).decode())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert "ready" in done.stdout, done.stderr
