"""``despejado images build``: an environment here or an image, and what one reads."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from despejado_hub.cli import build_parser, main
from despejado_hub.commands.images_build import step_line, wants_image
from despejado_images import containers as building
from despejado_images.containers import BuiltImage, ImageBuildError, ImageProgress


def options(*arguments: str) -> argparse.Namespace:
    return build_parser().parse_args(["images", "build", *arguments])


@pytest.mark.parametrize(
    ("arguments", "spawner", "image"),
    [
        (["w_2026_43"], "local", False),
        (["w_2026_43"], "kubernetes", True),
        (["w_2026_43", "--local"], "kubernetes", False),
        (["w_2026_43", "--image"], "local", True),
        (["w_2026_43", "--push", "registry.example.org"], "local", True),
        (["w_2026_43", "--builder", "podman"], "local", True),
        (["w_2026_43", "--fresh"], "local", True),
        (["hub"], "local", True),
        (["services"], "local", True),
    ],
)
def test_what_a_tag_means(arguments: list[str], spawner: str, image: bool) -> None:
    assert wants_image(options(*arguments), spawner == "kubernetes") is image


def test_local_and_image_exclude_each_other() -> None:
    with pytest.raises(SystemExit):
        options("plain", "--local", "--image")


def test_local_cannot_be_pushed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["images", "build", "plain", "--local", "--push", "registry.example.org"]
    assert main([*arguments, "--state", str(tmp_path)]) == 2
    assert "--local makes an environment of this machine" in capsys.readouterr().err


def progress(phase: Any, message: str, step: int, expected: float | None = None) -> ImageProgress:
    return ImageProgress("plain", phase, message, step, 7, float(step), expected, detail="apt-get")


IMAGE = BuiltImage(
    kind="lab",
    tag="plain",
    title="Plain Python",
    reference="localhost/despejado/lab:plain",
    id="i" * 64,
    content="c" * 64,
    versions={"astropy": "7.1.0"},
    layers=("sha256:1",),
    size_bytes=801_000_000,
    pushed="registry.example.org/despejado/lab:plain",
    digest="sha256:2",
)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Builders only say what they do; the result holds what they were made with."""
    seen: dict[str, Any] = {}

    class Builder:
        def __init__(self, state: Path, on_progress: Any, **given: Any) -> None:
            seen.update(given, state=state)
            self.on_progress = on_progress

        def build(self, name: str) -> BuiltImage:
            seen["name"] = name
            if name == "r30_0_11":
                raise ImageBuildError("The image does not work: node is on PATH")
            self.on_progress(progress("base", "Building base", 1, 20.0))
            self.on_progress(progress("base", "Building base", 1, 20.0))
            self.on_progress(progress("ready", "ready", 7))
            return IMAGE

    monkeypatch.setattr(building, "ImageBuilder", Builder)
    return seen


def test_a_line_a_step_where_nobody_watches(
    capsys: pytest.CaptureFixture[str], builder: dict[str, Any], tmp_path: Path
) -> None:
    arguments = ["images", "build", "plain", "--push", "registry.example.org", "--fresh"]
    assert main([*arguments, "--state", str(tmp_path), "--builder", "podman"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1/7 Building base (about 20 s)",
        "Plain Python: localhost/despejado/lab:plain (801 MB)",
        "Pushed as registry.example.org/despejado/lab:plain@sha256:2",
    ]
    assert builder["name"] == "plain" and builder["engine"] == "podman"
    assert builder["registry"] == "registry.example.org" and builder["fresh"] is True


def test_json_is_a_document_a_line_and_the_image_last(
    capsys: pytest.CaptureFixture[str], builder: dict[str, Any], tmp_path: Path
) -> None:
    assert main(["images", "build", "plain", "--image", "--json", "--state", str(tmp_path)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["phase"] == "base" and lines[0]["detail"] == "apt-get"
    assert lines[-1]["image"]["reference"] == "localhost/despejado/lab:plain"
    assert lines[-1]["image"]["versions"] == {"astropy": "7.1.0"}


def test_a_failure_is_a_sentence_and_status_1(
    capsys: pytest.CaptureFixture[str], builder: dict[str, Any], tmp_path: Path
) -> None:
    assert main(["images", "build", "r30_0_11", "--image", "--state", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.err == "despejado: The image does not work: node is on PATH\n"


def test_a_step_that_was_never_timed_promises_nothing() -> None:
    assert step_line(progress("base", "Building base", 1)) == "1/7 Building base"
    assert step_line(progress("base", "Building base", 1, 0.2)) == "1/7 Building base"
