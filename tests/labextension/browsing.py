"""What a person does in JupyterLab, in steps that several tests take."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.labextension.lab_process import TOKEN, Lab, notebook


def open_lab(page: Page, lab: Lab) -> None:
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
    # A menu closes when its content arrives: ask for the list once more and wait for it.
    page.evaluate("() => window.jupyterapp.commands.execute('despejado:refresh-tutorials')")


def dialog(page: Page, title: str) -> None:
    expect(page.locator(".jp-Dialog-header")).to_have_text(title)


def escape(page: Page) -> None:
    """Leave a dialog by keyboard, once it has the focus."""
    expect(page.locator(".jp-Dialog :focus")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def open_menu(page: Page, name: str) -> None:
    page.get_by_role("menuitem", name=name, exact=True).first.click()


def pick(page: Page, menu: str, *items: str) -> None:
    """Open a menu of the menu bar and go through its items."""
    open_menu(page, menu)
    for item in items[:-1]:
        page.get_by_role("menuitem", name=item, exact=True).hover()
    page.get_by_role("menuitem", name=items[-1], exact=True).click()


def edit_notebook(page: Page, lab: Lab, name: str) -> None:
    """Open a notebook of the home and change it without saving."""
    (lab.home / name).write_text(notebook(f"# {name}"))
    page.evaluate(
        """async path => {
            const app = window.jupyterapp;
            await app.serviceManager.ready;
            const widget = await app.commands.execute('docmanager:open', { path });
            await widget.context.ready;
        }""",
        name,
    )
    # Whatever JupyterLab itself still does with a new document, the change comes after it.
    page.wait_for_function(
        """path => {
            for (const widget of window.jupyterapp.shell.widgets('main')) {
                if (widget.context?.path !== path) continue;
                const text = '# changed by the test', model = widget.context.model;
                const cell = model.sharedModel.getCell(0);
                if (cell.getSource() === text && model.dirty) return true;
                cell.setSource('');
                cell.setSource(text);
            }
            return false;
        }""",
        arg=name,
    )
