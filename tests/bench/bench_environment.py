"""How long environments take: first ever, first on this machine, second weekly, already there.

Run with ``python tests/bench/bench_environment.py``; the figures go to
``test-output/bench/environment.json``. Ratios compare builds of the same run; the seconds are
this machine's. Needs PyPI.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from despejado_images.environments import EnvironmentStore
from despejado_images.menu import MenuPolicy

TAGS = ("ui", "plain", "w_2026_43", "w_2026_42", "r30_0_11")


def build(root: Path, tag: str, environment: Mapping[str, str]) -> float:
    """Seconds of one builder process."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "despejado_images.environments", "build", tag, "--root", root],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def import_seconds(python: Path, module: str) -> float:
    """Best of three starts of Python with one import."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([python, "-I", "-c", f"import {module}"], check=True)
        times.append(time.perf_counter() - started)
    return min(times)


def measure(root: Path, environment: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Build all tags into an empty store; seconds and megabytes of each."""
    figures: dict[str, dict[str, float]] = {}
    store = EnvironmentStore(root)
    for tag in TAGS:
        seconds = build(root, tag, environment)
        ready = store.ready(tag)
        assert ready is not None
        figures[tag] = {
            "seconds": round(seconds, 2),
            "again_seconds": round(build(root, tag, environment), 2),
            "size_mb": round(ready.size_bytes / 1e6, 1),
            "added_mb": round(ready.added_bytes / 1e6, 1),
        }
    return figures


def menu_milliseconds(root: Path) -> float:
    """Best of twenty looks at the menu."""
    store = EnvironmentStore(root, MenuPolicy(weeklies=10, releases=3, candidates=2))
    times = []
    for _ in range(20):
        started = time.perf_counter()
        store.choices()
        times.append(time.perf_counter() - started)
    return round(min(times) * 1000, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("test-output/bench/environment.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        cache = {"UV_CACHE_DIR": str(base / "cache")}
        empty = measure(base / "first", cache)
        warm = measure(base / "second", cache)
        store = EnvironmentStore(base / "second")
        plain, weekly = store.ready("plain"), store.ready("w_2026_43")
        assert plain is not None
        assert weekly is not None
        figures = {
            "empty_cache": empty,
            "warm_cache": warm,
            "menu_ms": menu_milliseconds(base / "second"),
            "import_seconds": {
                "plain: astropy.table": import_seconds(plain.python, "astropy.table"),
                "w_2026_43: lsst.daf.butler": import_seconds(weekly.python, "lsst.daf.butler"),
            },
            "ratios": {
                "warm to empty cache, w_2026_43": round(
                    warm["w_2026_43"]["seconds"] / empty["w_2026_43"]["seconds"], 2
                ),
                "second weekly to first, bytes": round(
                    warm["w_2026_42"]["added_mb"] / warm["w_2026_43"]["size_mb"], 3
                ),
                "ready to built, w_2026_43": round(
                    warm["w_2026_43"]["again_seconds"] / warm["w_2026_43"]["seconds"], 3
                ),
            },
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
