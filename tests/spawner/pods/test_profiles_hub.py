"""Profiles in a real JupyterHub, 6 and 5.5: what its API and its pages answer."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from despejado_images.environments.uv import find_uv

from tests.spawner.local_hub import free_port

CONFIG = Path(__file__).parent / "data" / "profiles_hub_config.py"
ROOT = Path(__file__).parents[3]
SOURCES = os.pathsep.join(str(ROOT / room) for room in ("spawner", "images"))
OLDER = (
    "jupyterhub>=5.5.3,<6",
    "jupyterhub-kubespawner>=7.1,<8",
    "kubernetes-asyncio>=31",
    "packaging",
    "pydantic>=2.9,<3",
)


@dataclass
class Hub:
    """A hub and what its users can ask of it."""

    port: int
    token: str
    process: subprocess.Popen[bytes]
    log: Path

    def api(self, token: str | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/hub",
            headers={"Authorization": f"token {token or self.token}"},
            timeout=60,
        )

    def add_user(self, name: str) -> httpx.Client:
        """A new user; the client asks as that user."""
        with self.api() as client:
            client.post("/api/users", json={"usernames": [name]}).raise_for_status()
            made = client.post(f"/api/users/{name}/tokens").raise_for_status().json()
        return self.api(made["token"])

    def log_in(self, name: str) -> httpx.Client:
        """A browser in which that user has logged in."""
        browser = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/hub", timeout=60)
        browser.get("/login").raise_for_status()
        form = {"username": name, "password": "x", "_xsrf": browser.cookies["_xsrf"]}
        assert browser.post("/login", data=form).status_code == 302
        browser.get("/home").raise_for_status()
        return browser

    def saved(self, name: str) -> Any:
        """The options that the hub would start the user's lab with."""
        with self.api() as client:
            user = client.get(f"/api/users/{name}?include_stopped_servers").json()
        return user["servers"][""]["user_options"]


@pytest.fixture(
    scope="module", params=["installed", pytest.param("5.5", marks=pytest.mark.network)]
)
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("profiles-hub")
    python = sys.executable if request.param == "installed" else older_hub(folder / "older")
    port, token = free_port(), secrets.token_hex(16)
    (folder / "settings.json").write_text(json.dumps({"port": port, "token": token}))
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "jupyterhub", "-f", CONFIG],
            cwd=folder,
            env={**os.environ, "TEST_HUB_FOLDER": str(folder), "PYTHONPATH": SOURCES},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    found = Hub(port, token, process, folder / "hub.log")
    try:
        wait_for(found)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)


def older_hub(prefix: Path) -> str:
    uv = str(find_uv())
    python = str(prefix / "bin" / "python")
    for command in (
        [uv, "venv", "--python", sys.executable, str(prefix)],
        [uv, "pip", "install", "--python", python, *OLDER],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return python


def wait_for(hub: Hub) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if hub.process.poll() is not None:
            break
        try:
            if httpx.get(f"http://127.0.0.1:{hub.port}/hub/api/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(hub.log.read_text())


def test_an_offered_choice_is_started_and_remembered(hub: Hub) -> None:
    jo = hub.add_user("jo")
    answer = jo.post("/api/users/jo/server", json={"profile": "cpu", "image": "two"})
    assert (answer.status_code, answer.json()["message"]) == (503, "would start lab:2")
    assert hub.saved("jo") == {"profile": "cpu", "image": "two"}
    again = jo.post("/api/users/jo/server")
    assert again.json()["message"] == "would start lab:2"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"profile": "tpu"}, "profile: There is no profile 'tpu'. Allowed: cpu, gpu."),
        ({"profile": ["cpu"]}, "profile: a JSON list is not a text. Allowed: cpu, gpu."),
        ({"image": "three"}, "image: There is no choice 'three'. Allowed: one, two."),
        ({"image": {"a": 1}}, "image: a JSON object is not a text. Allowed: one, two."),
        (
            {"image--unlisted-choice": "mine:1/../evil"},
            "image--unlisted-choice: 'mine:1/../evil' is not allowed. It must match mine:\\w+.",
        ),
    ],
)
def test_what_is_not_offered_is_a_400_and_not_remembered(
    hub: Hub, options: dict[str, Any], says: str
) -> None:
    name = f"u{secrets.token_hex(3)}"
    user = hub.add_user(name)
    user.post(f"/api/users/{name}/server", json={"profile": "gpu"})
    answer = user.post(f"/api/users/{name}/server", json=options)
    assert (answer.status_code, answer.json()["message"]) == (400, says)
    assert hub.saved(name) == {"profile": "gpu"}


def xsrf(browser: httpx.Client) -> dict[str, str]:
    cookies = [c for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/"]
    return {"_xsrf": str(cookies[-1].value)}


def test_form_and_link_start_what_they_say(hub: Hub) -> None:
    browser = hub.log_in("form")
    form = {"profile": "cpu", "profile-option-cpu--image": "two"}
    prefixed = {f"opt-{name}": value for name, value in form.items()}
    for answer in (
        browser.post("/spawn/form", data=form, params=xsrf(browser)),
        browser.get("/spawn/form", params=form),
        browser.get("/spawn/form", params=prefixed),
    ):
        assert answer.status_code == 503
        assert "would start lab:2" in answer.text


def test_a_refused_form_or_link_shows_the_form_with_the_reason(hub: Hub) -> None:
    browser = hub.log_in("refused")
    browser.post("/spawn/refused", data={"profile": "gpu"}, params=xsrf(browser))
    form = {"profile": "cpu", "profile-option-cpu--image": "three"}
    for answer in (
        browser.post("/spawn/refused", data=form, params=xsrf(browser)),
        browser.get("/spawn/refused", params=form),
    ):
        assert answer.status_code == 400
        assert "There is no choice &#39;three&#39;" in answer.text.replace("&#x27;", "&#39;")
        assert 'name="profile-option-cpu--image"' in answer.text
        assert 'const userOptions = {"profile": "gpu"}' in answer.text


def test_no_start_logs_a_traceback_or_unhandled_options(hub: Hub) -> None:
    user = hub.add_user("quiet")
    before = len(hub.log.read_text())
    for options in ({"profile": "tpu"}, {"profile": "gpu"}):
        user.post("/api/users/quiet/server", json=options)
    log = hub.log.read_text()[before:]
    assert "unhandled user_options" not in log
    refusal = log[: log.index("would start gpu:1")]
    assert "There is no profile" in refusal
    assert "Traceback" not in refusal
