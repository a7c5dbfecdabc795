"""Locks of images: ``python -m despejado_images.containers lock hub services stock``.

Resolves them from the newest versions on the index and writes them to ``images/locks``, where
builds take them from. A weekly or release that is locked there gets the same versions for ever;
without, its versions are chosen at its first build.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from despejado_images.containers.models import PYTHON
from despejado_images.containers.resolving import (
    Resolver,
    platform_version,
    resolve_tag,
)
from despejado_images.containers.sources import find_sources, lock_file
from despejado_images.containers.targets import is_lab, platform_part
from despejado_images.environments import locks
from despejado_images.environments.errors import EnvironmentBuildError
from despejado_images.environments.layout import Layout
from despejado_images.environments.store import find_recipe
from despejado_images.environments.uv import Uv
from despejado_images.files import make_folder, write_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write locks; the status is 0, or 1 for a failure that was explained."""
    parser = argparse.ArgumentParser(prog="python -m despejado_images.containers")
    lock = parser.add_subparsers(required=True).add_parser("lock", help="resolve locks anew")
    lock.add_argument("name", nargs="+", help="hub, services, stock, or the tag of a lab")
    lock.add_argument("--sources", type=Path, help="the folder images/ of the source tree")
    options = parser.parse_args(arguments)
    try:
        folder = find_sources(options.sources)
        with TemporaryDirectory(prefix="despejado-locks-") as work:
            for name in options.name:
                _lock(name, folder, Path(work))
    except (EnvironmentBuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _lock(name: str, folder: Path, work: Path) -> None:
    uv = Uv(work, work / "log")
    if is_lab(name):
        recipe = find_recipe(Layout(work), resolve_tag(work, None, name))
    else:
        recipe = platform_part(name, platform_version()).recipe
    resolver = Resolver(uv, f"{PYTHON}.0", work / "wheels", work, work / "known")
    shipped = locks.shipped(recipe.lock)
    preferred = shipped if is_lab(name) and shipped.exists() else None
    text = resolver.ask_index(recipe, resolver.own_wheels(recipe), preferred)
    target = lock_file(folder, name)
    make_folder(target.parent)
    write_text(target, text)
    print(f"{target}: {text.count('==')} pins")


if __name__ == "__main__":
    sys.exit(main())
