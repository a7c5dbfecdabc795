"""``python -m despejado.samples build``: make the sample Butler repository."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Build the repository; progress as one JSON object a line on standard output."""
    parser = argparse.ArgumentParser(prog="python -m despejado.samples", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make the repository and its ObsCore rows")
    build.add_argument("--stars", type=Path, required=True, help="Parquet file of the stars")
    build.add_argument("--out", type=Path, required=True, help="folder of the repository")
    build.add_argument("--obscore", type=Path, required=True, help="Parquet file of ObsCore rows")
    options = parser.parse_args(arguments)
    try:
        from . import repository
    except ModuleNotFoundError as error:
        print(
            f"{error.name} is not installed in this environment: "
            "run this in an environment with the Rubin middleware, such as a weekly",
            file=sys.stderr,
        )
        return 2
    try:
        repository.build(options.stars, options.out, options.obscore, _print)
    except repository.SampleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _print(fraction: float, message: str) -> None:
    print(json.dumps({"fraction": round(fraction, 3), "message": message}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
