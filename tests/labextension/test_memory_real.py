"""A kernel that the system really kills, in a control group of this machine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labextension.kernel_cells import channel, execute_request, run_cell
from tests.labextension.lab_process import running_lab, write_tutorials
from tests.labextension.test_memory import kernel, next_stop

pytestmark = pytest.mark.root

ROOT = Path("/sys/fs/cgroup")
LIMIT = 600 * 2**20


def _controllers(file: str) -> list[str]:
    try:
        return (ROOT / file).read_text().split()
    except OSError:
        return []


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with a limit, removed at the end; of the version that this machine has."""
    name = "despejado-test-memory"
    if "memory" in _controllers("cgroup.controllers"):
        if "memory" not in _controllers("cgroup.subtree_control"):
            (ROOT / "cgroup.subtree_control").write_text("+memory")
        folder = ROOT / name
        limits = {"memory.max": LIMIT, "memory.swap.max": 0, "memory.oom.group": 0}
    elif (ROOT / "memory" / "memory.limit_in_bytes").exists():
        folder = ROOT / "memory" / name
        limits = {"memory.limit_in_bytes": LIMIT, "memory.swappiness": 0}
    else:
        pytest.skip("no memory controller to make a control group with")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        for file, value in limits.items():
            with contextlib.suppress(FileNotFoundError):
                (folder / file).write_text(str(value))
        yield folder
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            (folder.parent / "cgroup.procs").write_text(pid)
        folder.rmdir()


def test_a_kernel_that_wants_too_much_is_told_and_the_lab_lives_on(
    tmp_path: Path, group: Path
) -> None:
    if group.parent == ROOT:
        (tmp_path / "cgroup").symlink_to(group)
    else:
        (tmp_path / "cgroup").mkdir()
        (tmp_path / "cgroup" / "memory").symlink_to(group)
    with running_lab(tmp_path, write_tutorials(tmp_path / "tutorials")) as lab:
        (group / "cgroup.procs").write_text(str(lab.process.pid))
        with (
            lab.server() as server,
            lab.client() as client,
            channel(server, "api/events/subscribe") as events,
            kernel(server, "large.ipynb") as found,
        ):
            assert run_cell(server, found, "print(1)") == "1\n"
            assert 0 < client.get("memory").json()["used"] < LIMIT
            with channel(server, f"api/kernels/{found}/channels") as cells:
                code = f"bytearray({2 * LIMIT}).count(1)"
                cells.send(json.dumps(execute_request(code)))
                event = next_stop(events)
            answer = client.get("memory").raise_for_status().json()
            assert [stop["id"] for stop in answer["stops"]] == [event["id"]]
            assert answer["stops"][0]["document"] == "large.ipynb"
            assert answer["stops"][0]["limit"] == answer["limit"] == LIMIT
