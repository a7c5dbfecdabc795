"""``despejado render role``: the rights of a hub whose labs are pods."""

from __future__ import annotations

import argparse

from despejado_spawner.pods.plan.render import write_yaml

from despejado_hub.labs import labs_of

from .output import complain, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """Print the service account, Roles and bindings that the hub needs."""
    objects = labs_of(load(options)).rights(options.service_account)
    if not objects:
        complain("labs.spawner is not kubernetes: labs that are processes need no Role.")
        return 1
    if options.json:
        say_json({"items": objects})
    else:
        say(write_yaml(objects))
    return 0
