"""``despejado explain``: why a user's lab is not up."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

from despejado_hub.runtime import state_folder

from .output import installed_labs, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """Say what is known of each lab of a user; 0 if one is up, else 1."""
    platform = load(options)
    state = state_folder(platform, options.state)
    found = asyncio.run(installed_labs(platform).explain(state, options.user))
    if options.json:
        say_json({"user": options.user, "labs": [asdict(each) for each in found]})
    for each in () if options.json else found:
        say(f"{options.user}, {each.server}: {each.message}")
        if each.advice:
            say(f"  do: {each.advice}")
        for line in each.log:
            say(f"  | {line}")
    return 0 if any(each.up for each in found) else 1
