"""How long the platform takes to its login page, and what it holds in memory when idle.

Run with ``python tests/bench/bench_start.py``; the figures go to ``test-output/bench/start.json``.
The peer of the same run is a stock JupyterHub with a proxy that runs already: hub alone. Seconds
are this machine's; the ratio is what to compare. Memory is PSS (shared pages counted once).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from despejado_hub.supervisor.prepare import PAGES
from despejado_hub.supervisor.settings import node_program, proxy_bundle

STOCK = """
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///{folder}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.auth_token = "{token}"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def seconds_until_page(process: subprocess.Popen[bytes], url: str, started: float) -> float:
    while not answers(url):
        if process.poll() is not None:
            raise SystemExit(f"ended with {process.returncode} before {url} answered")
        time.sleep(0.02)
    return time.perf_counter() - started


@contextmanager
def running_proxy(folder: Path, hub: int) -> Iterator[tuple[int, int, str]]:
    """The proxy for the stock hub: public port, API port, token."""
    public, api, token = free_port(), free_port(), secrets.token_hex(16)
    (folder / "token").write_text(token)
    configuration = {
        "hosts": ["127.0.0.1"],
        "port": public,
        "api_port": api,
        "token_file": str(folder / "token"),
        "default_target": f"http://127.0.0.1:{hub}",
        "error_target": f"http://127.0.0.1:{hub}/hub/error",
        "error_path": str(PAGES / "offline"),
        "log_level": "error",
    }
    (folder / "proxy.json").write_text(json.dumps(configuration))
    process = subprocess.Popen(
        [node_program(), proxy_bundle(), folder / "proxy.json"], stderr=subprocess.DEVNULL
    )
    try:
        yield public, api, token
    finally:
        process.terminate()
        process.wait()


def stock_start(folder: Path) -> float:
    """Seconds from the start of a stock hub to its login page."""
    hub = free_port()
    with running_proxy(folder, hub) as (public, api, token):
        file = folder / "jupyterhub_config.py"
        file.write_text(STOCK.format(hub=hub, folder=folder, api=api, token=token))
        started = time.perf_counter()
        with (folder / "hub.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", f"--config={file}"],
                stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip
        try:
            return seconds_until_page(process, f"http://127.0.0.1:{public}/hub/login", started)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def running_demo(folder: Path, file: Path | None) -> Iterator[tuple[float, float, Path]]:
    """Seconds to the login page and to "everything is up"; the ready file."""
    port, ready = free_port(), folder / "ready.json"
    arguments = ["demo", "--no-browser", "--no-build", "--port", str(port)]
    arguments += ["--state", str(folder / "state"), "--ready-file", str(ready)]
    if file is not None:
        arguments += ["-f", str(file)]
    code = "import sys; from despejado_hub.cli import main; sys.exit(main())"
    started = time.perf_counter()
    with (folder / "demo.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=log, stderr=log)
    try:
        page = seconds_until_page(process, f"http://127.0.0.1:{port}/hub/login", started)
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit((folder / "demo.log").read_text())
            time.sleep(0.02)
        yield page, time.perf_counter() - started, ready
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def memory(ready: Path) -> dict[str, float]:
    """PSS in megabytes of each process of an idle platform, and the sum."""
    pids: dict[str, int] = json.loads(ready.read_text())["processes"]
    pids["supervisor"] = psutil.Process(pids["hub"]).ppid()
    found = {
        name: round(psutil.Process(pid).memory_full_info().pss / 1e6, 1)
        for name, pid in pids.items()
    }
    return {**found, "sum": round(sum(found.values()), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--idle", type=float, default=10.0, help="seconds before memory is read")
    parser.add_argument("--file", type=Path, help="a platform file instead of the demo's")
    parser.add_argument("--out", type=Path, default=Path("test-output/bench/start.json"))
    options = parser.parse_args()
    stock, page, everything, idle = [], [], [], {}
    with tempfile.TemporaryDirectory(prefix="despejado-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "stock").mkdir()
        # The first of each makes files and databases; a warm start finds them.
        stock_start(folder / "stock")
        with running_demo(folder, options.file):
            pass
        for run in range(options.runs):
            stock.append(stock_start(folder / "stock"))
            with running_demo(folder, options.file) as (to_page, to_all, ready):
                page.append(to_page)
                everything.append(to_all)
                if run == options.runs - 1:
                    time.sleep(options.idle)
                    idle = memory(ready)
    middle = statistics.median
    figures = {
        "runs": options.runs,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "stock_hub_seconds": round(middle(stock), 2),
        "login_page_seconds": round(middle(page), 2),
        "all_services_seconds": round(middle(everything), 2),
        "ratios": {
            "login page to stock hub alone": round(middle(page) / middle(stock), 2),
            "all services to stock hub alone": round(middle(everything) / middle(stock), 2),
        },
        "idle_pss_mb": idle,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
