"""Labs that the tests of this room share: one with all that a platform gives it, one plain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.labextension.lab_process import (
    LAB_JSON,
    HubStandIn,
    Lab,
    hub_stand_in,
    running_lab,
    write_cgroup,
    write_runtime,
    write_tutorials,
)

QUIET = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    # A page of a busy machine may take its time; a wrong one is told a little later.
    context.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def _shared_hub() -> Iterator[HubStandIn]:
    with hub_stand_in() as hub:
        yield hub


@pytest.fixture
def hub(_shared_hub: HubStandIn) -> HubStandIn:
    """The hub's stand-in, as if nobody had asked it anything."""
    _shared_hub.reset()
    return _shared_hub


@pytest.fixture(scope="session")
def _shared_lab(tmp_path_factory: pytest.TempPathFactory, _shared_hub: HubStandIn) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    lab_json = {**LAB_JSON, "server": {"name": "", "hub_url": f"{_shared_hub.url}/hub/"}}
    runtime = write_runtime(folder / "runtime", lab_json)
    environ = {"DESPEJADO_RUNTIME_DIR": str(runtime), **_shared_hub.environ()}
    write_cgroup(folder / "cgroup", used=2**30, limit=3 * 2**30)
    with running_lab(folder, write_tutorials(folder / "tutorials"), environ) as lab:
        yield lab


@pytest.fixture
def lab(_shared_lab: Lab, hub: HubStandIn) -> Lab:
    """A lab of the platform, without copies of tutorials."""
    _shared_lab.forget_copies()
    return _shared_lab


@pytest.fixture(scope="session")
def plain_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that knows nothing of any platform, and has no tutorials."""
    folder = tmp_path_factory.mktemp("plain")
    empty = folder / "no-tutorials"
    empty.mkdir()
    with running_lab(folder, empty) as lab:
        yield lab


@pytest.fixture
def output(request: pytest.FixtureRequest) -> Path:
    """Where screenshots are kept."""
    folder = Path(request.config.rootpath) / "test-output" / "labextension"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
