"""Why labs that are pods are not up: what the cluster says, and what the hub remembers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from despejado_spawner.pods.inquiry import explain_labs

from despejado_hub.labs.interface import Explanation


async def explain_pods(namespace: str, state: Path, user: str) -> list[Explanation]:
    """Every lab that a user has or had; raises ``SpawnerError`` if the cluster does not answer."""
    ends = last_ends(state / "hub" / "jupyterhub.sqlite", user)
    found = []
    for name, each in (await explain_labs(namespace, user)).items():
        title = "lab" if not name else f"lab {name!r}"
        message, advice = f"{each.title}. {each.message}", each.advice or None
        end = ends.get(name)
        if end is not None and not each.up:
            message = f"{message} The last one ended at {end['when']}: {end['message']}"
            advice = end.get("advice") or advice
        found.append(Explanation(title, each.up, message, advice, tuple(each.lines)))
    return found


def last_ends(database: Path, user: str) -> dict[str, Mapping[str, Any]]:
    """Why labs of a user ended by themselves, by server, from the hub's own database."""
    if not database.exists():
        return {}
    query = (
        "SELECT spawners.name, spawners.state FROM spawners JOIN users "
        "ON spawners.user_id = users.id WHERE users.name = ?"
    )
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=2)) as hub:
            rows = hub.execute(query, (user,)).fetchall()
    except sqlite3.Error:
        return {}  # the cluster's own words are there without it
    found = {}
    for name, text in rows:
        end = (json.loads(text) if text else {}).get("last_end")
        if isinstance(end, Mapping):
            found[str(name)] = end
    return found
