"""Does a lab image work? Run inside it, as a user that it does not know, before it is pushed.

Starts the lab as a hub does, against a stand-in for the hub, looks at what the extension offers,
starts a kernel and imports in it what the image is for. Needs no network beyond loopback.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

LAB = "/opt/despejado/bin/lab"
STACK = "/opt/despejado/stack"
PREFIX = "/user/smoke/"
TOKEN = "smoke-test"  # noqa: S105 - of a hub that answers nobody else
START_SECONDS = 120
STOP_SECONDS = 30
OPENER = build_opener(ProxyHandler({}))


def fail(text: str) -> NoReturn:
    """End with a sentence, which the builder shows."""
    print(f"smoke: {text}", flush=True)
    raise SystemExit(1)


def need(condition: object, text: str) -> None:
    """Fail unless something holds."""
    if not condition:
        fail(text)


class Hub(BaseHTTPRequestHandler):
    """What a single-user server asks of its hub: the version, and who a token is."""

    def do_GET(self) -> None:
        """Answer who the token is, or the version."""
        user = {
            "kind": "user",
            "name": "smoke",
            "admin": False,
            "groups": [],
            "scopes": ["access:servers!server=smoke/", "read:users:name!user=smoke"],
        }
        self._answer(user if self.path.split("?")[0].endswith("/user") else {"version": "0"})

    def do_POST(self) -> None:
        """Take what is told (activity)."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer({})

    def _answer(self, document: dict[str, Any]) -> None:
        import jupyterhub

        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-JupyterHub-Version", jupyterhub.__version__)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The lab's own log says enough."""


def free_port() -> int:
    """Find a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(url: str, method: str = "GET", body: dict[str, Any] | None = None) -> str:
    """What the lab answers to a request with the token."""
    request = Request(url, method=method, headers={"Authorization": f"token {TOKEN}"})  # noqa: S310
    data = None if body is None else json.dumps(body).encode()
    with OPENER.open(request, data, timeout=START_SECONDS) as answer:
        text: str = answer.read().decode()
        return text


@contextmanager
def lab(home: str) -> Iterator[str]:
    """A lab as a hub starts it; its address."""
    hub = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{free_port()}{PREFIX}"
    api = f"http://127.0.0.1:{hub.server_port}/hub/api"
    variables = {
        "HOME": home,
        "USER": "smoke",
        "LANG": "C.UTF-8",
        "PATH": f"{STACK}/bin:/usr/local/bin:/usr/bin:/bin",
        "DESPEJADO_LABEXTENSIONS": f"{STACK}/share/jupyter/labextensions",
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_API_URL": api,
        "JUPYTERHUB_ACTIVITY_URL": f"{api}/users/smoke/activity",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-smoke",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=smoke/"]',
        "JUPYTERHUB_SERVER_NAME": "",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": address,
        "JUPYTERHUB_USER": "smoke",
    }
    with running([LAB], variables, f"{address}api"):
        yield address
    hub.shutdown()


@contextmanager
def running(command: list[str], variables: dict[str, str], url: str) -> Iterator[None]:
    """A server that answers at ``url``, and stops when it is told to."""
    process = subprocess.Popen(command, env=variables, cwd="/")
    try:
        wait_until_up(process, url)
        yield
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        fail(f"the server did not stop within {STOP_SECONDS} s of SIGTERM")
    need(status in (0, 128 + signal.SIGTERM), f"the server stopped with status {status}")


def wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait for the first answer; there is no event to wait for outside a cluster."""
    started = time.monotonic()
    while True:
        if (status := process.poll()) is not None:
            fail(f"the server ended with status {status} before it answered")
        try:
            ask(url)
        except HTTPError as error:
            fail(f"the server answers {error.code} to {url}")
        except (URLError, ConnectionError):
            need(time.monotonic() - started < START_SECONDS, f"no answer in {START_SECONDS} s")
            time.sleep(0.02)
        else:
            print(f"server answers after {time.monotonic() - started:.2f} s", flush=True)
            return


def check_page(address: str) -> None:
    """JupyterLab's page names our extension, and the server half of it answers."""
    page = ask(f"{address}lab")
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    need(found, "the lab's page has no configuration in it")
    assert found is not None  # noqa: S101 - for the type checker
    extensions = [one["name"] for one in json.loads(found[1])["federated_extensions"]]
    need("despejado-lab" in extensions, f"JupyterLab loads {extensions}, not despejado-lab")
    need(json.loads(ask(f"{address}despejado/config")), "the lab extension has no configuration")
    need("First look" in ask(f"{address}despejado/tutorials"), "the tutorials are missing")


def check_kernel(address: str, imports: list[str]) -> None:
    """The image's kernel starts, runs in the stack's environment and imports what it should."""
    specs = json.loads(ask(f"{address}api/kernelspecs"))
    need(list(specs["kernelspecs"]) == ["python3"], f"kernels: {list(specs['kernelspecs'])}")
    kernel = json.loads(ask(f"{address}api/kernels", "POST", {"name": "python3"}))
    file = Path(os.environ["HOME"]) / f".local/share/jupyter/runtime/kernel-{kernel['id']}.json"
    code = (
        "import importlib, sys\n"
        f"assert sys.prefix == {STACK!r}, sys.prefix\n"
        f"for name in {imports!r}:\n"
        "    importlib.import_module(name)\n"
        "loaded = get_ipython().extension_manager.loaded\n"
        "assert 'despejado' in loaded, loaded\n"
    )
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        wait_for_kernel(client, lambda: ask(f"{address}api/kernels/{kernel['id']}"))
        reply = client.execute_interactive(code, timeout=START_SECONDS, output_hook=show_output)
    finally:
        client.stop_channels()
    content = reply["content"]
    need(
        content["status"] == "ok",
        f"a kernel cannot import its software: {content.get('ename')}: {content.get('evalue')}",
    )
    print("kernel imports", *imports, flush=True)


def wait_for_kernel(client: Any, alive: Callable[[], object]) -> None:
    """Wait until the kernel answers; ``alive`` raises when the server has it no more.

    A client that did not start the kernel itself takes one that is silent for a second for dead
    (jupyter_client 8.10, `wait_for_ready`), and a busy machine needs longer for its imports.
    """
    end = time.monotonic() + START_SECONDS
    while True:
        alive()
        try:
            client.wait_for_ready(timeout=max(1.0, end - time.monotonic()))
        except RuntimeError:
            if time.monotonic() > end:
                raise
        else:
            return


def show_output(message: dict[str, Any]) -> None:
    """What the kernel prints, for the log."""
    if message["msg_type"] in ("stream", "error"):
        content = message["content"]
        print(content.get("text") or "\n".join(content["traceback"]), flush=True)


def check_commands(home: str) -> None:
    """Somebody who starts the image by hand gets JupyterLab, and finds the usual commands."""
    path = f"{STACK}/bin:/opt/despejado/bin:/opt/despejado/ui/bin:/usr/local/bin:/usr/bin:/bin"
    for command in (["jupyter", "lab", "--version"], ["jupyterhub-singleuser", "--version"]):
        done = subprocess.run(
            command, env={"PATH": path, "HOME": home}, capture_output=True, text=True, check=False
        )
        need(done.returncode == 0, f"{' '.join(command)} fails: {done.stderr.strip()[-300:]}")
    port = free_port()
    by_hand = [LAB, f"--port={port}"]
    with running(by_hand, {"PATH": path, "HOME": home}, f"http://127.0.0.1:{port}/api"):
        print("works by hand", flush=True)
    need(shutil.which("node", path=path) is None, "node is on PATH: it delays every start")


def check_files() -> None:
    """Bytecode is there, what slows a server is not, and nobody may change the software."""
    import jupyterlab

    cached = importlib.util.cache_from_source(jupyterlab.__file__)
    need(Path(cached).exists(), "JupyterLab has no bytecode: every start would compile it")
    need(
        importlib.util.find_spec("rfc3987_syntax") is None,
        "rfc3987-syntax is in the server's environment: it costs a second at every start",
    )
    need(Path("/etc/nublado").resolve() == Path("/etc/despejado"), "/etc/nublado is no link")
    need(not os.access(STACK, os.W_OK), f"{STACK} can be written")
    manifest = json.loads(Path("/opt/despejado/image.json").read_text())
    need(manifest["versions"] and manifest["digest"], "image.json says nothing")


def main() -> None:
    """Run all checks; the first that fails ends with a sentence."""
    need(os.geteuid() != 0, "the smoke test is to run as a user")
    imports: list[str] = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        os.environ["HOME"] = home
        os.environ.pop("XDG_RUNTIME_DIR", None)
        check_files()
        check_commands(home)
        with lab(home) as address:
            check_page(address)
            check_kernel(address, imports)
    print("smoke: ok", flush=True)


if __name__ == "__main__":
    main()
