"""The builder's command line: ``python -m despejado_images.environments``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from despejado_images.amounts import decimal_size
from despejado_images.environments import locks, records
from despejado_images.environments.builder import Builder, build_wheel, reason_of, remove
from despejado_images.environments.errors import EnvironmentBuildError
from despejado_images.environments.interpreter import find_interpreter
from despejado_images.environments.layout import Layout
from despejado_images.environments.models import BuildProgress, sort_of
from despejado_images.environments.own_wheels import own_closure, own_wheel
from despejado_images.environments.recipe import recipe_of
from despejado_images.environments.source import EnvironmentImages
from despejado_images.environments.store import EnvironmentStore, check_tag, find_recipe
from despejado_images.environments.uv import Uv
from despejado_images.files import write_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the status is 0, 1 for a failure that was explained, 130 if stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m despejado_images.environments",
        description="Software environments: build, list, remove, and the locks behind them.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("build", "build environments, unless they are there and up to date"),
        ("remove", "remove environments"),
        ("list", "list what is ready and what can be built"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--root", type=Path, required=True, help="folder of the environments")
        if name != "list":
            command.add_argument("tag", nargs="+", help="ui, plain, recommended, w_2026_43, ...")
    lock = commands.add_parser("lock", help="resolve the locks that the package ships anew")
    lock.add_argument("--out", type=Path, help="folder for them (default: in the package)")
    options = parser.parse_args(arguments)
    os.umask(0o022)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.command == "lock":
            return _lock(options.out)
        root: Path = options.root.absolute()
        if options.command == "list":
            return _list(root)
        run = _build if options.command == "build" else _remove
        return max(run(root, tag) for tag in options.tag)
    except (EnvironmentBuildError, OSError) as error:
        print(reason_of(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _build(root: Path, name: str) -> int:
    layout = Layout(root)
    tag = EnvironmentStore(root).resolve(name)
    check_tag(tag, records.read_catalogue(layout).tags)
    shown = ""

    def show(progress: BuildProgress) -> None:
        nonlocal shown
        if progress.message != shown and progress.state != "failed":
            shown = progress.message
            print(f"{tag}: {progress.message}", flush=True)

    try:
        environment = Builder(layout, tag, show).build(lambda tag: find_recipe(layout, tag))
    except EnvironmentBuildError as error:
        print(f"{tag}: {error}", file=sys.stderr)
        return 1
    size, added = map(decimal_size, (environment.size_bytes, environment.added_bytes))
    print(f"{tag}: {environment.prefix} ({size}, of which {added} were new)")
    return 0


def _remove(root: Path, tag: str) -> int:
    running = remove(Layout(root), tag)
    if running:
        pids = ", ".join(map(str, running))
        print(f"{tag} is in use by processes {pids}; stop those labs first", file=sys.stderr)
        return 1
    print(f"{tag}: removed")
    return 0


def _list(root: Path) -> int:
    images = EnvironmentImages(EnvironmentStore(root))
    for image in images.choices():
        size = decimal_size(image.size_bytes or 0)
        note = {
            "ready": size,
            "absent": f"about {image.expected_seconds or 0:.0f} s and {size}",
            "building": f"{image.phase} ({(image.fraction or 0) * 100:.0f} %)",
        }.get(image.state, image.reason)
        star = "*" if image.recommended else " "
        print(f"{star} {image.tag:<14} {image.title:<32} {image.state:<9} {note}")
    if images.problem:
        print(f"The list may be old: {images.problem}", file=sys.stderr)
    return 0


def _lock(out: Path | None) -> int:
    """Resolve the shipped locks for every supported Python, from the newest versions."""
    with TemporaryDirectory() as folder:
        work = Path(folder)
        uv = Uv(work, work / "log")
        interpreter = find_interpreter(for_others=False)
        for tag in ("ui", "plain"):
            recipe = recipe_of(tag, {})
            wheels = [
                (own_wheel(name, work, lambda s, o: build_wheel(uv, interpreter, s, o)), extras)
                for name, extras in sorted(own_closure(recipe.own).items())
            ]
            python = ["--universal", "--python-version", locks.OLDEST_PYTHON]
            text = locks.resolve(
                uv, recipe, wheels, work / f"{sort_of(tag)}.lock", None, python, lambda _: None
            )
            target = (out / f"{tag}.txt") if out else locks.shipped(tag)
            write_text(target, text)
            print(f"{target}: {text.count('==')} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
