"""What the built distributions hold, built as a user's machine would build them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = "despejado_lab/labextension"
NOT_SOURCES = shutil.ignore_patterns("node_modules", "lib", "lib-unit", ".yarn", "__pycache__")


def build(folder: Path, out: Path) -> list[str]:
    """Build sdist, and the wheel from that sdist, with no node on PATH; return file names."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    environ = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        [uv, "build", "--out-dir", str(out), str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "jlpm" not in done.stderr
    (wheel,) = out.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


@pytest.mark.network
def test_a_built_bundle_travels_through_the_sdist_and_needs_no_node(tmp_path: Path) -> None:
    room = tmp_path / "labextension"
    shutil.copytree(ROOT / "labextension", room, ignore=NOT_SOURCES)
    names = build(room, tmp_path / "dist")
    data = "despejado_lab-0.1.0.data/data"
    assert f"{data}/share/jupyter/labextensions/despejado-lab/package.json" in names
    assert f"{data}/etc/jupyter/jupyter_server_config.d/despejado_lab.json" in names
    assert "despejado_lab/app.py" in names
    assert not any(name.startswith(BUNDLE) for name in names), "the bundle would be there twice"
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = archive.getnames()
    assert any(name.endswith(f"{BUNDLE}/package.json") for name in inside)
    assert any(name.endswith("src/index.ts") for name in inside)


@pytest.mark.network
def test_the_tutorials_lie_inside_their_wheel(tmp_path: Path) -> None:
    names = build(ROOT / "notebooks", tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert "despejado_tutorials/notebooks/01-first-look.ipynb" in names
    with zipfile.ZipFile(wheel) as archive:
        notebook = json.loads(archive.read("despejado_tutorials/notebooks/01-first-look.ipynb"))
    assert notebook["nbformat"] == 4
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    found = subprocess.run(
        [
            sys.executable,
            *("-S", "-c", "import despejado_tutorials as t; print(t.tutorials_folder())"),
        ],
        env={"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == installed / "despejado_tutorials" / "notebooks"
