"""The client against the platform's own TAP service, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue

import despejado
import numpy as np
import pytest
import pyvo
from despejado import jobs
from despejado.adql import fill, marked
from despejado.errors import QueryAborted
from despejado.service import TapQueryError
from despejado.session import TokenLacksScope, TokenRefused

SCOPE = "custom:tap:query"
SCOPES = {"good": [SCOPE], "narrow": ["read:users:name!user=vera"]}
PLEIADES = """SELECT TOP 3 hip, ra, dec, mag FROM sample.stars
WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, 1.0)) ORDER BY mag"""
CENTRE = {"ra": 56.75, "dec": 24.12}
LONG = """SELECT COUNT(*) AS n FROM sample.stars AS a JOIN sample.stars AS b
ON a.mag + b.mag < a.bv * b.bv"""


class _Hub(BaseHTTPRequestHandler):
    """``GET /hub/api/user`` of a hub."""

    def do_GET(self) -> None:
        token = self.headers.get("Authorization", "").rpartition(" ")[2]
        scopes = SCOPES.get(token)
        user = {"name": "vera", "kind": "user", "admin": False, "groups": [], "scopes": scopes}
        body = json.dumps(user if scopes else {"status": 403}).encode()
        self.send_response(200 if scopes else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _relay(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = tmp_path_factory.mktemp("state")
    hub = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True).start()
    (state / "data").mkdir()
    (state / "token").write_text("service-token\n")
    config = {
        "host": "127.0.0.1",
        "port": 0,
        "prefix": "/services/tap",
        "state": str(state / "tap"),
        "data": str(state / "data"),
        "hub_api_url": f"http://127.0.0.1:{hub.server_address[1]}/hub/api",
        "service_token_file": str(state / "token"),
        "scope": SCOPE,
        "public_url": "http://127.0.0.1:8000/services/tap",
    }
    (state / "tap.json").write_text(json.dumps(config))
    process = subprocess.Popen(
        [sys.executable, "-m", "despejado_services", "--config", str(state / "tap.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_relay, args=(process, lines), daemon=True).start()
    said = [lines.get(timeout=120)]
    while said[-1] and "ready at " not in said[-1]:
        said.append(lines.get(timeout=120))
    assert said[-1], "".join(said)
    yield said[-1].split("ready at ")[1].strip().replace("127.0.0.1", "localhost")
    process.terminate()
    process.wait(30)
    hub.shutdown()
    hub.server_close()


@pytest.fixture
def here(real: str, tmp_path: Path, clean: pytest.MonkeyPatch) -> Path:
    """The runtime folder of a lab with the service."""
    (tmp_path / "discovery").mkdir()
    (tmp_path / "secrets").mkdir()
    services = {"tap": {"url": real}}
    document = {"datasets": {"sample": {"services": services}}, "despejado": {}}
    (tmp_path / "discovery" / "v1.json").write_text(json.dumps(document))
    (tmp_path / "secrets" / "token").write_text("good")
    (tmp_path / "secrets" / "netrc").write_text("machine localhost login vera password good\n")
    clean.setenv("DESPEJADO_RUNTIME_DIR", str(tmp_path))
    clean.setenv("NETRC", str(tmp_path / "secrets" / "netrc"))
    return tmp_path


def test_what_there_is(here: Path) -> None:
    assert "sample.stars" in despejado.sample()["name"]


def test_alcyone_is_the_brightest_of_the_pleiades(here: Path) -> None:
    query = fill(PLEIADES, CENTRE).text
    table = despejado.tap().search(query).to_table()
    assert (table["hip"][0], len(table)) == (17702, 3)
    assert (table["ra"].unit, table["mag"].unit) == ("deg", "mag")
    job = jobs.run_query(despejado.tap(), query).table
    assert list(job["hip"]) == list(table["hip"])


def test_every_type_of_the_catalogue_reads_as_with_astropy(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT TOP 2000 * FROM sample.stars"
    fast = despejado.tap().search(query).to_table()
    slow = pyvo.dal.TAPService(despejado.tap().baseurl).search(query).to_table()
    assert fast.dtype == slow.dtype
    assert len(fast) == 2000
    for name in fast.colnames:
        assert (np.ma.getmaskarray(fast[name]) == np.ma.getmaskarray(slow[name])).all(), name
        assert (np.ma.filled(fast[name], 0) == np.ma.filled(slow[name], 0)).all()
        assert fast[name].unit == slow[name].unit


def test_stock_pyvo_with_netrc(here: Path, real: str) -> None:
    stock = pyvo.dal.TAPService(real)
    assert stock.run_async("SELECT TOP 2 hip FROM sample.stars").to_table()["hip"].shape == (2,)


def test_addresses_of_jobs_stay_where_the_token_goes(here: Path, real: str) -> None:
    outcome = jobs.run_query(despejado.tap(), "SELECT TOP 1 hip FROM sample.stars", keep=True)
    assert outcome.job.startswith(real + "/async/")


def test_mistyped_column_is_marked_in_the_writers_text(here: Path) -> None:
    query = fill(
        "SELECT hip\nFROM sample.stars\nWHERE mag < {limit} AND paralax > 1", {"limit": 5.25}
    )
    with pytest.raises(TapQueryError, match="parallax") as caught:
        jobs.run_query(despejado.tap(), query.text)
    mark = marked(query, caught.value.reason)
    line, caret = mark.splitlines()
    assert line == "   3 | WHERE mag < {limit} AND paralax > 1"
    assert caret.index("^") == line.index("paralax")


@pytest.mark.parametrize("mode", ["search", "run_async"])
def test_mistyped_table_gets_the_nearest(here: Path, mode: str) -> None:
    with pytest.raises(TapQueryError, match=r"sample\.stars"):
        getattr(despejado.tap(), mode)("SELECT hip FROM sample.star")


def test_maxrec_is_told_as_overflow(here: Path) -> None:
    outcome = jobs.run_query(despejado.tap(), "SELECT hip FROM sample.stars", maxrec=10)
    assert (len(outcome.table), outcome.overflow) == (10, True)


def test_abort_stops_a_long_query(here: Path) -> None:
    aborted: list[jobs.Progress] = []

    def report(progress: jobs.Progress) -> None:
        if not aborted:
            aborted.append(progress)
            run.abort()

    run = jobs.QueryRun(despejado.tap(), LONG, report)
    with pytest.raises(QueryAborted, match="was aborted"):
        run.result(maxrec=None, keep=True)
    assert aborted[0].phase in ("QUEUED", "EXECUTING")
    found = {job.jobid: job.phase for job in despejado.tap().get_job_list()}
    assert found[aborted[0].job.rpartition("/")[2]] == "ABORTED"


def test_unknown_token(here: Path) -> None:
    (here / "secrets" / "token").write_text("expired")
    with pytest.raises(TokenRefused, match="start it again"):
        despejado.tap().search("SELECT TOP 1 hip FROM sample.stars")


def test_token_for_something_else(here: Path) -> None:
    (here / "secrets" / "token").write_text("narrow")
    with pytest.raises(TokenLacksScope, match="access to the data services"):
        despejado.tap().search("SELECT TOP 1 hip FROM sample.stars")
