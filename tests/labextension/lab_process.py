"""A real JupyterLab in a process of its own, and a stand-in for the hub's REST API."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import httpx

TOKEN = "the-token-of-the-test"
HUB_TOKEN = "the-servers-own-token"

# What JupyterHub 6.1 answers to GET /user, less what nobody here reads (tried against a real hub
# in test_exit_real_hub.py).
HUB_SCOPES = (
    "access:servers!server=rachel/",
    "delete:servers!server=rachel/",
    "users:activity!user=rachel",
)


def notebook(*markdown: str, code: str = "1 + 1") -> str:
    """A small notebook: Markdown cells, then one code cell."""
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": text}
        for number, text in enumerate(markdown)
    ]
    cells.append(
        {
            "cell_type": "code",
            "id": "code",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": code,
        }
    )
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def write_tutorials(folder: Path) -> Path:
    """Two tutorials, one of them in a folder."""
    (folder / "images").mkdir(parents=True)
    (folder / "01-first-look.ipynb").write_text(notebook("# A first *look*\n\nStars.", "## Then"))
    (folder / "images" / "cutouts.ipynb").write_text(notebook("No heading here."))
    return folder


LAB_JSON = {
    "user": {"name": "rachel", "uid": 5001, "gid": 5001, "groups": ["rachel", "lunatics"]},
    "server": {"name": "", "hub_url": "/hub/", "base_url": "/"},
    "image": {
        "tag": "w_2026_43",
        "title": "Weekly 2026_43",
        "digest": "sha256:0f3a9d3c",
        "versions": {"lsst-daf-butler": "30.2026.4300", "astropy": "7.1.0"},
    },
    "size": {"name": "small", "cpu": 1.0, "memory": 3221225472, "bigger": ["medium", "large"]},
    "tutorials": None,
}


def write_runtime(folder: Path, lab_json: object) -> Path:
    """A runtime folder with this ``config/lab.json``."""
    (folder / "config").mkdir(parents=True)
    content = lab_json if isinstance(lab_json, str) else json.dumps(lab_json)
    (folder / "config" / "lab.json").write_text(content)
    return folder


def write_cgroup(folder: Path, *, used: int, limit: int | None, kills: int = 0) -> Path:
    """A control group (version 2) whose files say this."""
    folder.mkdir(exist_ok=True)
    files = {
        "memory.current": f"{used}\n",
        "memory.max": "max\n" if limit is None else f"{limit}\n",
        "memory.stat": "anon 0\ninactive_file 0\n",
        "memory.events": f"low 0\nhigh 0\nmax 7\noom {kills}\noom_kill {kills}\n",
    }
    for name, content in files.items():
        new = folder / f".{name}"
        new.write_text(content)
        new.replace(folder / name)
    return folder


class Log:
    """Follows what a process writes, to the end, so that the pipe never fills."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._new: Queue[str | None] = Queue()
        self._process = process
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)
            self._new.put(line)
        self._new.put(None)

    def wait_for(self, words: str) -> None:
        """Return when a line with these words comes."""
        while (line := self._new.get(timeout=120)) is not None:
            if words in line:
                return
        raise AssertionError(f"the process ended without {words!r}:\n" + "".join(self.lines))


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab; ``home`` is also its root folder."""

    url: str
    home: Path
    tutorials: Path
    process: subprocess.Popen[str]
    log: Log = field(repr=False)
    cgroup: Path

    def server(self) -> httpx.Client:
        """A client of all that the server answers."""
        headers = {"Authorization": f"token {TOKEN}"}
        return httpx.Client(base_url=f"{self.url}/", headers=headers, timeout=60)

    def client(self, token: str | None = TOKEN) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"token {token}"}
        return httpx.Client(base_url=f"{self.url}/despejado/", headers=headers, timeout=30)

    @property
    def copies(self) -> Path:
        """Where copied tutorials lie."""
        return self.home / "notebooks" / "tutorials"

    def forget_copies(self) -> None:
        shutil.rmtree(self.home / "notebooks", ignore_errors=True)

    def empty_copies(self) -> None:
        """Remove the copies and keep their folder: a kernel that an earlier page asked for may be
        starting in it, and would fail, and with it the next page that has that notebook."""
        for path in list(self.copies.rglob("*")):
            if not path.is_dir():
                path.unlink()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Return when somebody listens: a server says that it runs a little before it does."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nobody listens on port {port}"
            time.sleep(0.005)
        else:
            return


@contextlib.contextmanager
def running_lab(
    folder: Path, tutorials: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Lab]:
    """Start JupyterLab with a home, settings and perhaps a control group below ``folder``."""
    home = folder / "home"
    home.mkdir(parents=True)
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"checkForUpdates": False, "fetchNews": "false"})
    )
    port = unused_port()
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        "--ServerApp.port_retries=0",
        "--ServerApp.allow_unauthenticated_access=False",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={home}",
        "--LabApp.expose_app_in_browser=True",
        f"--DespejadoLab.tutorials_dir={tutorials}",
        f"--DespejadoLab.cgroup_dir={folder / 'cgroup'}",
    ]
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("JUPYTER", "DESPEJADO", "ABNORMAL"))
    }
    own = {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "run"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    process = subprocess.Popen(
        command,
        cwd=home,
        env={**kept, **own, **(environ or {})},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        log = Log(process)
        log.wait_for("is running at:")
        wait_for_port(port)
        url = f"http://127.0.0.1:{port}"
        yield Lab(url, home, tutorials, process, log, folder / "cgroup")
    finally:
        process.kill()
        process.wait()


Answer = tuple[int, object]


@dataclass
class HubStandIn:
    """Answers as JupyterHub does and writes down what it was asked."""

    url: str
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        self.asked.clear()
        self.stopped.clear()
        self.answers = {
            "GET /hub/api": (200, {"version": "6.1.1"}),
            "GET /hub/api/user": (200, {"name": "rachel", "scopes": list(HUB_SCOPES)}),
            "DELETE /hub/api/users/rachel/server": (204, None),
        }

    def environ(self) -> dict[str, str]:
        """The variables that JupyterHub gives a server."""
        return {
            "JUPYTERHUB_API_URL": f"{self.url}/hub/api",
            "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
            "JUPYTERHUB_USER": "rachel",
            "JUPYTERHUB_SERVER_NAME": "",
            "JUPYTERHUB_BASE_URL": "/",
            "JUPYTERHUB_HOST": self.url,
        }


def _handler(hub: Callable[[], HubStandIn]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            state = hub()
            state.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            pages: Answer = (200, f"<title>hub</title><h1>{self.path}</h1>")
            missing: Answer = (404, {"status": 404, "message": "Not Found"})
            default = missing if self.path.startswith("/hub/api") else pages
            status, body = state.answers.get(f"{self.command} {self.path}", default)
            content = b"" if body is None else (body if isinstance(body, str) else "").encode()
            if isinstance(body, (dict, list)):
                content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)
            if self.command == "DELETE":
                state.stopped.set()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: what was asked is in ``asked``."""

        do_GET = do_POST = do_DELETE = _answer

    return Handler


@contextlib.contextmanager
def hub_stand_in() -> Iterator[HubStandIn]:
    """A stand-in on a free loopback port."""
    hub = HubStandIn("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    hub.reset()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
