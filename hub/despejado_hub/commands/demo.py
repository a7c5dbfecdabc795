"""``despejado demo``: the command line of the supervisor of this machine."""

from __future__ import annotations

import argparse

from despejado_hub.commands.files import platform_file
from despejado_hub.supervisor import SupervisorArguments
from despejado_hub.supervisor import main as supervise


def main(options: argparse.Namespace) -> int:
    """Run the platform until Ctrl-C."""
    return supervise(
        SupervisorArguments(
            file=platform_file(options.file, here=False),
            port=options.port,
            browser=options.browser,
            state=options.state,
            ready_file=options.ready_file,
            build=options.build,
        )
    )
