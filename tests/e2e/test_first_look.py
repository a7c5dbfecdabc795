"""The first evening of an astronomer: log in, choose a weekly, run the tutorial, go home."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import open_page
from tests.e2e.demo import Demo, HubUser, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.timeout(900)]

NAME = "rachel"
Cell = dict[str, Any]


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    with open_page() as page:
        foreign: list[str] = []
        page.on("request", lambda request: _note(request.url, demo.url, foreign))
        yield page
    assert foreign == [], "the pages asked for something from elsewhere"


def _note(url: str, own: str, foreign: list[str]) -> None:
    if not url.startswith((own, own.replace("http", "ws", 1), "data:", "blob:")):
        foreign.append(url)


def test_a_person_reaches_a_notebook_on_real_stars(demo: Demo, page: Page, output: Path) -> None:
    page.goto(f"{demo.url}/hub/login")
    page.screenshot(path=output / "1-login.png")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password", exact=True).fill(demo.password)
    page.keyboard.press("Enter")

    page.wait_for_url("**/hub/spawn")
    weekly = page.get_by_role("radio").and_(page.locator("[value^='w_']")).first
    expect(weekly).to_be_visible(timeout=60_000)  # the list comes while the page is looked at
    weekly.check()
    chosen = weekly.get_attribute("value")
    assert chosen is not None
    page.get_by_role("radio", name="Small").check()
    page.screenshot(path=output / "3-choose.png", full_page=True)
    page.get_by_role("button", name="Start").click()

    page.wait_for_url("**/spawn-pending/**")
    phases = page.get_by_role("list", name="Phases").inner_text().split("\n")
    words = [phase.strip(" ✓◉○✕") for phase in phases]
    assert words == ["Accepted", "Software environment", "Home folder", "JupyterLab", "Ready"]
    page.screenshot(path=output / "4-phases.png")
    page.wait_for_url(f"**/user/{NAME}/lab**", timeout=420_000)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)

    extensions = json.loads(page.locator("#jupyter-config-data").inner_text())
    names = {extension["name"] for extension in extensions["federated_extensions"]}
    assert names >= {"despejado-lab", "anywidget", "@jupyter-widgets/jupyterlab-manager"}
    badge = page.get_by_text("Weekly " + chosen.removeprefix("w_"))
    expect(badge.first).to_be_visible()
    page.get_by_role("menuitem", name="Tutorials").click()
    page.get_by_role("menuitem", name="First look").click()
    page.locator(".jp-NotebookPanel").wait_for()
    page.screenshot(path=output / "5-tutorial.png")

    run_all(page, output)
    check_tutorial(saved_cells(demo.state / "homes"))
    page.locator(".jp-RenderedImage img").nth(2).scroll_into_view_if_needed()
    page.screenshot(path=output / "6-plots.png")
    expect(page.get_by_text("Jupyter news")).to_have_count(0)


def check_tutorial(cells: list[Cell]) -> None:
    """Every cell ran, and what they say and show is right."""
    for cell in cells:
        errors = [o for o in cell.get("outputs", []) if o["output_type"] == "error"]
        assert errors == [], (cell["source"], errors)
    assert all(cell["execution_count"] for cell in cells), "a cell did not run"
    check_science(cells)
    check_plots(cells)


def check_science(cells: list[Cell]) -> None:
    """What the tutorial printed is true of the Pleiades."""
    cone = text_of(cells, "ORDER BY mag")
    assert re.search(r"^\s*17702\b", cone, re.MULTILINE), "Alcyone is HIP 17702"
    assert re.search(r"^224 stars", cone, re.MULTILINE)
    members, distance = numbers(r"(\d+) members at about (\d+) pc", cells, "moving_together")
    assert members > 40
    assert 110 < distance < 150, "Hipparcos has them at 120 pc, Gaia at 136"
    stars, difference = numbers(r"(\d+) stars.*: ([+-][\d.]+) mag", cells, "difference")
    assert stars > 8
    assert abs(difference) < 0.03
    nearest = text_of(cells, "submit_job")
    assert {"71683", "71681", "87937"} <= set(re.findall(r"\d+", nearest))


def check_plots(cells: list[Cell]) -> None:
    """The main sequence falls to the right; the cluster is in the middle of the sky plot."""
    diagram = picture_of(cells, "Pleiades, colour and magnitude")
    y, x = members_in(diagram)
    assert np.corrcoef(x, y)[0, 1] > 0.6, "bright and blue at the upper left"
    sky = picture_of(cells, "Pleiades on the sky")
    y, x = members_in(sky)
    assert abs(np.median(x) / sky.shape[1] - 0.5) < 0.12
    assert abs(np.median(y) / sky.shape[0] - 0.5) < 0.12
    assert picture_of(cells, "overlay=").std() > 0.05
    assert picture_of(cells, "m13_image").std() > 0.05


def members_in(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of pixels in matplotlib's first colour, without the legend's corner."""
    blue = np.abs(picture[..., :3] - np.array([31, 119, 180]) / 255).max(axis=-1) < 0.02
    rows, columns = np.nonzero(blue)
    legend = (columns > 0.5 * picture.shape[1]) & (rows < 0.2 * picture.shape[0])
    return rows[~legend], columns[~legend]


def text_of(cells: list[Cell], source: str) -> str:
    """The text outputs of the cell whose source contains ``source``."""
    cell = next(cell for cell in cells if source in "".join(cell["source"]))
    parts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        parts += output.get("text", []) or data.get("text/plain", [])
    return "".join(parts)


def numbers(pattern: str, cells: list[Cell], source: str) -> list[float]:
    """What the groups of ``pattern`` are in the text below a cell."""
    text = text_of(cells, source)
    found = re.search(pattern, text)
    assert found is not None, text
    return [float(each) for each in found.groups()]


def picture_of(cells: list[Cell], source: str) -> np.ndarray:
    cell = next(cell for cell in cells if source in "".join(cell["source"]))
    for output in cell["outputs"]:
        if "image/png" in output.get("data", {}):
            png = base64.b64decode("".join(output["data"]["image/png"]))
            return matplotlib.image.imread(io.BytesIO(png))
    raise AssertionError(f"no picture below the cell with {source!r}")


def run_all(page: Page, output: Path) -> None:
    """Run > Run All Cells, then wait until the last code cell has run."""
    first = page.locator(".jp-CodeCell .jp-InputArea-prompt").first
    expect(page.get_by_text(re.compile(r"^Weekly .* \| Idle$"))).to_be_visible(timeout=60_000)

    def started() -> None:
        # JupyterLab drops a cell that is run before its kernel is connected.
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        expect(first).to_have_text(re.compile(r"\[(\*|\d+)\]"), timeout=3_000)

    until_it_holds(started, attempts=20)
    page.screenshot(path=output / "5b-running.png")
    last = page.locator(".jp-CodeCell").filter(has_text="m13_image")
    last.scroll_into_view_if_needed()
    expect(last.locator(".jp-InputArea-prompt")).to_have_text(
        re.compile(r"\[\d+\]"), timeout=180_000
    )
    expect(last.locator("img")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saving completed")).to_be_visible()


def until_it_holds(step: Callable[[], None], attempts: int) -> None:
    """Try a step again while its expectation fails; each try waits by itself."""
    for attempt in range(1, attempts + 1):
        try:
            step()
            return
        except AssertionError:
            if attempt == attempts:
                raise


def saved_cells(homes: Path) -> list[Cell]:
    """The code cells of the tutorial in the home of ``NAME``."""
    found = list((homes / NAME).glob("notebooks/tutorials/**/01-first-look.ipynb"))
    assert len(found) == 1, found
    notebook = json.loads(found[0].read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_saving_and_leaving_stops_the_lab(demo: Demo, page: Page, output: Path) -> None:
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_role("menuitem", name="Save All and Exit", exact=True).click()
    page.wait_for_url("**/hub/**", timeout=60_000)
    expect(page.get_by_text("Not running.")).to_be_visible()
    page.screenshot(path=output / "7-home-again.png")
    user = HubUser(demo, NAME)

    def stopped() -> bool:
        return bool(user.api("GET", f"/users/{NAME}").json()["servers"] == {})

    wait_for(stopped, demo.process, demo.log, seconds=30)
