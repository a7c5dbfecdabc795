"""``despejado images list``: the menu of software environments, or of a registry's images."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from despejado_images.environments import (
    PLAIN_TAG,
    EnvironmentChoice,
    EnvironmentStore,
)

from despejado_hub.config import derive
from despejado_hub.runtime import state_folder

from .output import complain, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """List the menu."""
    platform = load(options)
    if platform.labs.pods is not None:
        from .images_registry import list_registry

        return asyncio.run(list_registry(platform, as_json=options.json))
    root = state_folder(platform, options.state) / "environments"
    store = EnvironmentStore(root, derive.menu_policy(platform))
    return asyncio.run(_list(store, refresh=options.refresh, as_json=options.json))


async def _list(store: EnvironmentStore, *, refresh: bool, as_json: bool) -> int:
    if refresh:
        catalogue = await store.refresh_catalogue()
        if catalogue.problem is not None:
            complain(catalogue.problem)
    choices = store.choices()
    if as_json:
        say_json([choice_document(choice) for choice in choices])
    else:
        say(menu_table(choices))
        if all(choice.tag == PLAIN_TAG for choice in choices):
            say("The package index was not asked yet: despejado images list --refresh")
    return 0


def choice_document(choice: EnvironmentChoice) -> dict[str, Any]:
    """A line of the menu as JSON."""
    return {**asdict(choice), "versions": dict(choice.versions)}


def menu_table(choices: Iterable[EnvironmentChoice]) -> str:
    """The menu as aligned columns."""
    rows = [("TAG", "TITLE", "STATE", "SIZE", "NOTE")]
    rows += [
        (choice.tag, choice.title, choice.state, megabytes(choice.size_bytes), _note(choice))
        for choice in choices
    ]
    return table(rows)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as aligned columns; the column before the last holds numbers."""
    last = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(last)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[: last - 1], widths, strict=False)]
        cells += [row[last - 1].rjust(widths[last - 1]), row[last]]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def megabytes(size: int | None) -> str:
    """A size as one says it; empty if it is not known."""
    return "" if size is None else f"{size / 10**6:.0f} MB"


def _note(choice: EnvironmentChoice) -> str:
    notes = ["recommended"] if choice.recommended else []
    if choice.state == "building" and choice.phase:
        notes.append(choice.phase)
    if choice.state == "failed" and choice.reason:
        notes.append(choice.reason.partition("\n")[0])
    if choice.state == "absent" and choice.expected_seconds:
        notes.append(f"takes about {about(choice.expected_seconds)}")
    return ", ".join(notes)


def about(seconds: float) -> str:
    """A duration as one says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
