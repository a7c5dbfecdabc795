"""The progress of a query in JupyterLab, as a person sees and uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import nbformat
import pytest

from tests.kernels.conftest import StandIn

pytestmark = pytest.mark.browser

CELLS = ["%load_ext despejado", "%%adql -o stars\nSELECT slow FROM sample.stars", "len(stars)"]


def _relay(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


@pytest.fixture
def jupyter(lab: Path, tmp_path: Path, free_port: int) -> Iterator[str]:
    """JupyterLab with one notebook open; its address."""
    work = tmp_path / "work"
    work.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, work / "query.ipynb")
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: str(tmp_path / name.lower()) for name in ("HOME", "IPYTHONDIR", *folders)}
    (tmp_path / "home").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
         f"--port={free_port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=test",
         f"--ServerApp.root_dir={work}", "--LabApp.expose_app_in_browser=True"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=work,
        env={**os.environ, **own},
    )  # fmt: skip
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=_relay, args=(process, lines), daemon=True).start()
    said = [lines.get(timeout=120)]
    while said[-1] and "is running at" not in said[-1]:
        said.append(lines.get(timeout=120))
    assert said[-1], "".join(said)
    yield f"http://127.0.0.1:{free_port}/lab/tree/query.ipynb?token=test"
    process.terminate()
    process.wait(30)


def test_abort_by_keyboard_while_the_cell_runs(
    jupyter: str, service: StandIn, output: Path
) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 700})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(jupyter)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.evaluate("() => window.jupyterapp.restored")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        run_all = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
        page.evaluate(f"() => void {run_all}")
        group = page.get_by_role("group", name="ADQL query")
        expect(group.get_by_role("status").first).to_have_text("Running")
        name = service.wait_for_job()
        page.screenshot(path=output / "progress_running.png")
        abort = group.get_by_role("button", name="Abort")
        abort.focus()
        page.keyboard.press("Enter")
        assert service.wait_for_phase(name, "ABORTED")
        expect(group.get_by_role("status").first).to_have_text("Aborted")
        expect(abort).to_be_hidden()
        expect(page.locator(".jp-Notebook")).to_contain_text("QueryAborted: The query was aborted.")
        page.screenshot(path=output / "progress_aborted.png")
        browser.close()
    assert [url for url in asked if "127.0.0.1" not in url and not url.startswith("data:")] == []
    assert not json.dumps([request.path for request in service.requests]).count("result")
