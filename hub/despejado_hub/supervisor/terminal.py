"""What the person at the terminal reads."""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from typing import TextIO


def _write(stream: TextIO, text: str) -> None:
    # The terminal may be gone (closed, or a pipe that nobody reads any more); the platform is not.
    with contextlib.suppress(OSError):
        stream.write(text)
        stream.flush()


def say(text: str) -> None:
    """One line with the time of day."""
    stamp = datetime.now().astimezone().strftime("%H:%M:%S")
    _write(sys.stdout, f"{stamp}  {text}\n")


def complain(text: str) -> None:
    """An error, on standard error."""
    _write(sys.stderr, f"despejado demo: {text}\n")


def welcome(
    name: str, url: str, user: str, password: str, lab_namespace: str | None = None
) -> None:
    """The address, a user name and the password, set apart from the lines around.

    ``lab_namespace`` is where labs are pods, which outlive the platform.
    """
    end = "Ctrl-C stops everything."
    if lab_namespace is not None:
        end = f"Ctrl-C stops everything but the labs, which are pods of namespace {lab_namespace}."
    rows = (
        f"{name} is ready.",
        "",
        f"Address   {url}",
        f"User      any name, for example {user}",
        f"Password  {password}",
        "",
        end,
    )
    rule = "-" * max(len(row) for row in rows)
    _write(sys.stdout, "\n".join(("", rule, *rows, rule, "", "")))
