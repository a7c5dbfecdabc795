"""The hub's pages: what they may contain, and how they behave in a browser."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jupyterhub
import pytest
from despejado_hub.supervisor.prepare import PAGES

from tests.hub.running_demo import Person, RunningDemo, open_folder, until

STATIC = PAGES / "static"
TEMPLATES = PAGES / "templates"
SHOTS = Path(__file__).parents[2] / "test-output" / "pages"


class Contents(HTMLParser):
    """What a strict content security policy would refuse, and what comes from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.labelled: set[str] = set()
        self.controls: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and not values.get("src"):
            self.problems.append("a script in the page")
        if tag == "style" or "style" in values:
            self.problems.append(f"a style in the page, at {tag}")
        self.problems += [f"{name} at {tag}" for name in values if name.startswith("on")]
        for name in ("src", "href", "action"):
            address = values.get(name) or ""
            if re.match(r"(https?:)?//", address):
                self.problems.append(f"{address} is elsewhere")
        if tag == "label" and values.get("for"):
            self.labelled.add(str(values["for"]))
        if tag in ("input", "select", "textarea") and values.get("type") != "hidden":
            self.controls.append(values)


def contents(html: str) -> Contents:
    parser = Contents()
    parser.feed(html)
    return parser


@pytest.fixture(scope="module")
def demo() -> Iterator[RunningDemo]:
    with open_folder() as folder:
        platform = folder / "platform.yaml"
        platform.write_text("extends: despejado:demo\nhub:\n  admins: [operator]\n")
        running = RunningDemo(folder, options=("--no-build", "-f", str(platform)))
        try:
            yield running.start()
        finally:
            running.stop()


PATHS = ["home", "spawn", "token", "admin", "nothing-here", "spawn-pending/operator", "login"]


@pytest.mark.parametrize("path", PATHS)
def test_page_has_no_inline_code_and_nothing_from_elsewhere(demo: RunningDemo, path: str) -> None:
    person = Person(demo, "operator")
    if path != "login":
        person.log_in()
    answer = person.http.get(f"/hub/{path}", follow_redirects=True)
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    found = contents(answer.text)
    assert found.problems == []
    for control in found.controls:
        assert control.get("id") in found.labelled or control.get("aria-label"), control
    assert answer.text.count("<h1") == (0 if path == "admin" else 1)
    assert "Despejado" in answer.text


def test_templates_of_jupyterhub_with_scripts_in_the_page_are_all_replaced() -> None:
    stock = Path(jupyterhub.__file__).parent
    folders = [Path(sys.prefix) / "share" / "jupyterhub" / "templates", stock / "templates"]
    folder = next(folder for folder in folders if folder.is_dir())
    inline = {
        path.name
        for path in folder.glob("*.html")
        if re.search(r"<script(?![^>]*\bsrc=)", path.read_text())
    }
    assert inline
    assert inline - {path.name for path in TEMPLATES.glob("*.html")} == set()


def test_error_page_says_what_to_do(demo: RunningDemo) -> None:
    answer = Person(demo, "x").http.get("/hub/nothing-here")
    assert answer.status_code == 404
    assert "Not found" in answer.text
    assert "There is nothing at this address" in answer.text


@pytest.mark.parametrize("path", ["admin", "spawn/somebody-else"])
def test_refusal_speaks_of_pages_and_not_of_scopes(demo: RunningDemo, path: str) -> None:
    answer = Person(demo, "vera").log_in().http.get(f"/hub/{path}")
    assert answer.status_code in (403, 404)
    assert "scope" not in answer.text
    assert "resources" not in answer.text
    assert re.search("You may not open this page|nothing at this address", answer.text)


def test_wrong_password_says_where_the_right_one_is(demo: RunningDemo) -> None:
    person = Person(demo, "vera")
    answer = person.form("/hub/login", username="Vera", password="wrong")
    assert answer.status_code == 403
    assert "printed in the terminal" in answer.text.split('id="login-error"')[1].split("</p>")[0]
    password = re.search(r"<input id=.password_input.*?>", answer.text, re.DOTALL)
    assert password is not None
    assert "autofocus" in password[0]
    assert answer.text.count("autofocus") == 1


def test_administrator_sees_others_and_cannot_be_them(demo: RunningDemo) -> None:
    Person(demo, "rachel").log_in()
    operator = Person(demo, "operator").log_in()
    assert operator.api("GET", "/users/rachel").status_code == 200
    for method, path in (
        ("POST", "/users/rachel/tokens"),
        ("POST", "/users/rachel/server"),
        ("PATCH", "/users/rachel"),
        ("POST", "/shutdown"),
    ):
        assert operator.api(method, path).status_code in (403, 404), path


def test_name_with_markup_is_shown_as_text(demo: RunningDemo) -> None:
    name = '"><script>alert(1)</script>'
    person = Person(demo, name)
    answer = person.form("/hub/login", username=name, password=person.password)
    assert "<script>alert" not in answer.text
    assert contents(answer.text).problems == []


# Contrast (WCAG 2.2, 1.4.3 and 1.4.11)


def palettes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet by scheme and name."""
    css = (STATIC / "despejado.css").read_text()
    blocks = re.findall(r'\[data-bs-theme="(light|dark)"\] \{(.*?)\}', css, re.DOTALL)
    return {
        scheme: dict(re.findall(r"--despejado-([a-z-]+): (#[0-9a-f]{6});", block))
        for scheme, block in blocks
    }


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2, definitions)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("text", "page", 7.0),
        ("text", "surface", 7.0),
        ("muted", "page", 4.5),
        ("muted", "surface", 4.5),
        ("accent", "page", 4.5),
        ("accent", "surface", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-strong", 4.5),
        ("danger", "danger-page", 4.5),
        ("danger", "surface", 4.5),
        ("good", "surface", 3.0),
        ("line", "surface", 3.0),
        ("line", "page", 3.0),
    ],
)
def test_colours_can_be_told_apart(scheme: str, front: str, back: str, least: float) -> None:
    colours = palettes()[scheme]
    assert contrast(colours[front], colours[back]) >= least


def test_motion_is_off_for_those_who_asked() -> None:
    assert "prefers-reduced-motion" in (STATIC / "despejado.css").read_text()


# In a browser


@contextmanager
def browser_page(
    demo: RunningDemo, complaints: list[str] | None = None, **context: Any
) -> Iterator[Any]:
    """A page of Chromium; what its console complains of is added to ``complaints``."""
    from playwright.sync_api import sync_playwright

    flags = ["--disable-quic", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_context(base_url=demo.url, **context).new_page()
        page.set_default_timeout(20_000)
        noted = [] if complaints is None else complaints
        page.on(
            "console",
            lambda said: noted.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: noted.append(str(error)))
        try:
            yield page
        finally:
            browser.close()


def log_in(page: Any, demo: RunningDemo, name: str) -> None:
    page.goto("/hub/login")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(demo.ready["password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/hub/spawn**")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1100), ("dark", 1100), ("light", 360), ("dark", 360)]
)
def test_pages_fit_and_break_no_rule(demo: RunningDemo, scheme: str, width: int) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    size = {"width": width, "height": 800}
    complaints: list[str] = []
    with browser_page(demo, complaints, color_scheme=scheme, viewport=size) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto("/hub/login")
        page.screenshot(path=SHOTS / f"login-{scheme}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        log_in(page, demo, "operator")
        for path in ("home", "token", "spawn/operator", "admin"):
            assert complaints == [], path
            page.goto(f"/hub/{path}")
            page.wait_for_load_state("networkidle")
            page.screenshot(
                path=SHOTS / f"{path.split('/')[0]}-{scheme}-{width}.png", full_page=True
            )
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert path == "admin" or wide <= width, path
            dark = page.evaluate("document.documentElement.dataset.bsTheme")
            assert dark == scheme
        # JupyterHub's admin page brings styles that are refused, and adopted (admin.js).
        refused = "Applying inline style violates"
        assert [one for one in complaints if not one.startswith(refused)] == []
        assert [url for url in requests if not url.startswith((demo.url, "data:"))] == []


@pytest.mark.browser
def test_login_and_spawn_form_work_from_the_keyboard(demo: RunningDemo) -> None:
    with browser_page(demo) as page:
        page.goto("/hub/login")
        assert page.evaluate("document.activeElement.id") == "username_input"
        page.keyboard.type("operator")
        page.keyboard.press("Tab")
        page.keyboard.type(demo.ready["password"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/hub/spawn**")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip-link"
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.name") == "image":
                break
        else:
            pytest.fail("the images are not reached with the Tab key")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


@pytest.mark.browser
def test_password_can_be_shown(demo: RunningDemo) -> None:
    with browser_page(demo) as page:
        page.goto("/hub/login")
        field = page.locator("#password_input")
        assert field.get_attribute("type") == "password"
        page.get_by_role("button", name="Show").click()
        assert field.get_attribute("type") == "text"


@pytest.mark.browser
def test_token_page_makes_a_token_for_data(demo: RunningDemo) -> None:
    with browser_page(demo) as page:
        log_in(page, demo, "operator")
        page.goto("/hub/token")
        assert not page.locator("#token-area").is_visible()
        assert page.get_by_label("Permissions").input_value() == "custom:tap:query"
        page.get_by_label("What it is for").fill("pyvo")
        page.get_by_role("button", name="Make a token").click()
        page.locator("#token-result:visible").wait_for()
        assert len(page.locator("#token-result").inner_text()) >= 32
        page.reload()
        row = page.get_by_role("row", name="pyvo")
        row.locator("summary").click()
        assert "custom:tap:query" in row.inner_text()
        row.get_by_role("button", name="Revoke").click()
        row.wait_for(state="detached")


@pytest.mark.browser
def test_spawn_page_follows_the_building_of_an_environment(demo: RunningDemo) -> None:
    with browser_page(demo) as page:
        log_in(page, demo, "operator")
        answers: list[dict[str, Any]] = []
        image = {"tag": "plain", "title": "Plain Python", "reason": None}
        answers.append({**image, "state": "building", "fraction": 0.4, "note": "Being built"})
        answers.append({**image, "state": "ready", "fraction": None, "note": ""})

        def menu(route: Any) -> None:
            now = answers[0]
            route.fulfill(content_type="application/json", body=json.dumps({"images": [now]}))

        page.route("**/hub/despejado/menu", menu)
        page.goto("/hub/spawn/operator")
        choice = page.locator("[data-image=plain]")
        choice.locator("progress").wait_for()
        assert choice.locator("progress").get_attribute("value") == "40"
        assert "Being built" in choice.inner_text()
        # Percentages are not told aloud; the end is.
        assert page.locator("#menu-news").inner_text() == ""
        answers.pop(0)
        page.get_by_text("Plain Python is ready.").wait_for(state="attached")
        assert choice.locator("progress").count() == 0


@pytest.mark.browser
def test_failed_start_says_why_and_offers_another_try(demo: RunningDemo) -> None:
    with browser_page(demo) as page:
        log_in(page, demo, "anna")
        page.route("**/hub/api/users/anna/server/progress**", _failing_start)
        page.goto("/hub/spawn/anna")
        # Nothing is built, so the start waits at its first phase: its page can be looked at.
        page.locator("input[name=image]").first.check()
        page.get_by_role("button", name="Start").click()
        page.locator("#spawn-progress").wait_for()
        page.get_by_role("heading", name="Your lab could not be started").wait_for()
        assert "There is no room on the disk" in page.locator("#progress-message").inner_text()
        assert page.evaluate("document.activeElement.id") == "retry"
        page.screenshot(path=SHOTS / "failed.png", full_page=True)
    person = Person(demo, "anna").log_in()
    person.api("DELETE", "/users/anna/server")
    until(
        lambda: not person.api("GET", "/users/anna").json().get("servers"),
        "the start is not cancelled",
    )


@pytest.mark.browser
def test_home_page_follows_a_start_and_its_stop(demo: RunningDemo) -> None:
    with browser_page(demo) as page:
        log_in(page, demo, "berta")
        # Nothing is built, so the start waits at its first phase.
        page.locator("input[name=image]").first.check()
        page.get_by_role("button", name="Start").click()
        page.locator("#spawn-progress").wait_for()
        assert "_xsrf" not in page.url
        page.goto("/hub/home")
        page.get_by_text("Starting with").wait_for()
        assert page.get_by_role("link", name="Watch it start").is_visible()
        page.wait_for_load_state("networkidle")  # JupyterHub's part of the page comes last
        page.get_by_role("button", name="Stop my lab").click()
        page.get_by_text("Not running.").wait_for()
        assert page.get_by_role("link", name="Start my lab").is_visible()


def _failing_start(route: Any) -> None:
    events = [
        {"progress": 5, "message": "Preparing Plain Python", "phase": "environment"},
        {"progress": 5, "failed": True, "message": "There is no room on the disk."},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    route.fulfill(content_type="text/event-stream", body=body)
