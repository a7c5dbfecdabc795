"""Wheels of our own distributions: nothing of an installation is lost, nothing foreign gets in."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from despejado_images.environments import EnvironmentBuildError
from despejado_images.environments.own_wheels import (
    own_closure,
    own_wheel,
    repack,
    source_digest,
    wheel_digest,
)
from despejado_images.environments.uv import clean_environment, find_uv

DATA = "despejado_lab-1.0.data"
INFO = "despejado_lab-1.0.dist-info"
FILES = {
    "despejado_lab/__init__.py": "def main() -> None:\n    print('it runs')\n",
    "despejado_lab/static/a.js": "1;\n",
    f"{DATA}/data/share/jupyter/labextensions/despejado-lab/package.json": "{}\n",
    f"{DATA}/data/etc/jupyter/jupyter_server_config.d/despejado_lab.json": "{}\n",
    f"{DATA}/scripts/despejado-old": "#!python\nprint('a script')\n",
    f"{INFO}/METADATA": (
        "Metadata-Version: 2.3\nName: despejado-lab\nVersion: 1.0\n"
        "Requires-Dist: despejado\nRequires-Dist: numpy>=2; extra == 'x'\n\nText\n"
    ),
    f"{INFO}/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py2-none-any\nTag: py3-none-any\n"
    ),
    f"{INFO}/entry_points.txt": "[console_scripts]\ndespejado-lab-server = despejado_lab:main\n",
    f"{INFO}/licenses/LICENSE": "BSD\n",
}


def uv(*arguments: str | Path) -> None:
    subprocess.run(
        [find_uv(), *arguments], check=True, cwd="/", env=clean_environment(), capture_output=True
    )


def install(wheel: Path, prefix: Path) -> Path:
    """A virtual environment with the wheel; its library folder."""
    uv("venv", "--python", sys.executable, prefix)
    uv("pip", "install", "--offline", "--no-deps", "--python", prefix / "bin/python", wheel)
    return next((prefix / "lib").glob("python3*/site-packages"))


@pytest.fixture
def original(tmp_path: Path) -> Path:
    wheel = tmp_path / "despejado_lab-1.0-py2.py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr(f"{INFO}/RECORD", "".join(f"{name},,\n" for name in FILES))
    return wheel


def installed(site: Path) -> importlib.metadata.Distribution:
    (dist,) = importlib.metadata.distributions(name="despejado-lab", path=[str(site)])
    return dist


def test_a_regular_installation_becomes_the_wheel_it_came_from(
    original: Path, tmp_path: Path
) -> None:
    again = repack(installed(install(original, tmp_path / "one")), tmp_path)
    assert again.name == original.name
    with zipfile.ZipFile(again) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
        record = texts.pop(f"{INFO}/RECORD")
        assert archive.testzip() is None
    assert texts == FILES
    for name in FILES:
        assert f"{name},sha256=" in record


def test_the_packed_wheel_installs_and_runs(original: Path, tmp_path: Path) -> None:
    again = repack(installed(install(original, tmp_path / "one")), tmp_path)
    install(again, tmp_path / "two")
    for script, said in (("despejado-lab-server", "it runs"), ("despejado-old", "a script")):
        ran = subprocess.run(
            [tmp_path / "two/bin" / script], capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == said
    folder = tmp_path / "two/share/jupyter/labextensions/despejado-lab"
    assert (folder / "package.json").read_text() == "{}\n"


def test_packing_twice_gives_the_same_bytes(original: Path, tmp_path: Path) -> None:
    first = repack(installed(install(original, tmp_path / "one")), tmp_path)
    (tmp_path / "out").mkdir()
    second = repack(installed(install(first, tmp_path / "two")), tmp_path / "out")
    assert first.read_bytes() == second.read_bytes()


def test_a_lost_file_is_named(original: Path, tmp_path: Path) -> None:
    site = install(original, tmp_path / "one")
    (site / "despejado_lab/static/a.js").unlink()
    with pytest.raises(EnvironmentBuildError, match=r"despejado_lab/static/a\.js"):
        repack(installed(site), tmp_path)


def no_build(source: Path, output: Path) -> None:
    raise AssertionError(f"a regular installation was built from {source} into {output}")


def test_a_wheel_is_packed_once_and_again_after_a_change(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install(original, tmp_path / "one")
    monkeypatch.syspath_prepend(str(site))
    cache = tmp_path / "cache"
    cache.mkdir()
    first = own_wheel("despejado-lab", cache, no_build)
    stamp = first.path.stat().st_mtime_ns
    assert own_wheel("despejado-lab", cache, no_build) == first
    assert first.path.stat().st_mtime_ns == stamp
    assert first.requires == ("despejado", "numpy>=2; extra == 'x'")
    module = site / "despejado_lab/__init__.py"
    module.unlink()  # uv's files may be links into its cache
    module.write_text("CHANGED = True\n")
    assert own_wheel("despejado-lab", cache, no_build).digest != first.digest


def test_what_ours_requires_of_ours_comes_along() -> None:
    assert own_closure({"despejado": ("notebook",)}) == {"despejado": ("notebook",)}
    assert set(own_closure({"despejado-lab": ()})) >= {"despejado-lab"}


def test_what_is_not_installed_is_left_out() -> None:
    assert own_closure({"despejado-lab-of-tomorrow": ()}) == {}


class Source:
    """An editable installation whose build backend writes into the source folder as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "source"
        self.site = folder / "site"
        self.built = 0
        info = self.site / "despejado_lab-1.0.dist-info"
        info.mkdir(parents=True)
        self.folder.mkdir()
        (self.folder / "module.py").write_text("A = 1\n")
        (info / "METADATA").write_text(FILES[f"{INFO}/METADATA"])
        url = f'{{"url": "{self.folder.as_uri()}", "dir_info": {{"editable": true}}}}'
        (info / "direct_url.json").write_text(url)

    def build(self, source: Path, output: Path) -> None:
        self.built += 1
        (source / "bundle.js").write_text("made\n")
        with zipfile.ZipFile(output / "despejado_lab-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr("module.py", (source / "module.py").read_text())
            archive.writestr(f"{INFO}/METADATA", FILES[f"{INFO}/METADATA"])


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    made = Source(tmp_path)
    monkeypatch.syspath_prepend(str(made.site))
    return made


def test_an_editable_installation_is_built_once_for_each_edit(
    source: Source, tmp_path: Path
) -> None:
    first = own_wheel("despejado-lab", tmp_path, source.build)
    assert own_wheel("despejado-lab", tmp_path, source.build) == first
    assert source.built == 1
    (source.folder / "module.py").write_text("A = 2\n")
    second = own_wheel("despejado-lab", tmp_path, source.build)
    assert source.built == 2
    assert second.digest != first.digest
    (source.folder / "module.py").write_text("A = 1\n")
    assert own_wheel("despejado-lab", tmp_path, source.build).digest == first.digest
    assert first.path.exists()


def test_bytecode_and_installed_node_modules_are_no_edit(source: Source) -> None:
    before = source_digest(source.folder)
    for name in ("node_modules/x.js", "__pycache__/module.pyc", ".git/HEAD", "dist/a.whl"):
        path = source.folder / name
        path.parent.mkdir()
        path.write_text("x")
    assert source_digest(source.folder) == before


def test_a_source_folder_that_is_gone_is_named(source: Source, tmp_path: Path) -> None:
    source.folder.rename(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentBuildError, match="which is gone"):
        own_wheel("despejado-lab", tmp_path, source.build)


def test_the_digest_of_a_wheel_is_of_its_files_not_of_their_times(tmp_path: Path) -> None:
    wheels = []
    for year in (1999, 2020):
        wheel = tmp_path / f"{year}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.py", (year, 1, 1, 0, 0, 0)), "x")
        wheels.append(wheel)
    assert wheel_digest(wheels[0]) == wheel_digest(wheels[1])
