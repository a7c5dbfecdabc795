"""``despejado demo``."""

from __future__ import annotations

import argparse

from despejado_hub.commands.files import platform_file
from despejado_hub.supervisor import DemoArguments
from despejado_hub.supervisor import main as run_demo


def main(options: argparse.Namespace) -> int:
    """Run the platform until Ctrl-C."""
    return run_demo(
        DemoArguments(
            file=platform_file(options.file, here=False),
            port=options.port,
            browser=options.browser,
            state=options.state,
            ready_file=options.ready_file,
            build=options.build,
        )
    )
