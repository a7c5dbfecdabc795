"""``despejado render lab``: what a lab is made of, without starting or keeping anything."""

from __future__ import annotations

import argparse
import asyncio

from despejado_spawner.pods.plan.render import write_yaml

from despejado_hub.labs import labs_of
from despejado_hub.runtime import state_folder

from .output import complain, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """Print a lab for a user, an image and a size; what to know of it goes to standard error."""
    platform = load(options)
    state = state_folder(platform, options.state)
    asked = {"image": options.image, "size": options.size}
    asked = {name: value for name, value in asked.items() if value}
    found = asyncio.run(labs_of(platform).preview(state, options.user, asked))
    if options.json:
        say_json(found.document)
        return 0
    for warning in found.warnings:
        complain(warning)
    say(write_yaml(found.documents, found.width))
    return 0
