"""What a person sees of memory in JupyterLab, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.labextension.browsing import dialog, edit_notebook, open_lab
from tests.labextension.lab_process import (
    LAB_JSON,
    HubStandIn,
    Lab,
    running_lab,
    write_cgroup,
    write_runtime,
    write_tutorials,
)

pytestmark = pytest.mark.browser

GIB = 2**30


@pytest.fixture
def own_lab(tmp_path: Path, hub: HubStandIn) -> Iterator[Lab]:
    """A lab of the platform whose control group is this test's alone."""
    lab_json = {**LAB_JSON, "server": {"name": "", "hub_url": f"{hub.url}/hub/"}}
    runtime = write_runtime(tmp_path / "runtime", lab_json)
    write_cgroup(tmp_path / "cgroup", used=GIB, limit=3 * GIB)
    environ = {"DESPEJADO_RUNTIME_DIR": str(runtime), **hub.environ()}
    with running_lab(tmp_path, write_tutorials(tmp_path / "tutorials"), environ) as lab:
        yield lab


def run_to_the_end_of_memory(page: Page, lab: Lab, name: str, kills: int) -> None:
    """A notebook whose kernel ends as the system ends one that wants too much."""
    edit_notebook(page, lab, name)
    page.evaluate(
        """async () => {
            const panel = window.jupyterapp.shell.currentWidget;
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info;
        }"""
    )
    write_cgroup(lab.cgroup, used=GIB, limit=3 * GIB, kills=kills)
    page.evaluate(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            kernel.requestExecute({ code: 'import os; os.kill(os.getpid(), 9)' });
        }"""
    )


def notifications(page: Page) -> Locator:
    return page.locator(".Toastify__toast")


def test_the_status_bar_shows_what_is_used_of_the_limit(
    page: Page, own_lab: Lab, output: Path
) -> None:
    open_lab(page, own_lab)
    meter = page.locator(".dpj-Meter")
    expect(meter).to_have_text("Memory 1 / 3 GiB")
    expect(meter).to_have_attribute("title", re.compile("uses 1 GiB of 3 GiB"))
    write_cgroup(own_lab.cgroup, used=int(2.84 * GIB), limit=3 * GIB)
    page.reload()
    expect(meter).to_have_text("Memory 2.8 / 3 GiB · nearly full")
    page.screenshot(path=output / "memory-meter.png")


def test_a_kernel_that_memory_ended_is_told_once_and_can_be_dismissed(
    page: Page, own_lab: Lab, output: Path
) -> None:
    open_lab(page, own_lab)
    run_to_the_end_of_memory(page, own_lab, "large.ipynb", kills=1)
    told = notifications(page)
    expect(told).to_contain_text(
        "The kernel of large.ipynb was stopped: the lab's memory limit of 3 GiB was reached."
    )
    # JupyterLab's own word about the restart.
    dialog(page, "Kernel Restarting")
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
    page.screenshot(path=output / "memory-told.png")
    told.get_by_role("button", name="Dismiss").click()
    expect(told).to_have_count(0)
    page.reload()
    expect(page.locator(".dpj-Meter")).to_be_visible()
    expect(told).to_have_count(0)


def test_a_bigger_lab_is_started_from_the_notification(
    page: Page, own_lab: Lab, hub: HubStandIn, output: Path
) -> None:
    open_lab(page, own_lab)
    run_to_the_end_of_memory(page, own_lab, "work.ipynb", kills=1)
    expect(notifications(page)).to_be_visible()
    dialog(page, "Kernel Restarting")
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()
    page.get_by_role("button", name="Start a Bigger Lab…").click()
    dialog(page, "Start a bigger lab")
    sizes = page.locator(".jp-Dialog select")
    expect(sizes.locator("option")).to_have_text(["Medium", "Large"])
    sizes.select_option("Large")
    page.screenshot(path=output / "bigger-lab.png")
    page.locator(".jp-Dialog").get_by_role("button", name="Save All and Start").click()
    assert hub.stopped.wait(timeout=30)
    assert not urlsplit(page.url).path.startswith("/hub")  # it waits for the lab's end
    own_lab.process.kill()
    page.wait_for_url(f"{hub.url}/hub/spawn/rachel?*")
    options = parse_qs(urlsplit(page.url).query)
    assert options == {"opt-image": ["w_2026_43"], "opt-size": ["large"]}
    assert "changed by the test" in (own_lab.home / "work.ipynb").read_text()


def test_a_bigger_lab_can_be_thought_better_of(page: Page, own_lab: Lab, hub: HubStandIn) -> None:
    open_lab(page, own_lab)
    edit_notebook(page, own_lab, "work.ipynb")
    page.evaluate("() => { void window.jupyterapp.commands.execute('despejado:start-bigger-lab') }")
    dialog(page, "Start a bigger lab")
    page.locator(".jp-Dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    assert hub.asked == []
    assert "changed by the test" not in (own_lab.home / "work.ipynb").read_text()


def test_a_plain_jupyterlab_is_asked_once_and_shows_nothing(page: Page, plain_lab: Lab) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if urlsplit(request.url).path == "/despejado/memory":
            asked.append(request.url)

    page.clock.install()
    page.on("request", note)
    with page.expect_response(re.compile("/despejado/memory")):
        open_lab(page, plain_lab)
    expect(page.locator(".dpj-Badge-button")).to_be_visible()
    expect(page.locator(".dpj-Meter")).to_be_hidden()
    # Nothing more is asked for, however long the page is open.
    page.clock.fast_forward("10:00")
    assert len(asked) == 1
    assert not page.evaluate(
        "() => window.jupyterapp.commands.isVisible('despejado:start-bigger-lab')"
    )
