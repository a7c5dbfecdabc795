"""Make ready what the platform offers, behind the login page; one line of text for each step.

``python -m despejado_hub.supervisor.builds PLATFORM STATE``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from despejado_hub.config import load_platform
from despejado_hub.labs import labs_of


def main(arguments: list[str]) -> None:
    """Make ready what the platform file, the first argument, offers; STATE is the second."""
    platform, state = arguments

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    asyncio.run(labs_of(load_platform(platform)).make_ready(Path(state), say))


if __name__ == "__main__":
    main(sys.argv[1:])
