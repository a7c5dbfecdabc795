"""``despejado render lab``: what a lab is made of, without starting or keeping anything."""

from __future__ import annotations

import argparse
import asyncio

from despejado_spawner.errors import OptionsError
from despejado_spawner.pods.plan.render import write_yaml

from despejado_hub.runtime import state_folder

from .output import complain, installed_labs, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """Print a lab for a user, an image and a size; what to know of it goes to standard error."""
    platform = load(options)
    state = state_folder(platform, options.state)
    asked = {"image": options.image, "size": options.size}
    asked = {name: value for name, value in asked.items() if value}
    asked |= dict(_named(each) for each in options.option)
    found = asyncio.run(installed_labs(platform).preview(state, options.user, asked))
    if options.json:
        say_json(found.document)
        return 0
    for warning in found.warnings:
        complain(warning)
    say(write_yaml(found.documents, found.width))
    return 0


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise OptionsError(text, "An option is written NAME=VALUE.")
    return name, value
