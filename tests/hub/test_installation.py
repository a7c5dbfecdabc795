"""What each way to install the hub brings, by the lock of the workspace."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[2] / "uv.lock"


def needed(extra: str) -> set[str]:
    """The names of all distributions that ``despejado-hub[extra]`` brings, on any system."""
    packages = {each["name"]: each for each in tomllib.loads(LOCK.read_text())["package"]}

    def direct(name: str, extra: str) -> Iterator[dict[str, Any]]:
        package = packages[name]
        if extra:
            yield from package.get("optional-dependencies", {}).get(extra, ())
        else:
            yield from package.get("dependencies", ())

    found: set[tuple[str, str]] = set()
    waiting = [("despejado-hub", ""), ("despejado-hub", extra)]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for each in direct(*one):
            waiting += [(each["name"], wanted) for wanted in ("", *each.get("extra", ()))]
    return {name for name, _ in found}


def test_a_hub_with_pods_installs_neither_uv_nor_pip() -> None:
    found = needed("kubernetes")
    assert {"jupyterhub-kubespawner", "despejado-images", "aiohttp"} <= found
    assert not {"uv", "pip"} & found


def test_a_hub_with_processes_brings_what_builds_their_software() -> None:
    assert {"uv", "pip"} <= needed("local")
    assert "kubernetes-asyncio" not in needed("local")
    assert {"uv", "pip", "despejado-services", "despejado-lab"} <= needed("demo")
