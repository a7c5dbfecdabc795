"""A small TAP service on loopback that does what a test tells it, and notes what it was asked."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info
from astropy.table import Table

TOKEN = "token-of-this-lab"
OUTPUT = Path(__file__).parents[2] / "test-output" / "kernels"

PLEIADES = Table(
    {
        "hip": [17702, 17499, 17847],
        "ra": [56.87115, 56.21890, 57.29059],
        "dec": [24.10514, 24.11334, 24.05341],
        "name": ["Alcyone", "Electra", "Atlas"],
    }
)
PLEIADES["ra"].unit = PLEIADES["dec"].unit = "deg"
PLEIADES["ra"].description = "Right ascension (ICRS)"

TABLES = ["sample.stars", "ivoa.ObsCore", "tap_schema.tables", "tap_schema.columns"]
COLUMNS = ["hip", "ra", "dec", "parallax"]


def votable(table: Table, status: str = "OK") -> bytes:
    """A result as TAP sends it: BINARY2, with QUERY_STATUS."""
    document = from_table(table)
    resource = document.resources[0]
    resource.type = "results"
    resource.infos.append(Info(name="QUERY_STATUS", value=status))
    document.get_first_table().format = "binary2"
    out = io.BytesIO()
    document.to_xml(out)
    return out.getvalue()


def error_document(message: str) -> bytes:
    """DALI 1.1 §4.2."""
    return (
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">'
        f"{escape(message)}</INFO></RESOURCE></VOTABLE>"
    ).encode()


@dataclass
class Request:
    method: str
    path: str
    authorization: str | None
    form: dict[str, list[str]]


@dataclass
class JobState:
    query: str
    phase: str = "QUEUED"
    error: str = ""


@dataclass
class StandIn:
    """Behaves by the query: one with ``slow`` runs until it is aborted or `finish`ed, one with
    ``wrong`` is refused with `refusal`."""

    port: int = 0
    prefix: str = "/services/tap"
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    requests: list[Request] = field(default_factory=list)
    jobs: dict[str, JobState] = field(default_factory=dict)
    refusal: str = "Unknown column."
    status: int | None = None
    redirect: str = ""
    overflow: bool = False
    starts_jobs: bool = True
    polled: set[str] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def root(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def url(self) -> str:
        return self.root + self.prefix

    def answer(self, query: str) -> bytes:
        folded = query.casefold()
        if "wrong" in folded:
            return error_document(self.refusal)
        if "tap_schema.columns" in folded:
            return votable(Table({"column_name": COLUMNS}))
        if "tap_schema.tables" in folded:
            texts = ["The stars of the sample", "Images", "", ""]
            return votable(Table({"table_name": TABLES, "description": texts}))
        return votable(PLEIADES, "OVERFLOW" if self.overflow else "OK")

    def set_phase(self, name: str, phase: str) -> None:
        with self.changed:
            self.jobs[name].phase = phase
            self.changed.notify_all()

    def finish(self, name: str) -> None:
        self.set_phase(name, "COMPLETED")

    def wait_for_job(self) -> str:
        """A job that runs, once a client waits for it."""
        with self.changed:
            assert self.changed.wait_for(lambda: bool(self.polled), 30)
            return self.polled.pop()

    def wait_for_phase(self, name: str, phase: str) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.jobs[name].phase == phase, 30)

    def discovery(self) -> dict[str, Any]:
        return {
            "datasets": {
                "sample": {"butler_config": None, "services": {"tap": {"url": self.url}}},
                "empty": {"butler_config": None, "services": {}},
            },
            "services": {"internal": {}},
            "influxdb_databases": {},
            "despejado": {
                "hub_url": self.root + "/hub/",
                "default_dataset": "sample",
                "firefly_url": None,
            },
        }


def _handler(service: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._handle("GET")

        def do_POST(self) -> None:
            self._handle("POST")

        def do_DELETE(self) -> None:
            self._handle("DELETE")

        def _handle(self, method: str) -> None:
            length = int(self.headers.get("Content-Length", 0))
            parts = urlsplit(self.path)
            form = {
                key.upper(): value
                for text in (parts.query, self.rfile.read(length).decode())
                for key, value in parse_qs(text).items()
            }
            given = self.headers.get("Authorization")
            service.requests.append(Request(method, parts.path, given, form))
            if parts.path == "/hub/despejado/discovery":
                self._send(json.dumps(service.discovery()).encode(), "application/json")
            elif service.redirect:
                self._see_other(service.redirect)
            elif not parts.path.startswith(service.prefix):
                self._send(b"elsewhere", "text/plain")
            elif service.status is not None:
                self._send(b"the service says no", "text/plain", service.status)
            elif not self._known(given):
                self._send(b"token wanted", "text/plain", 401)
            else:
                self._tap(method, parts.path.removeprefix(service.prefix).strip("/"), form)

        def _known(self, given: str | None) -> bool:
            kind, _, value = (given or "").partition(" ")
            if kind == "Basic":
                value = base64.b64decode(value).decode().partition(":")[2]
            return value in service.tokens

        def _tap(self, method: str, path: str, form: dict[str, list[str]]) -> None:
            first, _, rest = path.partition("/")
            name, _, part = rest.partition("/")
            if first == "sync":
                body = service.answer(form["QUERY"][0])
                self._send(body, "application/x-votable+xml", 400 if b"ERROR" in body else 200)
            elif first == "async" and not name:
                self._create(form)
            elif first == "async" and name in service.jobs:
                self._job(method, name, part, form)
            else:
                self._send(b"nothing here", "text/plain", 404)

        def _create(self, form: dict[str, list[str]]) -> None:
            name = f"job{len(service.jobs) + 1}"
            query = form["QUERY"][0]
            folded = query.casefold()
            job = JobState(query, "COMPLETED")
            if "slow" in folded:
                job.phase = "EXECUTING"
            if "wrong" in folded:
                job.phase, job.error = "ERROR", service.refusal
            if not service.starts_jobs:
                job.phase = "PENDING"
            with service.changed:
                service.jobs[name] = job
                service.changed.notify_all()
            self._see_other(f"{service.url}/async/{name}")

        def _job(self, method: str, name: str, part: str, form: dict[str, list[str]]) -> None:
            job = service.jobs[name]
            if method == "DELETE":
                service.set_phase(name, "DELETED")
                self._see_other(f"{service.url}/async")
            elif part == "phase" and method == "POST":
                if form["PHASE"] == ["ABORT"] and job.phase == "EXECUTING":
                    service.set_phase(name, "ABORTED")
                if form["PHASE"] == ["RUN"] and job.phase == "PENDING":
                    service.set_phase(name, "COMPLETED")
                self._see_other(f"{service.url}/async/{name}")
            elif part == "results/result":
                self._send(service.answer(job.query), "application/x-votable+xml")
            else:
                if "WAIT" in form and form.get("PHASE", [job.phase]) == [job.phase]:
                    with service.changed:
                        service.polled.add(name)
                        service.changed.notify_all()
                        service.changed.wait_for(lambda: job.phase != "EXECUTING", 20)
                self._send(self._document(name, job), "text/xml")

        def _document(self, name: str, job: JobState) -> bytes:
            error = (
                f'<uws:errorSummary type="fatal" hasDetail="false"><uws:message>'
                f"{escape(job.error)}</uws:message></uws:errorSummary>"
                if job.error
                else ""
            )
            return (
                '<uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"'
                ' xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1">'
                f"<uws:jobId>{name}</uws:jobId><uws:phase>{job.phase}</uws:phase>"
                "<uws:executionDuration>600</uws:executionDuration>"
                f'<uws:results><uws:result id="result" xlink:href="{service.url}/async/{name}'
                f'/results/result"/></uws:results>{error}</uws:job>'
            ).encode()

        def _see_other(self, url: str) -> None:
            self.send_response(303)
            self.send_header("Location", url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here; what else went wrong is seen by the client."""


def serve() -> Iterator[StandIn]:
    service = StandIn()
    server = _Server(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service() -> Iterator[StandIn]:
    yield from serve()


@pytest.fixture
def other_service() -> Iterator[StandIn]:
    """A second server, which must never see a token."""
    yield from serve()


VARIABLES = (
    "DESPEJADO_RUNTIME_DIR",
    "NUBLADO_RUNTIME_MOUNTS_DIR",
    "DESPEJADO_URL",
    "DESPEJADO_TOKEN",
    "NUBLADO_TOKEN",
    "ACCESS_TOKEN",
    "NETRC",
    "DAF_BUTLER_REPOSITORIES",
    "DAF_BUTLER_REPOSITORY_INDEX",
)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no platform."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def lab(tmp_path: Path, service: StandIn, clean: pytest.MonkeyPatch) -> Path:
    """The runtime folder of a lab whose data set ``sample`` is the stand-in."""
    runtime = tmp_path / "runtime"
    (runtime / "discovery").mkdir(parents=True)
    (runtime / "secrets").mkdir()
    (runtime / "discovery" / "v1.json").write_text(json.dumps(service.discovery()))
    (runtime / "secrets" / "token").write_text(TOKEN + "\n")
    netrc = runtime / "secrets" / "netrc"
    netrc.write_text(f"machine localhost login astronomer password {TOKEN}\n")
    netrc.chmod(0o400)
    clean.setenv("DESPEJADO_RUNTIME_DIR", str(runtime))
    clean.setenv("NETRC", str(netrc))
    return runtime


@pytest.fixture(scope="session")
def output() -> Path:
    """Where pictures go that a person looks at."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return OUTPUT
