"""Real environments from the package index: they run, they differ, and they share files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from despejado_images.environments import BuildProgress, Environment, EnvironmentStore

pytestmark = pytest.mark.network


def build(root: Path, *tags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the builder as an operator would, from another project's folder and environment."""
    return subprocess.run(
        [sys.executable, "-m", "despejado_images.environments", "build", *tags, "--root", root],
        env={**os.environ, "VIRTUAL_ENV": "/nonexistent", "UV_PYTHON": "2.7", **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with ui, plain and one weekly."""
    root = tmp_path_factory.mktemp("environments")
    done = build(root, "ui", "plain", "w_2026_43")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def ready(root: Path) -> Callable[[str], Environment]:
    def find(tag: str) -> Environment:
        environment = EnvironmentStore(root).ready(tag)
        assert environment is not None
        return environment

    return find


def run(environment: Environment, code: str) -> str:
    done = subprocess.run(
        [environment.python, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_weekly_holds_that_week(ready: Callable[[str], Environment]) -> None:
    weekly = ready("w_2026_43")
    assert (weekly.kind, weekly.title) == ("kernel", "Weekly 2026_43")
    assert weekly.versions["lsst-daf-butler"] == "30.2026.4300"
    code = "import lsst.daf.butler, importlib.metadata as m; print(m.version('lsst-daf-butler'))"
    assert run(weekly, code) == "30.2026.4300"
    for name, version in weekly.versions.items():
        if name.startswith("lsst-") and version.startswith("30.2026."):
            assert int(version.split(".")[2]) <= 4399, name


def test_no_package_that_is_gpl_only_is_asked_for(ready: Callable[[str], Environment]) -> None:
    assert not {"lsst-felis", "lsst-sdm-schemas", "lsst-dax-obscore"} & set(
        ready("w_2026_43").versions
    )


def test_the_client_is_a_copy_that_needs_no_source_tree(
    ready: Callable[[str], Environment],
) -> None:
    for tag in ("plain", "w_2026_43"):
        environment = ready(tag)
        where = run(environment, "import despejado; print(despejado.__file__)")
        assert Path(where).is_relative_to(environment.prefix)


def test_the_plain_kernel_starts(ready: Callable[[str], Environment]) -> None:
    code = "import ipykernel.kernelapp, astropy, pyvo, matplotlib; print('ok')"
    assert run(ready("plain"), code) == "ok"
    assert "lsst-daf-butler" not in ready("plain").versions


def test_the_server_environment_offers_no_kernel_of_its_own(
    ready: Callable[[str], Environment], tmp_path: Path
) -> None:
    ui = ready("ui")
    assert ui.kind == "ui"
    listed = subprocess.run(
        [ui.python, "-m", "jupyter_client.kernelspecapp", "list", "--json"],
        env={"HOME": str(tmp_path), "PATH": os.defpath},
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(listed.stdout)["kernelspecs"] == {}
    run(ui, "import jupyterlab.labapp, despejado_lab, despejado_tutorials")


def test_modules_have_bytecode_so_that_no_user_compiles_them(
    ready: Callable[[str], Environment],
) -> None:
    for tag in ("ui", "plain", "w_2026_43"):
        code = (
            "import sys, tornado.web as w, traitlets, pathlib as p;"
            "print(p.Path(w.__cached__).exists() and p.Path(traitlets.__cached__).exists())"
        )
        assert run(ready(tag), code) == "True"


def test_a_second_weekly_costs_what_differs(
    root: Path, ready: Callable[[str], Environment]
) -> None:
    assert build(root, "w_2026_42").returncode == 0
    second = ready("w_2026_42")
    assert second.versions["lsst-daf-butler"] == "30.2026.4200"
    assert second.added_bytes < 0.1 * second.size_bytes
    assert ready("w_2026_43").versions["lsst-daf-butler"] == "30.2026.4300"


def test_without_an_index_what_is_ready_is_ready(root: Path, free_port: int) -> None:
    blackhole = f"http://127.0.0.1:{free_port}/simple"
    done = build(
        root, "ui", "plain", "w_2026_43", UV_DEFAULT_INDEX=blackhole, PIP_INDEX_URL=blackhole,
        UV_OFFLINE="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Downloading" not in done.stdout


async def test_following_a_build_sees_it_through(root: Path) -> None:
    store = EnvironmentStore(root)
    items: list[BuildProgress] = [item async for item in store.build("r30_0_11")]
    assert items[-1].state == "ready", items[-1].reason
    assert {item.phase for item in items} >= {"resolving", "compiling", "checking"}
    assert len({item.pid for item in items}) == 1
    environment = store.ready("r30_0_11")
    assert environment is not None
    assert environment.versions["lsst-daf-butler"] == "30.0.11"
    assert not any("2026" in v for k, v in environment.versions.items() if k.startswith("lsst-"))


async def test_everybody_who_waits_for_one_build_gets_it(tmp_path: Path) -> None:
    """The demo builds JupyterLab when the first two people already start their labs."""

    async def last() -> BuildProgress:
        items = [item async for item in EnvironmentStore(tmp_path / "environments").build("ui")]
        return items[-1]

    ends = await asyncio.gather(last(), last(), last())
    assert [(item.state, item.reason) for item in ends] == [("ready", None)] * 3


def test_a_tag_that_does_not_exist_names_the_nearest(root: Path) -> None:
    done = build(root, "w_2026_24")
    assert done.returncode == 1
    assert "w_2026_23" in done.stderr
    assert "Traceback" not in done.stderr
