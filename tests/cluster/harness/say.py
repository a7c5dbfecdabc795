"""What the harness tells the person who waits for it."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """On standard error: standard output carries results, such as the kubeconfig's path."""
    print(text, file=sys.stderr, flush=True)
