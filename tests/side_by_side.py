"""Tests in two processes (``-n 2``): what uses the cluster in one, file after file in the other.

The tests of the cluster stop parts of it, so they must not meet each other; they mostly wait, so
the others run meanwhile. Needs pytest-xdist, which is with the tests' other packages.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
MARK = "mark.cluster"


@cache
def group(file: str) -> str:
    """What a file's tests run together with: "cluster", or no other file's."""
    return "cluster" if MARK in (ROOT / file).read_text() else file


class SideBySide(LoadScopeScheduling):
    """Gives one worker all tests of the cluster, and files to whoever has nothing to do."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.partition("::")[0])
