"""What a person sees and does in JupyterLab, in Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from tests.labextension.browsing import (
    dialog,
    edit_notebook,
    escape,
    open_lab,
    open_menu,
    pick,
)
from tests.labextension.lab_process import (
    LAB_JSON,
    HubStandIn,
    Lab,
    notebook,
    running_lab,
    write_runtime,
    write_tutorials,
)

pytestmark = pytest.mark.browser

FIRST = "01-first-look.ipynb"


@pytest.fixture
def lab(_shared_lab: Lab, hub: HubStandIn) -> Lab:
    """A lab of the platform, without copies of tutorials."""
    _shared_lab.empty_copies()
    return _shared_lab


def visible_files(folder: Path) -> list[Path]:
    """What a user sees there; Jupyter's checkpoints are hidden."""
    files = (path for path in folder.iterdir() if path.is_file())
    return sorted(path for path in files if not path.name.startswith("."))


def test_the_badge_names_environment_and_size_and_opens_the_details(
    page: Page, lab: Lab, output: Path
) -> None:
    open_lab(page, lab)
    button = page.get_by_role("button", name="Weekly 2026_43 · Small")
    expect(button).to_be_visible()
    expect(button).to_have_attribute("title", re.compile("1 CPU, 3 GiB memory"))
    expect(page.locator(".jp-LauncherCard", has_text="A first look")).to_be_visible()
    page.screenshot(path=output / "lab.png")
    button.click()
    dialog(page, "Environment of this lab")
    row = page.get_by_role("row", name="User rachel (UID 5001, GID 5001)")
    expect(row).to_be_visible()
    expect(page.get_by_role("row", name="lsst-daf-butler 30.2026.4300")).to_be_visible()
    page.screenshot(path=output / "details.png")
    page.get_by_role("button", name="Copy Details").click()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert "Tag: w_2026_43" in copied
    assert "Digest: sha256:0f3a9d3c" in copied
    assert "astropy 7.1.0" in copied


def test_the_badge_works_by_keyboard_alone(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    button = page.locator(".dpj-Badge-button")
    button.focus()
    page.keyboard.press("Enter")
    dialog(page, "Environment of this lab")
    escape(page)


def test_a_plain_jupyterlab_has_a_badge_and_no_exits(page: Page, plain_lab: Lab) -> None:
    open_lab(page, plain_lab)
    expect(page.get_by_role("button", name="JupyterLab", exact=True)).to_be_visible()
    open_menu(page, "File")
    expect(page.get_by_role("menuitem", name="Save All", exact=True)).to_be_visible()
    expect(page.get_by_role("menuitem", name=re.compile("Exit"))).to_have_count(0)
    page.keyboard.press("Escape")
    open_menu(page, "Tutorials")
    why = page.get_by_role("menuitem", name=re.compile("There are no notebooks in .* Look again"))
    expect(why).to_be_visible()


def test_a_tutorial_is_copied_and_opened_from_the_menu(page: Page, lab: Lab, output: Path) -> None:
    open_lab(page, lab)
    open_menu(page, "Tutorials")
    page.get_by_role("menuitem", name="Images", exact=True).hover()
    expect(page.get_by_role("menuitem", name="Cutouts", exact=True)).to_be_visible()
    page.screenshot(path=output / "tutorials-menu.png")
    page.get_by_role("menuitem", name="A first look", exact=True).click()
    expect(page.get_by_role("tab", name=FIRST)).to_be_visible()
    expect(page.get_by_role("heading", name="A first look")).to_be_visible()
    assert (lab.copies / FIRST).read_bytes() == (lab.tutorials / FIRST).read_bytes()
    page.screenshot(path=output / "tutorial.png")


def test_a_nested_tutorial_is_reached_by_keyboard(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    open_menu(page, "Tutorials")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("tab", name="cutouts.ipynb")).to_be_visible()
    assert (lab.copies / "images" / "cutouts.ipynb").exists()


def test_the_palette_asks_which_tutorial(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    page.evaluate("() => { void window.jupyterapp.commands.execute('despejado:open-tutorial') }")
    dialog(page, "Open a tutorial")
    page.locator(".jp-Dialog select").select_option("Images / Cutouts")
    page.get_by_role("button", name="Ok").click()
    expect(page.get_by_role("tab", name="cutouts.ipynb")).to_be_visible()


def test_the_launcher_has_a_card_with_the_mark(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    card = page.locator(".jp-LauncherCard", has_text="A first look")
    expect(card.locator("[data-icon='despejado-lab:mark']")).to_be_visible()
    card.click()
    expect(page.get_by_role("tab", name=FIRST)).to_be_visible()


@pytest.fixture
def mine(lab: Lab) -> Path:
    """A copy of the first tutorial that the user has worked in."""
    copy = lab.copies / FIRST
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(notebook("# My own work"))
    return copy


def test_an_existing_tutorial_can_be_opened_as_it_was_left(
    page: Page, lab: Lab, mine: Path, output: Path
) -> None:
    open_lab(page, lab)
    pick(page, "Tutorials", "A first look")
    dialog(page, "You already have this tutorial")
    page.screenshot(path=output / "overwrite.png")
    page.get_by_role("button", name="Open Mine").click()
    expect(page.get_by_role("heading", name="My own work")).to_be_visible()
    assert visible_files(lab.copies) == [mine]


def test_cancel_opens_and_changes_nothing(page: Page, lab: Lab, mine: Path) -> None:
    open_lab(page, lab)
    before = mine.read_bytes()
    pick(page, "Tutorials", "A first look")
    dialog(page, "You already have this tutorial")
    escape(page)
    expect(page.get_by_role("tab", name=FIRST)).to_have_count(0)
    assert mine.read_bytes() == before
    assert visible_files(lab.copies) == [mine]


def test_a_fresh_tutorial_keeps_mine_with_the_changes_on_screen(
    page: Page, lab: Lab, mine: Path
) -> None:
    open_lab(page, lab)
    edit_notebook(page, lab, f"notebooks/tutorials/{FIRST}")
    pick(page, "Tutorials", "A first look")
    dialog(page, "You already have this tutorial")
    page.get_by_role("button", name="Replace With a Fresh One").click()
    expect(page.get_by_role("heading", name="A first look")).to_be_visible()
    backup = mine.with_name("01-first-look.backup-1.ipynb")
    expect(page.get_by_text(f"kept as notebooks/tutorials/{backup.name}")).to_be_visible()
    assert "changed by the test" in backup.read_text()
    assert mine.read_bytes() == (lab.tutorials / FIRST).read_bytes()


def test_save_all_and_exit_saves_stops_and_goes_to_the_hub(
    page: Page, lab: Lab, hub: HubStandIn, output: Path
) -> None:
    open_lab(page, lab)
    edit_notebook(page, lab, "work.ipynb")
    open_menu(page, "File")
    expect(page.get_by_role("menuitem", name="Save All and Exit")).to_be_visible()
    page.screenshot(path=output / "file-menu.png")
    page.get_by_role("menuitem", name="Save All and Exit", exact=True).click()
    page.wait_for_url(f"{hub.url}/hub/home")
    assert "changed by the test" in (lab.home / "work.ipynb").read_text()
    assert hub.stopped.wait(timeout=30)


def test_exit_and_log_out_goes_to_the_logout(page: Page, lab: Lab, hub: HubStandIn) -> None:
    open_lab(page, lab)
    pick(page, "File", "Save All, Exit and Log Out")
    page.wait_for_url(f"{hub.url}/hub/logout")
    assert hub.stopped.wait(timeout=30)


def test_a_failed_save_stops_the_exit_and_names_the_file(
    page: Page, lab: Lab, hub: HubStandIn, output: Path
) -> None:
    open_lab(page, lab)
    edit_notebook(page, lab, "unlucky.ipynb")
    page.route(
        re.compile(r"/api/contents/unlucky\.ipynb"),
        lambda route: (
            route.fulfill(status=500, json={"message": "No space left on device"})
            if route.request.method == "PUT"
            else route.continue_()
        ),
    )
    page.evaluate(
        "() => { window.leaving = window.jupyterapp.commands.execute('despejado:save-and-exit') }"
    )
    # JupyterLab's own dialog about the failed save comes first.
    dialog(page, "File Save Error for unlucky.ipynb")
    page.locator(".jp-Dialog").get_by_role("button", name="Close").click()
    dialog(page, "Not everything was saved, so the lab goes on")
    body = page.locator(".jp-Dialog-body")
    expect(body).to_contain_text("unlucky.ipynb: ")
    expect(body).to_contain_text("No space left on device")
    page.screenshot(path=output / "failed-save.png")
    page.get_by_role("button", name="Back to the Lab").click()
    # All that the command does has been done.
    page.evaluate("() => window.leaving")
    assert hub.asked == []
    assert "changed by the test" not in (lab.home / "unlucky.ipynb").read_text()


def test_exit_without_saving_asks_and_then_loses_the_changes(
    page: Page, lab: Lab, hub: HubStandIn
) -> None:
    open_lab(page, lab)
    edit_notebook(page, lab, "scratch.ipynb")
    pick(page, "File", "Exit Without Saving")
    dialog(page, "Exit without saving?")
    expect(page.locator(".jp-Dialog-body")).to_contain_text("scratch.ipynb")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    assert hub.asked == []
    pick(page, "File", "Exit Without Saving")
    page.locator(".jp-Dialog").get_by_role("button", name="Exit Without Saving").click()
    page.wait_for_url(f"{hub.url}/hub/home")
    assert "changed by the test" not in (lab.home / "scratch.ipynb").read_text()


def test_a_hub_that_does_not_answer_keeps_the_lab_and_says_so(
    page: Page, lab: Lab, hub: HubStandIn, output: Path
) -> None:
    hub.answers["GET /hub/api/user"] = (503, "maintenance")
    open_lab(page, lab)
    pick(page, "File", "Save All and Exit")
    dialog(page, "The lab could not be stopped")
    expect(page.locator(".jp-Dialog-body")).to_contain_text("503")
    page.screenshot(path=output / "no-hub.png")
    page.get_by_role("button", name="Back to the Lab").click()
    assert page.url.startswith(lab.url)


def test_commands_describe_their_arguments(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    schemas = page.evaluate(
        """async () => {
            const commands = window.jupyterapp.commands;
            const ids = commands.listCommands().filter(id => id.startsWith('despejado:'));
            const all = await Promise.all(ids.map(id => commands.describedBy(id)));
            return ids.map((id, i) => [id, all[i].args]);
        }"""
    )
    assert len(schemas) == 7
    assert [name for name, schema in schemas if not schema or schema["type"] != "object"] == []


def test_nothing_is_asked_of_any_other_host(page: Page, lab: Lab) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    open_lab(page, lab)
    page.locator(".dpj-Badge-button").click()
    escape(page)
    pick(page, "Tutorials", "A first look")
    expect(page.get_by_role("heading", name="A first look")).to_be_visible()
    elsewhere = [
        url
        for url in asked
        if urlsplit(url).scheme not in {"data", "blob"}
        and urlsplit(url).netloc != urlsplit(lab.url).netloc
    ]
    assert asked
    assert elsewhere == []


def test_an_abnormal_start_is_explained_and_can_be_left(
    page: Page, tmp_path: Path, hub: HubStandIn, output: Path
) -> None:
    lab_json = {**LAB_JSON, "server": {"name": "", "hub_url": f"{hub.url}/hub/"}}
    environ = {
        "DESPEJADO_RUNTIME_DIR": str(write_runtime(tmp_path / "runtime", json.dumps(lab_json))),
        "ABNORMAL_STARTUP": "TRUE",
        "ABNORMAL_STARTUP_ERRNO": "122",
        "ABNORMAL_STARTUP_ERRORCODE": "EDQUOT",
        "ABNORMAL_STARTUP_STRERROR": "Disk quota exceeded",
        "ABNORMAL_STARTUP_MESSAGE": "The write test in the home failed",
        **hub.environ(),
    }
    with running_lab(tmp_path, write_tutorials(tmp_path / "tutorials"), environ) as lab:
        open_lab(page, lab)
        dialog(page, "Your disk quota is used up")
        body = page.locator(".jp-Dialog-body")
        expect(body).to_contain_text("Delete what you no longer need")
        expect(body).to_contain_text("EDQUOT (errno 122)")
        page.screenshot(path=output / "abnormal-start.png")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".dpj-Badge-button")).to_contain_text("started with a problem")
        page.screenshot(path=output / "abnormal-badge.png")
        pick(page, "File", "Save All and Exit")
        page.wait_for_url(f"{hub.url}/hub/home")
        assert hub.stopped.wait(timeout=30)
