"""A full disk, for real: a small tmpfs (as root), or a limit on the size of files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.conftest import Starter, Wait

BIG = "SELECT * FROM sample.stars"
SMALL = "SELECT TOP 3 hip FROM sample.stars"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def run(client: httpx.Client, ended: Wait, query: str) -> tuple[str, str]:
    answer = client.post("/async", data={"QUERY": query, "PHASE": "RUN"})
    assert answer.status_code == 303, answer.text
    job = "/async/" + answer.headers["location"].rsplit("/", 1)[1]
    return job, ended(client, job)


def no_results(folder: Path) -> bool:
    return list((folder / "results").iterdir()) == []


@pytest.mark.root
def test_a_job_on_a_full_disk_fails_with_advice_and_leaves_nothing(
    start: Starter, ended: Wait, small_disk: Path
) -> None:
    service = start(state=str(small_disk / "state"))
    with service.client() as client:
        job, phase = run(client, ended, BIG)
        assert phase == "ERROR"
        text = client.get(f"{job}/error").text
        assert "disk of the service is full" in text
        assert "Delete jobs" in text
        assert 'type="transient"' in client.get(job).text
        assert no_results(small_disk / "state")
        other, phase = run(client, ended, SMALL)
        assert phase == "COMPLETED"
        assert client.get(f"{other}/results/result").status_code == 200


@pytest.mark.root
def test_a_disk_without_any_room_refuses_jobs_and_still_answers_sync(
    start: Starter, ended: Wait, small_disk: Path
) -> None:
    service = start(state=str(small_disk / "state"))
    filler = small_disk / "filler"
    with service.client() as client:
        job, _ = run(client, ended, SMALL)
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        refused = client.post("/async", data={"QUERY": "x" * 100_000})
        assert refused.status_code == 507
        assert "disk of the service is full" in refused.text
        assert client.get("/sync", params={"QUERY": SMALL}).status_code == 200
        assert client.get(f"{job}/results/result").status_code == 200
        filler.unlink()
        assert run(client, ended, SMALL)[1] == "COMPLETED"


@pytest.mark.root
def test_a_sync_format_that_needs_the_disk_says_that_it_is_full(
    start: Starter, small_disk: Path
) -> None:
    service = start(env={"TMPDIR": str(small_disk)})
    with service.client() as client:
        answer = client.get("/sync", params={"QUERY": BIG, "FORMAT": "fits"})
        assert answer.status_code == 507
        assert "disk" in answer.text
        assert client.get("/sync", params={"QUERY": SMALL, "FORMAT": "fits"}).status_code == 200
        assert client.get("/sync", params={"QUERY": BIG, "FORMAT": "csv"}).status_code == 200


def test_a_result_over_the_limit_of_file_sizes_is_the_same(
    start: Starter, ended: Wait, tmp_path: Path
) -> None:
    service = start()
    with service.client() as client:
        run(client, ended, SMALL)  # the catalogue's cache is larger than the limit below
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        job, phase = run(client, ended, BIG)
        assert phase == "ERROR"
        assert "disk of the service is full" in client.get(f"{job}/error").text
        assert not (tmp_path / "state" / "results" / job.rsplit("/", 1)[1]).exists()
        assert not list((tmp_path / "state" / "results").glob("*.part"))
        assert run(client, ended, SMALL)[1] == "COMPLETED"
    assert os.path.exists(f"/proc/{service.process.pid}")  # noqa: PTH110
