"""From the click to an answering lab, ours against stock, through real hubs in one run.

Stock is ``SimpleLocalProcessSpawner`` with ``jupyterhub-singleuser`` from an ordinary environment
(``pip install jupyterhub jupyterlab``, bytecode compiled). Ours is ``LocalLabSpawner`` with the
environments that the platform builds. The runs alternate, so that both meet the same machine.

Prints the figures and the ratio of the medians (goal: at most 0.6) and writes
``test-output/bench/spawn.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from despejado_images.environments import PLAIN_TAG, UI_TAG, EnvironmentStore
from despejado_images.environments.interpreter import find_interpreter
from despejado_images.environments.uv import find_uv

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.spawner.local_hub import LocalHub  # noqa: E402  (the sources are not installed)

GOAL = 0.6
OUTPUT = ROOT / "test-output" / "bench" / "spawn.json"


async def build(store: EnvironmentStore) -> None:
    """Have the two environments of a plain lab."""
    for tag in (UI_TAG, PLAIN_TAG):
        async for step in store.build(tag):
            print(f"{tag}: {step.message}", flush=True)


def stock_environment(prefix: Path) -> None:
    """What ``pip install jupyterhub jupyterlab`` gives."""
    uv, python = find_uv(), find_interpreter(for_others=os.geteuid() == 0).path
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python"]
    install += [prefix / "bin" / "python", "jupyterhub>=6,<7", "jupyterlab>=4.4,<5"]
    subprocess.run([uv, "venv", "--quiet", "--python", python, prefix], check=True)
    subprocess.run(install, check=True)


def start_hub(folder: Path, ui: Path, kernel: Path, **settings: Any) -> LocalHub:
    folder.mkdir()
    folder.chmod(0o755)
    hub = LocalHub(folder, ui, kernel, {"patience": 60, **settings})
    hub.start()
    hub.add_user("rachel")
    return hub


def click_to_ready(hub: LocalHub) -> float:
    """Seconds from the request to its answer, which comes when the lab answers the hub."""
    with hub.client() as client:
        began = time.perf_counter()
        answer = client.post("/users/rachel/server")
        seconds = time.perf_counter() - began
        if answer.status_code != 201:
            raise SystemExit(f"the lab did not start: {answer.status_code} {answer.text}")
        client.delete("/users/rachel/server")
        while client.get("/users/rachel").json()["pending"]:
            time.sleep(0.05)
    return seconds


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--environments", type=Path, help="environments to use and keep")
    arguments = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="despejado-bench-"))
    folder.chmod(0o755)
    hubs: dict[str, LocalHub] = {}
    try:
        store = EnvironmentStore(arguments.environments or folder / "environments")
        asyncio.run(build(store))
        ui, plain = store.ready(UI_TAG), store.ready(PLAIN_TAG)
        if ui is None or plain is None:
            raise SystemExit("the environments could not be built")
        stock_environment(folder / "stock")
        hubs["ours"] = start_hub(folder / "ours", ui.prefix, plain.prefix)
        hubs["stock"] = start_hub(
            folder / "stock-hub", ui.prefix, plain.prefix, stock=str(folder / "stock")
        )
        seconds: dict[str, list[float]] = {name: [] for name in hubs}
        for hub in hubs.values():  # once unmeasured: files into the page cache
            click_to_ready(hub)
        for _ in range(arguments.runs):
            for name, hub in hubs.items():
                seconds[name].append(click_to_ready(hub))
                print(f"{name:5s} {seconds[name][-1]:6.2f} s", flush=True)
    finally:
        for hub in hubs.values():
            hub.stop()
        shutil.rmtree(folder, ignore_errors=True)
    report(seconds)


def report(seconds: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["ours"] / medians["stock"]
    print(f"click to ready: ours {medians['ours']:.2f} s, stock {medians['stock']:.2f} s (medians)")
    print(f"ratio {ratio:.2f} (goal: at most {GOAL})")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    document = {"seconds": seconds, "medians": medians, "ratio": ratio, "goal": GOAL}
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
