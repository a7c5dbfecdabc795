"""How commands speak: text or JSON on standard output, errors on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import wraps

from despejado_images.errors import ImagesError
from despejado_spawner.errors import SpawnerError

from despejado_hub.config import Platform, PlatformError, load_platform
from despejado_hub.config.secrets import SecretError
from despejado_hub.labs import Labs, labs_of

from .files import platform_file

Main = Callable[[argparse.Namespace], int]


def say(text: str) -> None:
    """Write text and the end of its line to standard output."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def say_json(document: object) -> None:
    """Write a document to standard output, indented."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def complain(text: str) -> None:
    """Write one error to standard error."""
    sys.stderr.write(f"despejado: {text}\n")


def load(options: argparse.Namespace) -> Platform:
    """The platform that the command line names."""
    return load_platform(platform_file(options.file))


class NotInstalled(Exception):
    """What the labs of a platform need and this installation has not."""


def installed_labs(platform: Platform) -> Labs:
    """The labs of a platform, to be asked; raises ``NotInstalled``."""
    labs = labs_of(platform)
    missing = labs.missing()
    if missing is not None:
        raise NotInstalled(str(missing))
    return labs


def told(command: Main) -> Main:
    """A command whose expected errors are told in words: 2 for a wrong file, 1 for the rest."""

    @wraps(command)
    def run(options: argparse.Namespace) -> int:
        as_json = getattr(options, "json", False)
        try:
            return command(options)
        except PlatformError as error:
            if as_json:
                problems = [problem.as_dict() for problem in error.problems]
                say_json({"file": str(error.file), "ok": False, "problems": problems})
            else:
                complain(str(error))
            return 2
        except (SpawnerError, ImagesError, SecretError, NotInstalled) as error:
            text = str(error)
        except OSError as error:
            text = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        if as_json:
            say_json({"ok": False, "error": text})
        else:
            complain(text)
        return 1

    return run
