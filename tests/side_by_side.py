"""Tests in two processes (``-n 2``): what uses the cluster in one, file after file in the other.

The tests of the cluster stop parts of it, so they must not meet each other; they mostly wait, so
the others run meanwhile. Needs pytest-xdist, which is with the tests' other packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
MARK = "mark.cluster"


@cache
def group(file: str) -> str:
    """What a file's tests run together with: "cluster", or no other file's."""
    return "cluster" if MARK in (ROOT / file).read_text() else file


def arranged(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The order for two processes, of which the first takes the cluster's tests.

    Images for labs may still be built in the beginning: the cluster's own tests do without, and
    of the others those with a browser, which want the machine for themselves, come last.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    of_cluster = [path for path in files if group(str(path.relative_to(ROOT))) == "cluster"]
    of_cluster.sort(key=lambda path: not path.name.startswith("test_harness"))
    others = [path for path in files if path not in of_cluster]
    return [item for path in (*of_cluster, *reversed(others)) for item in files[path]]


class SideBySide(LoadScopeScheduling):
    """Gives one worker all tests of the cluster, and files to whoever has nothing to do."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.partition("::")[0])
