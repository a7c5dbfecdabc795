"""The whole launcher as a pod runs it: its early port, its secrets, homes that cannot be used."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.labextension.kernel_cells import run_cell
from tests.labextension.lab_process import HUB_TOKEN, HubStandIn, unused_port, wait_for_port
from tests.labextension.pod_process import GROUP, SCRATCH, UID, environment, pod

pytestmark = pytest.mark.root


@contextmanager
def client(port: int) -> Iterator[httpx.Client]:
    """A client of the lab, from the moment on that its port listens."""
    wait_for_port(port)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}/user/rachel/",
        headers={"Authorization": f"token {HUB_TOKEN}"},
        timeout=120,
    ) as found:
        yield found


def test_the_first_question_waits_and_is_answered_and_the_lab_can_be_worked_in(
    tmp_path: Path, hub: HubStandIn
) -> None:
    port = unused_port()
    variables = {**environment(hub, port), "DESPEJADO_SCRATCH": SCRATCH}
    with pod(tmp_path, variables) as running, client(port) as lab:
        assert not any("is running at" in line for line in running.log.lines)
        assert lab.get("api").status_code == 200
        assert lab.get("despejado/config").json()["startup"] is None
        said = run_in_a_kernel(
            lab,
            "import os, tempfile; from pathlib import Path;"
            "Path.home().joinpath('made.txt').write_text('x');"
            "print(os.getuid(), os.getgroups(), tempfile.gettempdir(), os.environ['SCRATCH_DIR'])",
        )
        assert said == f"{UID} [{UID}, {GROUP}] {SCRATCH}/rachel/tmp {SCRATCH}/rachel\n"
        assert write_a_file(lab) == 201
        running.process.terminate()
        assert running.last_words() == ""
        assert running.process.returncode == 0


@pytest.mark.parametrize(
    ("home", "code"),
    [("full", "ENOSPC"), ("of root", "EACCES"), ("read-only", "EROFS"), ("missing", "ENOENT")],
)
def test_a_home_that_cannot_be_used_gives_a_lab_that_says_so(
    tmp_path: Path, hub: HubStandIn, home: str, code: str
) -> None:
    port = unused_port()
    with pod(tmp_path, environment(hub, port), home), client(port) as lab:
        startup = lab.get("despejado/config").raise_for_status().json()["startup"]
        assert startup["code"] == code
        assert "/home/rachel" in startup["details"]
        assert write_a_file(lab) == 201


def test_folders_of_root_in_the_home_are_gone_round(tmp_path: Path, hub: HubStandIn) -> None:
    port = unused_port()
    name = "with folders of root"
    with pod(tmp_path, environment(hub, port), name) as running, client(port) as lab:
        assert lab.get("despejado/config").raise_for_status().json()["startup"] is None
        assert run_in_a_kernel(lab, "print(1 + 1)") == "2\n"
        assert any(".local/share/jupyter cannot be used" in line for line in running.log.lines)


def test_a_port_that_is_taken_is_told_to_the_cluster(tmp_path: Path, hub: HubStandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pod(tmp_path, environment(hub, port)) as running:
            assert f"cannot listen on port {port}" in running.last_words()
            assert running.process.returncode == 1


def test_a_server_that_fails_is_told_with_its_reason(tmp_path: Path, hub: HubStandIn) -> None:
    variables = environment(hub, unused_port())
    del variables["JUPYTERHUB_SERVICE_URL"]
    with pod(tmp_path, variables) as running:
        last = running.last_words().splitlines()[-1]
        assert "Missing required environment $JUPYTERHUB_SERVICE_URL" in last


def write_a_file(lab: httpx.Client) -> int:
    """The status of a new file, as the file browser makes one."""
    file = {"type": "file", "format": "text", "content": "x"}
    return lab.put("api/contents/new.txt", json=file).status_code


def run_in_a_kernel(lab: httpx.Client, code: str) -> str:
    """What a cell prints in a new kernel."""
    kernel = lab.post("api/kernels", json={}).raise_for_status().json()["id"]
    return run_cell(lab, kernel, code)
