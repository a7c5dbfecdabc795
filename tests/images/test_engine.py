"""Finding an engine, reading its answers, and its errors in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from despejado_images.containers.engine import find_engine, read_buildah, read_docker
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.explain import explain_engine
from despejado_images.containers.smoke import explain_smoke

DATA = Path(__file__).parent / "data"


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_first_that_works_is_taken(programs: Path) -> None:
    program(programs, "buildah", "echo 'cannot mount' >&2; exit 125")
    program(programs, "podman", "exit 0")
    program(programs, "docker", "exit 0")
    assert find_engine(None, programs / "log").name == "podman"
    assert find_engine("docker", programs / "log").name == "docker"


def test_without_an_engine_one_reads_why_and_what_to_do(programs: Path) -> None:
    program(programs, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ImageBuildError) as caught:
        find_engine(None, programs / "log")
    text = str(caught.value)
    assert "buildah: it is not installed" in text
    assert "docker: Cannot connect to the Docker daemon" in text
    assert "apt-get install buildah" in text


def test_an_engine_that_is_not_known_is_refused(programs: Path) -> None:
    with pytest.raises(ImageBuildError, match=r"'kaniko' builds no images\. Allowed: buildah"):
        find_engine("kaniko", programs / "log")


def test_what_buildah_says_of_an_image() -> None:
    record = read_buildah(json.loads((DATA / "buildah-inspect.json").read_text()))
    assert record.labels["dev.despejado.tag"] == "plain"
    assert len(record.layers) == 5
    assert record.size_bytes > 500_000_000


def test_what_docker_and_podman_say_of_an_image() -> None:
    answer = {
        "Id": "sha256:abc",
        "Config": {"Labels": None},
        "RootFS": {"Type": "layers", "Layers": ["sha256:1", "sha256:2"]},
        "Size": 123,
    }
    record = read_docker(answer)
    assert (record.id, record.labels, record.size_bytes) == ("abc", {}, 123)
    assert record.layers == ("sha256:1", "sha256:2")


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["write /x: no space left on device"], "The disk is full"),
        (["Error: unauthorized: authentication required"], "log in with your engine"),
        (["http: server gave HTTP response to HTTPS client"], "speaks plain HTTP"),
        (["E: Unable to locate package tiny"], "Debian's packages could not be installed: Unable"),
        (["dial tcp 10.0.0.1:5000: connect: connection refused"], "A registry cannot be reached"),
        (["newuidmap: write to uid_map failed"], "lacks a right"),
        (
            ["error: Failed to fetch: dns error", 'Error: building at STEP "RUN": exit status 1'],
            "The package index cannot be reached",
        ),
        (
            [
                "python3: can't open file '/mnt/context/install.py'",
                "subprocess exited with status 2",
                'Error: building at STEP "RUN": exit status 2',
            ],
            "python3: can't open file",
        ),
    ],
)
def test_errors_in_words(lines: list[str], wanted: str) -> None:
    assert wanted in explain_engine(lines)


def test_a_failed_smoke_test_says_its_sentence() -> None:
    lines = ["[I] ServerApp", "smoke: node is on PATH", "Error: exit status 1"]
    assert explain_smoke(lines) == "The image does not work: node is on PATH"
    assert "No module named 'astropy'" in explain_smoke(
        ["Traceback", "ModuleNotFoundError: No module named 'astropy'"]
    )
