"""The menu of labs that are processes: software environments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from despejado_images.environments import (
    PLAIN_TAG,
    EnvironmentChoice,
    EnvironmentStore,
)

from despejado_hub.labs.interface import ImageListing
from despejado_hub.tables import about, megabytes, table


async def list_environments(store: EnvironmentStore, *, refresh: bool) -> ImageListing:
    """The menu, after the package index was asked, if it is to ``refresh``."""
    problem = (await store.refresh_catalogue()).problem if refresh else None
    choices = store.choices()
    never_asked = all(choice.tag == PLAIN_TAG for choice in choices)
    return ImageListing(
        [choice_document(choice) for choice in choices],
        menu_table(choices),
        problem=problem,
        hint="The package index was not asked yet: despejado images list --refresh"
        if never_asked
        else None,
    )


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


def _note(choice: EnvironmentChoice) -> str:
    notes = ["recommended"] if choice.recommended else []
    if choice.state == "building" and choice.phase:
        notes.append(choice.phase)
    if choice.state == "failed" and choice.reason:
        notes.append(choice.reason.partition("\n")[0])
    if choice.state == "absent" and choice.expected_seconds:
        notes.append(f"takes about {about(choice.expected_seconds)}")
    return ", ".join(notes)
