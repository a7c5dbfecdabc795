"""``despejado schema``."""

from __future__ import annotations

import argparse

from despejado_hub.config.schema import json_schema, key_table

from .output import say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """Print JSON Schema, or the table of keys."""
    if options.table:
        say(key_table())
    else:
        say_json(json_schema())
    return 0
