"""The folder images/, what a build gets of it, and what it must not keep."""

from __future__ import annotations

import ast
import json
import re
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import Target
from despejado_images.containers.sources import (
    find_sources,
    read_sources,
    revision,
    write_context,
    write_secrets,
)
from despejado_images.containers.steps import base_step, last_step, source_files
from despejado_images.containers.targets import target_of

from tests.images.builds import IMAGES, environment, texts

CONTAINERFILES = sorted(IMAGES.rglob("*Containerfile"))


def test_the_source_tree_has_the_folder() -> None:
    assert find_sources(None) == IMAGES


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="no folder of Containerfiles"):
        find_sources(tmp_path)


@pytest.mark.parametrize("name", ["plain", "hub", "services", "stock"])
def test_every_image_has_all_its_files(name: str) -> None:
    target = target_of(name, "0.1.0")
    found = read_sources(IMAGES, source_files(target.kind, target.folder))
    assert all(found.values())


@pytest.mark.parametrize("path", CONTAINERFILES, ids=lambda path: str(path.relative_to(IMAGES)))
def test_every_image_ends_without_root_and_knows_no_network(path: Path) -> None:
    text = path.read_text()
    if path != IMAGES / "base" / "Containerfile":
        assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1].startswith("1000")
    assert not re.search(r"https?://|SSL_CERT|_INDEX|PROXY", text)
    assert not re.search(r"^(?:COPY|ADD)", text, re.MULTILINE), "files come by bind mounts"
    for step in re.findall(r"apt-get install.*?(?=\n\n|\Z)", text, re.DOTALL):
        assert "--no-install-recommends" in step and "rm -rf /var/lib/apt/lists" in step


PROGRAMS = [path for path in sorted(IMAGES.rglob("*.py")) if "despejado_images" not in path.parts]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(IMAGES)))
def test_what_runs_in_an_image_needs_no_more_than_it_has(path: Path) -> None:
    """Programs of images/ are copied alone: they may import nothing of ours at their top."""
    tree = ast.parse(path.read_text())
    imported = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    } | {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.startswith(("despejado", "jupyter", "tests"))]


def test_a_context_holds_what_the_build_reads_and_nothing_of_earlier_ones(tmp_path: Path) -> None:
    wheel = tmp_path / "despejado-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "secret-of-an-earlier-build").touch()
    spec = replace(environment(), wheels=(wheel,))
    target = Target("lab", "w_2026_43", "despejado/lab", "lab")
    write_context(folder, last_step(texts(), target, base_step(texts(), "1"), spec, {}))
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == [
        "Containerfile",
        "environment.json",
        "install.py",
        "requirements.lock",
        "uv",
        f"wheels/{wheel.name}",
    ]
    document = json.loads((folder / "environment.json").read_text())
    assert document["prefix"] == "/opt/despejado/stack"
    assert document["manifest"]["tag"] == "w_2026_43"
    assert subprocess.run([folder / "uv", "--version"], check=False).returncode == 0


def test_secrets_are_files_that_only_the_builder_reads(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----")
    network = {
        "UV_DEFAULT_INDEX": "https://user:password@index.example.org/simple",
        "SSL_CERT_FILE": str(bundle),
        "HTTPS_PROXY": "",
        "HOME": "/home/me",
    }
    secrets = write_secrets(tmp_path / "secrets", network)
    assert json.loads(secrets["network"].read_text()) == {
        "UV_DEFAULT_INDEX": "https://user:password@index.example.org/simple"
    }
    assert secrets["certificates"].read_text() == bundle.read_text()
    for path in secrets.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_a_plain_network_needs_no_secrets(tmp_path: Path) -> None:
    assert write_secrets(tmp_path / "secrets", {"SSL_CERT_FILE": "/nonexistent"}) == {}


def test_the_revision_says_whether_files_were_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert revision(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    (tmp_path / "install.py").write_text("installed in somebody's repository")
    assert revision(tmp_path) is None
    git("add", "install.py")
    git("commit", "-m", "two")
    clean = revision(tmp_path)
    assert clean is not None and re.fullmatch(r"[0-9a-f]{40}", clean)
    (tmp_path / "file").write_text("2")
    assert revision(tmp_path) == f"{clean}-dirty"
