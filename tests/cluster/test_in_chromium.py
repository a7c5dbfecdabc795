"""As a person would: log in, choose an image of the registry, watch the phases, work, go home."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from despejado_hub.jupyterhub_config.configure import PAGES
from despejado_hub.supervisor.settings import node_program, proxy_bundle
from playwright.sync_api import Page, WebSocket, expect

from tests.cluster.clusters import Cluster
from tests.cluster.pod_hub import free_port
from tests.cluster.sites import Site, site
from tests.e2e.browser import open_page

pytestmark = [pytest.mark.cluster, pytest.mark.browser, pytest.mark.root]
OUTPUT = Path(__file__).parents[2] / "test-output" / "cluster"


@contextmanager
def proxy(folder: Path, hub: str) -> Iterator[dict[str, str]]:
    """The platform's proxy, as the demo runs it."""
    port, api_port, token = free_port(), free_port(), secrets.token_hex(16)
    (folder / "proxy.token").write_text(token)
    (folder / "proxy.json").write_text(
        json.dumps(
            {
                "hosts": ["127.0.0.1"],
                "port": port,
                "api_port": api_port,
                "token_file": str(folder / "proxy.token"),
                "default_target": hub,
                "error_target": f"{hub}/hub/error",
                "error_path": str(PAGES / "offline"),
                "log_level": "info",
            }
        )
    )
    command = [str(node_program()), str(proxy_bundle()), str(folder / "proxy.json")]
    with (
        (folder / "proxy.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield {
                "api_url": f"http://127.0.0.1:{api_port}",
                "token": token,
                "url": f"http://127.0.0.1:{port}",
            }
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def observatory(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, str]]:
    """A site with a registry's menu, shared homes and a proxy; and the address to type."""
    folder, homes = tmp_path_factory.mktemp("browser"), tmp_path_factory.mktemp("homes")
    for each in (homes, *homes.parents):
        each.chmod(each.stat().st_mode | 0o055)
    cluster.image("despejado/lab:plain")
    port, api_port = free_port(), free_port()
    with proxy(folder, f"http://{cluster.node_address}:{api_port}") as found:
        settings = {
            "proxy": found,
            "lab": {
                "images": {},
                "image_repository": f"{cluster.registry}/despejado/lab",
                "image_policy": {"weeklies": 1, "releases": 0},
            },
        }
        with site(cluster, folder, homes=homes, settings=settings, ports=(port, api_port)) as here:
            yield here, found["url"]


@pytest.fixture
def page() -> Iterator[Page]:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with open_page() as page:
        yield page


def open_terminal(page: Page) -> None:
    """Open one in the lab and wait for its prompt; what is typed before that goes nowhere."""
    said: list[str | bytes] = []
    sockets: list[WebSocket] = []

    def hear(frame: str | bytes) -> None:
        said.append(frame)

    def listen(socket: WebSocket) -> None:
        if "/terminals/websocket/" in socket.url:
            socket.on("framereceived", hear)
            sockets.append(socket)

    page.on("websocket", listen)
    with page.expect_websocket(lambda socket: "/terminals/websocket/" in socket.url):
        page.locator(".jp-LauncherCard[title*='terminal' i]").first.click()
    while not any("$" in str(frame) for frame in said):
        sockets[0].wait_for_event("framereceived")
    page.locator(".jp-Terminal textarea").focus()


def test_a_person_gets_a_lab_of_the_registry_s_image(
    observatory: tuple[Site, str], page: Page
) -> None:
    here, url = observatory
    page.goto(f"{url}/hub/login")
    page.get_by_label("User name").fill("rachel")
    page.get_by_label("Password", exact=True).fill("anything")
    page.keyboard.press("Enter")

    page.wait_for_url("**/hub/spawn**")
    page.get_by_role("radio").and_(page.locator("[value='plain']")).check()
    page.get_by_role("radio", name="Small").check()
    page.screenshot(path=OUTPUT / "1-choose.png", full_page=True)
    page.get_by_role("button", name="Start").click()

    page.wait_for_url("**/spawn-pending/**")
    phases = page.get_by_role("list", name="Phases")
    expect(phases).to_contain_text(re.compile(r"Home folder\s+A place in the cluster"))
    page.screenshot(path=OUTPUT / "2-phases.png")
    page.wait_for_url("**/user/rachel/lab**", timeout=120_000)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    expect(page.get_by_text("Plain Python").first).to_be_visible()
    page.screenshot(path=OUTPUT / "3-lab.png")

    open_terminal(page)
    page.keyboard.type("id > ~/who-am-i\n")
    assert here.homes is not None
    said = here.homes / "rachel" / "who-am-i"
    here.hub.wait(lambda: said.exists() and said.read_text(), "the terminal's answer")
    assert "uid=5623(rachel)" in said.read_text() and "6100(stars)" in said.read_text()
    assert said.stat().st_uid == 5623
    page.screenshot(path=OUTPUT / "4-terminal.png")


def test_a_lab_that_was_deleted_is_told_on_the_home_page(
    observatory: tuple[Site, str], page: Page
) -> None:
    here, url = observatory
    here.kube.delete("Pod", "jupyter-rachel")
    here.hub.wait(lambda: "last_end" in here.hub.state("rachel"), "the hub to notice")
    page.goto(f"{url}/hub/login")
    page.get_by_label("User name").fill("rachel")
    page.get_by_label("Password", exact=True).fill("anything")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/hub/login" not in address)
    page.goto(f"{url}/hub/home")
    expect(page.get_by_role("alert")).to_contain_text("deleted")
    page.screenshot(path=OUTPUT / "5-home.png")
