"""TAP over HTTP with the real engine and the sample catalogue: what clients see."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pyvo
import requests
from astropy.io.votable import parse_single_table
from astropy.table import Table
from despejado_services.app import create_app
from despejado_services.config import ConfigError, ServiceConfig, load_config
from despejado_services.handlers.query import sync as handle_sync
from despejado_services.vosi.capabilities import Language
from despejado_services.vosi.examples import EXAMPLES, Example
from pyarrow import parquet
from pyvo.dal.exceptions import DALQueryError, DALServiceError
from starlette.requests import Request
from starlette.types import Message

from tests.services.conftest import FakeHub, Service, Starter, Wait, service_config
from tests.services.small_engine import SmallEngine

CONE = (
    "SELECT hip, ra, dec, mag FROM sample.stars "
    "WHERE CONTAINS(POINT(ra, dec), CIRCLE(56.75, 24.12, 1.0)) = 1 ORDER BY mag"
)


def pyvo_service(url: str, token: str | None = "token-of-vera") -> pyvo.dal.TAPService:
    session = requests.Session()
    session.trust_env = False
    if token is not None:
        session.headers["Authorization"] = f"Bearer {token}"
    return pyvo.dal.TAPService(url, session=session)


def test_pyvo_searches_the_pleiades(tap: Service) -> None:
    table = pyvo_service(tap.url).search(CONE).to_table()
    assert table["hip"][0] == 17702  # Alcyone
    assert table["ra"].unit == "deg"


def test_pyvo_runs_a_job_from_start_to_delete(tap: Service) -> None:
    service = pyvo_service(tap.url)
    job = service.submit_job(CONE, maxrec=5)
    job.run().wait()
    assert job.phase == "COMPLETED"
    job.raise_if_error()
    assert len(job.fetch_result()) == 5
    assert job.job_id in [j.jobid for j in service.get_job_list()]
    assert service.get_job_list(last=1)[0].jobid == job.job_id
    job.delete()
    assert job.job_id not in [j.jobid for j in service.get_job_list()]


def test_pyvo_shows_the_message_of_a_wrong_query(tap: Service) -> None:
    service = pyvo_service(tap.url)
    with pytest.raises(DALQueryError, match="starz"):
        service.search("SELECT * FROM sample.starz")
    with pytest.raises(DALQueryError, match="starz"):
        service.run_async("SELECT * FROM sample.starz")


def test_pyvo_reads_tables_capabilities_and_examples(tap: Service) -> None:
    service = pyvo_service(tap.url)
    assert "sample.stars" in set(service.tables.keys())
    columns = {c.name: c for c in service.tables["sample.stars"].columns}
    assert str(columns["ra"].unit) == "deg"
    assert service.maxrec == 1_000_000
    assert (
        service.get_tap_capability()
        .get_adql()
        .get_feature_list("ivo://ivoa.net/std/TAPRegExt#features-adqlgeo")
    )
    assert len(list(service.examples)) == len(EXAMPLES)


def test_pyvo_with_a_password_session(tap: Service) -> None:
    auth = pyvo.auth.AuthSession()
    auth.credentials.set_password("vera", "token-of-vera")
    service = pyvo.dal.TAPService(tap.url, session=auth)
    assert len(service.search("SELECT TOP 1 hip FROM sample.stars")) == 1
    assert len(service.run_async("SELECT TOP 1 hip FROM sample.stars")) == 1


def test_pyvo_without_a_token_is_told_what_to_do(tap: Service) -> None:
    with pytest.raises((DALQueryError, DALServiceError), match="token"):
        pyvo_service(tap.url, token=None).search("SELECT TOP 1 hip FROM sample.stars")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.key)
def test_every_example_can_be_run(tap: Service, example: Example) -> None:
    with tap.client() as client:
        answer = client.get("/sync", params={"QUERY": example.query, "MAXREC": "5"})
    assert answer.status_code == 200, answer.text
    assert b'value="ERROR"' not in answer.content  # a fault after the first rows
    rows = len(parse_single_table(io.BytesIO(answer.content)).array)
    assert rows > 0 or example.key == "images"  # there are none beside the sample's stars


@pytest.mark.parametrize(
    "path", ["/sync", "/async", "/tables", "/tables/x", "/examples", "/nothing", "/async/x/phase"]
)
def test_without_a_token_nothing_is_told(tap: Service, path: str) -> None:
    with tap.client(None) as client:
        for method in ("GET", "POST", "DELETE"):
            answer = client.request(method, path)
            assert answer.status_code == 401
            challenge = answer.headers["www-authenticate"]
            assert "Bearer realm=" in challenge
            assert "Basic realm=" in challenge
            assert b'value="ERROR"' in answer.content
            assert b"/hub/token" in answer.content


def test_open_pages_need_no_token(tap: Service) -> None:
    with tap.client(None) as client:
        assert b"true" in client.get("/availability").content
        assert client.get("/capabilities").status_code == 200
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert tap.url in page.text


def test_unknown_and_narrow_tokens_are_told_apart(tap: Service) -> None:
    with tap.client("unknown") as client:
        answer = client.get("/tables")
        assert answer.status_code == 401
        assert "invalid_token" in answer.headers["www-authenticate"]
        assert "expired or been revoked" in answer.text
    with tap.client("token-without-scope") as client:
        answer = client.get("/tables")
        assert answer.status_code == 403
        assert "insufficient_scope" in answer.headers["www-authenticate"]
        assert "custom:tap:query" in answer.text


def test_a_hub_that_is_away_is_503_and_not_500(start: Starter, hub: FakeHub) -> None:
    service = start(small=True)
    hub.failing = True
    with service.client() as client:
        answer = client.get("/async")
    assert answer.status_code == 503
    assert "not the problem" in answer.text
    assert answer.headers["retry-after"]


def test_links_have_the_name_that_the_client_used(tap: Service) -> None:
    port = urlsplit(tap.url).port
    with tap.client() as client:
        headers = {"Host": f"localhost:{port}"}
        answer = client.post("/async", data={"QUERY": "SELECT 1"}, headers=headers)
        assert answer.headers["location"].startswith(f"http://localhost:{port}/services/tap/async/")
        answer = client.get("/capabilities", headers={"X-Forwarded-Host": "sky.example.org"})
        assert "http://sky.example.org/services/tap" in answer.text
        answer = client.get("/capabilities", headers={"Host": "evil/x"})
        assert "http://127.0.0.1:8000/services/tap" in answer.text
        assert "evil" not in answer.text


def sync(tap: Service, method: str = "GET", **params: str) -> httpx.Response:
    client: httpx.Client
    with tap.client() as client:
        if method == "GET":
            return client.get("/sync", params=params)
        return client.post("/sync", data=params)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parameter_names_have_no_case(tap: Service, method: str) -> None:
    answer = sync(tap, method, query="SELECT TOP 2 hip FROM sample.stars", lang="ADQL", MaxRec="1")
    table = parse_single_table(io.BytesIO(answer.content))
    assert len(table.array) == 1
    assert b"OVERFLOW" in answer.content


def test_maxrec_zero_is_metadata_only(tap: Service) -> None:
    answer = sync(tap, QUERY="SELECT hip, mag FROM sample.stars", MAXREC="0")
    assert answer.status_code == 200
    table = parse_single_table(io.BytesIO(answer.content))
    assert [f.name for f in table.fields] == ["hip", "mag"]
    assert len(table.array) == 0


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({}, "QUERY"),
        ({"QUERY": "  "}, "QUERY"),
        ({"QUERY": "SELECT 1", "LANG": "PQL"}, "LANG"),
        ({"QUERY": "SELECT 1", "MAXREC": "-5"}, "MAXREC"),
        ({"QUERY": "SELECT 1", "MAXREC": "1.5"}, "MAXREC"),
        ({"QUERY": "SELECT 1", "FORMAT": "pdf"}, "RESPONSEFORMAT"),
        ({"QUERY": "SELECT 1", "REQUEST": "getCapabilities"}, "REQUEST"),
        ({"QUERY": "SELECT 1", "UPLOAD": "t,http://x/y"}, "UPLOAD is not offered"),
        ({"QUERY": "DROP TABLE sample.stars"}, "ERROR"),
        ({"QUERY": "SELECT hip FROM sample.stars; SELECT 1"}, "ERROR"),
        ({"QUERY": "SELECT nope FROM sample.stars"}, "nope"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_wrong_requests_are_400_with_the_reason(
    tap: Service, method: str, params: dict[str, str], word: str
) -> None:
    answer = sync(tap, method, **params)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/x-votable+xml")
    assert b'name="QUERY_STATUS" value="ERROR"' in answer.content
    assert word in answer.text


def test_a_parameter_given_twice_is_named(tap: Service) -> None:
    with tap.client() as client:
        answer = client.get("/sync?QUERY=SELECT+1&MAXREC=1&maxrec=2")
    assert answer.status_code == 400
    assert "MAXREC" in answer.text


def test_an_inline_upload_is_refused_by_name(tap: Service) -> None:
    with tap.client() as client:
        answer = client.post(
            "/sync", data={"QUERY": "SELECT 1", "UPLOAD": "t,param:x"}, files={"x": b"<VOTABLE/>"}
        )
    assert answer.status_code == 400
    assert "UPLOAD is not offered" in answer.text


def test_odd_bodies_are_refused(tap: Service) -> None:
    with tap.client() as client:
        json_body = client.post("/sync", json={"QUERY": "SELECT 1"})
        assert json_body.status_code == 400
        assert "Content-Type" in json_body.text
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/sync", content=b"QUERY=\xff", headers=form).status_code == 400
        huge = client.post("/sync", data={"QUERY": "x" * (5 << 20)})
        assert huge.status_code == 413
        broken = {"Content-Type": "multipart/form-data"}
        assert client.post("/sync", content=b"x", headers=broken).status_code == 400
        assert client.put("/sync").status_code == 405
        assert client.get("/nothing").status_code == 404


@pytest.mark.parametrize(
    ("name", "content_type", "reader"),
    [
        ("csv", "text/csv", "ascii.csv"),
        ("tsv", "text/tab-separated-values", "ascii.tab"),
        ("parquet", "application/vnd.apache.parquet", "parquet"),
        ("fits", "application/fits", "fits"),
        ("votable/td", "application/x-votable+xml", "votable"),
    ],
)
def test_formats_over_http(
    tap: Service, tmp_path: Path, name: str, content_type: str, reader: str
) -> None:
    query = "SELECT TOP 3 hip FROM sample.stars WHERE hip > 17000 ORDER BY hip"
    answer = sync(tap, QUERY=query, RESPONSEFORMAT=name)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(content_type)
    file = tmp_path / "answer"
    file.write_bytes(answer.content)
    stars = pyvo_service(tap.url).search(query).to_table()
    assert len(stars) == 3
    if reader == "parquet":  # astropy's own would need pandas
        found = parquet.read_table(file)["hip"].to_pylist()
    else:
        found = Table.read(file, format=reader)["hip"].tolist()
    assert found == stars["hip"].tolist()


def test_tables_of_vosi(tap: Service) -> None:
    with tap.client() as client:
        whole = ET.fromstring(client.get("/tables").content)
        assert whole.findall(".//column")
        one = ET.fromstring(client.get("/tables/SAMPLE.STARS").content)
        assert one.findtext("name") == "sample.stars"
        assert client.get("/tables/nothing").status_code == 404
        assert client.get("/tables", params={"detail": "some"}).status_code == 400


def test_a_failure_after_the_first_rows_is_never_a_short_table(small: Service) -> None:
    answer = sync(small, QUERY="BREAK 3")
    assert answer.status_code == 200
    assert b'value="ERROR">The disk under the store made a strange noise' in answer.content
    with pytest.raises(DALQueryError, match="strange noise"):
        pyvo_service(small.url).search("BREAK 3")
    for name in ("csv", "tsv"):
        with pytest.raises(httpx.RemoteProtocolError):
            sync(small, QUERY="BREAK 3", FORMAT=name)


def test_a_failure_before_the_first_row_is_400(small: Service) -> None:
    answer = sync(small, QUERY="BREAK 0")
    assert answer.status_code == 400
    assert b"strange noise" in answer.content


def has_to_wait(client: httpx.Client) -> bool:
    """Whether a quick query gets no answer at present."""
    try:
        client.get("/sync", params={"QUERY": "SELECT 1 AS a"}, timeout=1).raise_for_status()
    except httpx.ReadTimeout:
        return True
    return False


def test_a_client_that_goes_away_frees_its_place(start: Starter) -> None:
    service = start(small=True, limits={"sync_queries": 1})
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port)) as gone:
        gone.sendall(
            b"GET /services/tap/sync?QUERY=WAIT HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer token-of-vera\r\n\r\n"
        )
        with service.client() as client:
            assert any(has_to_wait(client) for _ in range(20)), "the place was never taken"
    assert sync(service, QUERY="SELECT 1 AS a").status_code == 200


async def test_a_request_that_is_given_up_while_it_waits_leaves_no_task(
    hub: FakeHub, tmp_path: Path
) -> None:
    config = {**service_config(hub, tmp_path), "limits": {"sync_queries": 1}}
    app = create_app(ServiceConfig.model_validate(config), SmallEngine(), Language(("POINT",), ()))
    watched = asyncio.Event()

    async def receive() -> Message:
        watched.set()
        await asyncio.Event().wait()
        raise AssertionError("the client never goes")

    scope = {"type": "http", "method": "GET", "path": "/sync", "headers": [], "app": app}
    request = Request(scope | {"query_string": b"LANG=ADQL&QUERY=WAIT"}, receive)
    await app.state.services.sync_slots.acquire()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(handle_sync(request))
    await watched.wait()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert [task for task in asyncio.all_tasks() - before if not task.cancelling()] == []


def test_a_sync_query_has_a_time_limit(start: Starter) -> None:
    service = start(small=True, limits={"execution_seconds": 1})
    answer = sync(service, QUERY="WAIT")
    assert answer.status_code == 400
    assert "limit is 1 s" in answer.text


def test_sigterm_ends_quietly_with_a_query_and_a_waiting_client(start: Starter) -> None:
    service = start(small=True)
    parts = urlsplit(service.url)
    with service.client() as client:
        job = client.post("/async", data={"QUERY": "WAIT", "PHASE": "RUN"}).headers["location"]
        assert client.get(f"{job}/phase").text == "EXECUTING"
        with socket.create_connection((parts.hostname, parts.port)) as waiting:
            waiting.sendall(
                f"GET {urlsplit(job).path}?WAIT=600 HTTP/1.1\r\nHost: x\r\n"
                "Authorization: Bearer token-of-vera\r\n\r\n".encode()
            )
            assert client.get(f"{job}/phase").text == "EXECUTING"
            assert service.terminate() == 0
    assert "Traceback" not in service.log()


def test_a_killed_service_finishes_its_jobs_after_a_restart(start: Starter, ended: Wait) -> None:
    service = start(small=True)
    with service.client() as client:
        done = client.post("/async", data={"QUERY": "SELECT 7 AS n", "PHASE": "RUN"})
        done_path = "/async/" + done.headers["location"].rsplit("/", 1)[1]
        assert ended(client, done_path) == "COMPLETED"
        before = client.get(f"{done_path}/results/result").content
        running = client.post("/async", data={"QUERY": "WAIT-ONCE", "PHASE": "RUN"})
        path = "/async/" + running.headers["location"].rsplit("/", 1)[1]
        assert client.get(f"{path}/phase").text == "EXECUTING"
    service.kill()
    again = start(small=True, env={"SMALL_ENGINE_WAITS": "no"})
    with again.client() as client:
        assert ended(client, path) == "COMPLETED"
        assert "restarted" in client.get(path).text
        assert client.get(f"{done_path}/results/result").content == before


def test_a_wrong_configuration_names_key_and_value(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    good = {
        "port": 9001, "prefix": "/services/tap", "state": "s", "data": "d", "scope": "custom:x",
        "hub_api_url": "http://127.0.0.1:8081/hub/api", "public_url": "http://127.0.0.1:8000/t",
    }  # fmt: skip
    file.write_text(json.dumps(good))
    assert load_config(file).limits.maxrec == 1_000_000
    bad = {**good, "port": 99999, "prefix": "tap/", "colour": "red", "limits": {"maxrec": "many"}}
    del bad["scope"]
    file.write_text(json.dumps(bad))
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    for part in ("port = 99999", "prefix = 'tap/'", "colour = 'red'", "limits.maxrec = 'many'",
                 "scope: Field required"):  # fmt: skip
        assert part in str(caught.value)
    file.write_text("{nonsense")
    with pytest.raises(ConfigError):
        load_config(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "absent.json")


def test_the_process_refuses_a_wrong_configuration_without_a_traceback(
    start: Starter, tmp_path: Path
) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"port": "x"}')
    ended = subprocess.run(
        [sys.executable, "-m", "despejado_services", "--config", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "port = 'x'" in ended.stderr
    assert "Traceback" not in ended.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file.write_text(json.dumps({**start.config, "port": port}))
        ended = subprocess.run(
            [sys.executable, "-m", "despejado_services", "--config", str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert str(port) in ended.stderr
    assert "Traceback" not in ended.stderr
