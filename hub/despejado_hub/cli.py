"""The ``despejado`` command.

Only the chosen command's own modules are imported: ``despejado demo`` stays as the supervisor of
a platform, and pays for no library that it does not use.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TypeAlias


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0 well, 1 failed, 2 wrong input)."""
    options = build_parser().parse_args(arguments)
    try:
        module = import_module(options.module)
        status: int = module.main(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever reads (head, less) has gone: nothing to say and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="despejado", description="The notebook platform of an observatory."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _demo(commands)
    _check(commands)
    _schema(commands)
    _render(commands)
    _images(commands)
    _explain(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _demo(commands: Commands) -> None:
    parser = commands.add_parser(
        "demo", help="run the whole platform on this machine, until Ctrl-C"
    )
    parser.set_defaults(module="despejado_hub.commands.demo")
    _add_file(parser, "the demo that comes with the package")
    _add_state(parser)
    parser.add_argument(
        "--port", type=_port, metavar="PORT", help="port of the login page; 0 is any free one"
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="open no browser"
    )
    parser.add_argument(
        "--no-build",
        dest="build",
        action="store_false",
        help="build no software environment before somebody asks for it",
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="write address, user, password and process ids there as JSON once all is up",
    )


def _check(commands: Commands) -> None:
    parser = commands.add_parser(
        "check", help="validate a platform file, then try everything that it names"
    )
    parser.set_defaults(module="despejado_hub.commands.check")
    _add_file(parser)
    _add_state(parser)
    _add_json(parser)
    parser.add_argument(
        "--port", type=_port, metavar="PORT", help="the port to try instead of the file's"
    )
    parser.add_argument(
        "--file-only", action="store_true", help="only validate the file, try nothing"
    )


def _schema(commands: Commands) -> None:
    parser = commands.add_parser("schema", help="print the JSON Schema of platform.yaml")
    parser.set_defaults(module="despejado_hub.commands.schema")
    parser.add_argument(
        "--table", action="store_true", help="print the table of all keys (Markdown) instead"
    )


def _render(commands: Commands) -> None:
    parser = commands.add_parser("render", help="print what would be made")
    things = parser.add_subparsers(title="what", metavar="WHAT", required=True)
    lab = things.add_parser("lab", help="the objects or the process of a lab, as YAML")
    lab.set_defaults(module="despejado_hub.commands.render")
    _add_file(lab)
    _add_state(lab)
    _add_json(lab)
    lab.add_argument("--user", required=True, metavar="USER", help="name of a user of the hub")
    lab.add_argument("--image", metavar="IMAGE", help="image tag (default: the recommended)")
    lab.add_argument("--size", metavar="SIZE", help="lab size (default: the file's default)")
    lab.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one of the platform's own spawn options (labs.options); may be given again",
    )
    role = things.add_parser("role", help="the rights that a hub needs whose labs are pods")
    role.set_defaults(module="despejado_hub.commands.role")
    _add_file(role)
    _add_json(role)
    role.add_argument(
        "--service-account", default="hub", metavar="NAME", help="of the hub (default: hub)"
    )


def _images(commands: Commands) -> None:
    parser = commands.add_parser("images", help="the images on the menu")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    shown = actions.add_parser("list", help="what can be chosen, and what is ready")
    shown.set_defaults(module="despejado_hub.commands.images", action="list")
    shown.add_argument(
        "--refresh", action="store_true", help="ask the package index for new ones first"
    )
    build = actions.add_parser(
        "build", help="build the software environment or the container image of a tag"
    )
    build.set_defaults(module="despejado_hub.commands.images_build")
    build.add_argument(
        "tag",
        metavar="TAG",
        help="such as w_2026_43, r30_0_11, plain or recommended; hub and services are the images "
        "of the platform's own parts",
    )
    kinds = build.add_mutually_exclusive_group()
    kinds.add_argument(
        "--local",
        action="store_true",
        help="an environment of this machine (the default where labs are processes)",
    )
    kinds.add_argument(
        "--image",
        action="store_true",
        help="a container image (the default where labs are pods, and with the options below)",
    )
    build.add_argument(
        "--push", metavar="REGISTRY", help="push the image to HOST[:PORT][/PATH] once it is tested"
    )
    build.add_argument(
        "--builder",
        metavar="PROGRAM",
        help="buildah, podman or docker (default: the first that works)",
    )
    build.add_argument(
        "--fresh", action="store_true", help="take newer Debian packages instead of earlier layers"
    )
    build.add_argument(
        "--sources",
        type=Path,
        metavar="FOLDER",
        help="the folder images/ of the source tree (default: that of an editable installation)",
    )
    for each in (shown, build):
        _add_file(each)
        _add_state(each)
        _add_json(each)


def _explain(commands: Commands) -> None:
    parser = commands.add_parser("explain", help="say why a user's lab is not up")
    parser.set_defaults(module="despejado_hub.commands.explain")
    _add_file(parser)
    _add_state(parser)
    _add_json(parser)
    parser.add_argument("user", metavar="USER", help="name of a user of the hub")


def _add_file(
    parser: argparse.ArgumentParser,
    default: str = "platform.yaml here, else the demo that comes with the package",
) -> None:
    parser.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        help=f"the platform file, or despejado:NAME for one of the package ({default})",
    )


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", help="the state folder, instead of the file's"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
