"""What the person at the terminal reads."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    """One line with the time of day."""
    stamp = datetime.now().astimezone().strftime("%H:%M:%S")
    sys.stdout.write(f"{stamp}  {text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """An error, on standard error."""
    sys.stderr.write(f"despejado demo: {text}\n")
    sys.stderr.flush()


def welcome(name: str, url: str, user: str, password: str) -> None:
    """The address, a user name and the password, set apart from the lines around."""
    rows = (
        f"{name} is ready.",
        "",
        f"Address   {url}",
        f"User      any name, for example {user}",
        f"Password  {password}",
        "",
        "Ctrl-C stops everything.",
    )
    rule = "-" * max(len(row) for row in rows)
    sys.stdout.write("\n".join(("", rule, *rows, rule, "", "")))
    sys.stdout.flush()
