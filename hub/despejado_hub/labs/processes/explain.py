"""Why labs that are processes are not up, from what they left in the state folder."""

from __future__ import annotations

from pathlib import Path

from despejado_spawner.errors import IdentityError
from despejado_spawner.processes.launching import log_tail
from despejado_spawner.processes.records import read_record
from despejado_spawner.slugs import folder_name

from despejado_hub.config import Platform
from despejado_hub.identity import source_of
from despejado_hub.labs.interface import Explanation


async def explain(platform: Platform, state: Path, user: str) -> list[Explanation]:
    """Every lab that a user has or had; one explanation at least."""
    folder = state / "labs" / folder_name(user)
    labs = sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    return [_lab(each) for each in labs] or [await _never(platform, state, user)]


def _lab(folder: Path) -> Explanation:
    name = folder.name
    server = "lab" if name == "default" else f"lab {name!r}"
    record = read_record(folder)
    if record is not None and record.alive():
        what = f"process {record.pid} with {record.tag}, as UID {record.uid}"
        return Explanation(server, True, f"is up: {what}, port {record.port}")
    log = folder / "server.log"
    if not log.exists():
        return Explanation(
            server,
            False,
            "is not up, and no server was started in it",
            "look at the progress page, or at the hub's log for this user",
        )
    lines = tuple(log_tail(log))
    if record is not None:
        message = f"ended by itself: process {record.pid} ({record.tag}) is gone"
        advice = "start it again; if it ends again, its log says why"
    elif lines:
        message = "is not up; it was stopped, or its last start failed. The end of its log:"
        advice = "start it again from the hub's home page"
    else:
        message, advice = "is not up, and its server wrote nothing", "start it again"
    return Explanation(server, False, message, advice, lines)


async def _never(platform: Platform, state: Path, user: str) -> Explanation:
    advice = "check the spelling of the name, and that --state or -f names the right platform"
    if not (state / "hub").is_dir():
        return Explanation("lab", False, f"nobody has logged in on {state} yet", advice)
    try:
        identity = await source_of(platform, state).seen(user)
    except IdentityError as error:
        return Explanation("lab", False, "no lab can start", str(error))
    if identity is None:
        return Explanation("lab", False, "no lab was ever started for a user of this name", advice)
    return Explanation(
        "lab",
        False,
        f"the user has UID {identity.uid}, and no lab got as far as its folder",
        "an environment is being built, or the start failed before: see the progress page",
    )
