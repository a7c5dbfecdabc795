"""``despejado images list``: the menu."""

from __future__ import annotations

import argparse
import asyncio

from despejado_hub.labs.interface import ImageListing
from despejado_hub.runtime import state_folder

from .output import complain, installed_labs, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """List the menu; 1 if nothing can be chosen from it."""
    platform = load(options)
    state = state_folder(platform, options.state)
    found = asyncio.run(installed_labs(platform).images(state, refresh=options.refresh))
    return show(found, as_json=options.json)


def show(found: ImageListing, *, as_json: bool) -> int:
    """Print a menu, and what is wrong with it to standard error; returns the exit status."""
    if found.problem is not None:
        complain(found.problem)
        if not found.usable:
            return 1
    for warning in found.warnings:
        complain(warning)
    if as_json:
        say_json([image.document() for image in found.images])
    else:
        say(found.table)
        if found.hint is not None:
            say(found.hint)
    return 0 if found.usable else 1
