"""What a name means, and what is in the image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from despejado_images.containers.targets import (
    is_lab,
    kernel_spec,
    lab_files,
    platform_part,
    smoke_command,
    target_of,
)


@pytest.mark.parametrize(
    ("name", "repository", "tag"),
    [
        ("w_2026_43", "despejado/lab", "w_2026_43"),
        ("plain", "despejado/lab", "plain"),
        ("hub", "despejado/hub", "0.1.0"),
        ("services", "despejado/services", "0.1.0"),
        ("stock", "despejado-tests/stock", "1"),
    ],
)
def test_names(name: str, repository: str, tag: str) -> None:
    target = target_of(name, "0.1.0")
    assert (target.repository, target.tag) == (repository, tag)
    assert is_lab(name) == (target.kind == "lab")


def test_the_kernel_by_hand_is_the_kernel_of_the_platform() -> None:
    """``process.kernel_spec`` says it for labs; both must start the same software."""
    from pathlib import Path

    from despejado_spawner.lab_files import kernel_spec as platform_spec

    class Image:
        tag, title, digest = "w_2026_43", "Weekly 2026_43", "sha256:1"

    class Plan:
        kernel_python = Path("/opt/despejado/stack/bin/python")
        image = Image

    theirs = platform_spec(Plan)  # type: ignore[arg-type]
    ours = kernel_spec("w_2026_43", "Weekly 2026_43")
    for key in ("argv", "display_name", "language", "interrupt_mode"):
        assert ours[key] == theirs[key]


def test_the_files_of_a_lab_are_where_jupyter_looks_without_the_platform() -> None:
    files = lab_files("plain", "Plain Python")
    assert "/usr/local/share/jupyter/kernels/python3/kernel.json" in files
    json.dumps(files)


def test_the_stock_image_has_nothing_of_ours() -> None:
    assert platform_part("stock", "0.1.0").recipe.own == {}


def test_imports_reach_the_smoke_test_whole() -> None:
    command = smoke_command("lab", ("astropy", "lsst.daf.butler"))
    assert command[0] == "/opt/despejado/ui/bin/python"
    assert json.loads(command[-1]) == ["astropy", "lsst.daf.butler"]


def test_a_hub_of_the_image_installs_nothing_that_builds_environments() -> None:
    lock = Path(__file__).parents[2] / "images" / "locks" / "hub.txt"
    pinned = {line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line}
    assert "aiohttp" in pinned
    assert pinned.isdisjoint({"uv", "pip"})
