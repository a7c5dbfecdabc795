"""Jobs: the store, the pool, and the HTTP face, on a real process whose queries wait on request."""

from __future__ import annotations

import sqlite3
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from despejado_services.errors import TooMany
from despejado_services.models import Cancel, QueryCancelled, QueryTimeout
from despejado_services.uws import documents
from despejado_services.uws.models import Job, Phase, Result, now
from despejado_services.uws.results import ResultFiles
from despejado_services.uws.runner import MAX_ATTEMPTS, JobRunner, Work
from despejado_services.uws.store import JobStore, SqlValue

from tests.services.conftest import Service, Starter, Wait

UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    opened = JobStore(tmp_path / "jobs.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def results(tmp_path: Path) -> ResultFiles:
    return ResultFiles(tmp_path / "results")


def new(store: JobStore, owner: str = "user:vera", **parameters: str) -> Job:
    return store.create(
        owner=owner,
        owner_name=owner.partition(":")[2],
        run_id=None,
        parameters=parameters,
        seconds=60,
        destruction=now() + timedelta(days=1),
    )


class Gate:
    """Work that goes on until told, and says when it has begun."""

    def __init__(self, results: ResultFiles) -> None:
        self.results = results
        self.begun: dict[str, threading.Event] = {}
        self.release = threading.Event()
        self.lock = threading.Lock()

    def event(self, job_id: str) -> threading.Event:
        with self.lock:
            return self.begun.setdefault(job_id, threading.Event())

    def __call__(self, job: Job, cancel: Cancel) -> Result:
        self.event(job.id).set()
        with cancel.watched_by(self.release.set):
            assert self.release.wait(20)
        if cancel.cancelled:
            raise QueryCancelled("stopped")
        return Result("text/plain", self.results.write(job.id, [b"done"]), 1)


class Pool:
    def __init__(self, store: JobStore, results: ResultFiles, work: Work, **limits: int) -> None:
        self.phases: list[str] = []
        self.changed = threading.Condition()
        self.unsaved = threading.Event()
        self.store = store
        self.runner = JobRunner(
            store,
            results,
            work,
            **{"workers": 2, "per_user": 2, "jobs_per_user": 10, **limits},
            changed=self._on_change,
            unsaved=self.unsaved.set,
        )

    def _on_change(self, job_id: str) -> None:
        with self.changed:
            self.changed.notify_all()

    def wait(self, job: Job, *phases: Phase) -> Job:
        def there() -> bool:
            found = self.store.get(job.id)
            return found is not None and found.phase in phases

        with self.changed:
            assert self.changed.wait_for(there, timeout=20)
        found = self.store.get(job.id)
        assert found is not None
        return found


def phase(store: JobStore, job: Job) -> Phase:
    found = store.get(job.id)
    assert found is not None
    return found.phase


def test_a_job_starts_at_once_where_a_thread_is_free(store: JobStore, results: ResultFiles) -> None:
    gate = Gate(results)
    pool = Pool(store, results, gate)
    job = new(store)
    pool.runner.start(job)
    assert phase(store, job) is Phase.EXECUTING
    gate.release.set()
    ended = pool.wait(job, Phase.COMPLETED)
    assert ended.result == Result("text/plain", 4, 1)
    assert results.path(job.id).read_bytes() == b"done"
    pool.runner.stop()


def test_one_user_cannot_take_all_threads(store: JobStore, results: ResultFiles) -> None:
    gate = Gate(results)
    pool = Pool(store, results, gate, per_user=1)
    first, second, other = new(store), new(store), new(store, "user:edwin")
    for job in (first, second, other):
        pool.runner.start(job)
    assert [phase(store, j) for j in (first, second, other)] == [
        Phase.EXECUTING,
        Phase.QUEUED,
        Phase.EXECUTING,
    ]
    gate.release.set()
    for job in (first, second, other):
        pool.wait(job, Phase.COMPLETED)
    pool.runner.stop()


def test_more_jobs_than_allowed_are_refused_and_stay_pending(
    store: JobStore, results: ResultFiles
) -> None:
    gate = Gate(results)
    pool = Pool(store, results, gate, jobs_per_user=1)
    first, second = new(store), new(store)
    pool.runner.start(first)
    with pytest.raises(TooMany, match="limit"):
        pool.runner.start(second)
    assert phase(store, second) is Phase.PENDING
    gate.release.set()
    pool.wait(first, Phase.COMPLETED)
    pool.runner.stop()


def test_a_stop_leaves_jobs_to_be_run_again(store: JobStore, results: ResultFiles) -> None:
    gate = Gate(results)
    pool = Pool(store, results, gate, workers=1)
    running, queued, done = new(store), new(store), new(store)
    store.update(done.id, phase=Phase.COMPLETED, content_type="text/plain", size=1, rows=1)
    results.write(done.id, [b"x"])
    pool.runner.start(running)
    pool.runner.start(queued)
    assert gate.event(running.id).wait(20)
    pool.runner.stop()
    assert phase(store, running) is Phase.EXECUTING
    (results.path(running.id).parent / f"{running.id}.part").write_bytes(b"half")
    (results.path("of-nobody")).write_bytes(b"?")

    again = Gate(results)
    again.release.set()
    second = Pool(store, results, again)
    second.runner.recover()
    recovered = second.wait(running, Phase.COMPLETED)
    second.wait(queued, Phase.COMPLETED)
    second.runner.stop()
    assert "restarted" in (recovered.note or "")
    assert recovered.attempts == 2
    names = {p.name for p in results.path("x").parent.iterdir()}
    assert names == {running.id, queued.id, done.id}


def test_a_job_that_kills_the_service_is_not_run_for_ever(
    store: JobStore, results: ResultFiles
) -> None:
    job = new(store)
    store.update(job.id, phase=Phase.EXECUTING, attempts=MAX_ATTEMPTS)
    pool = Pool(store, results, Gate(results))
    pool.runner.recover()
    found = store.get(job.id)
    assert found is not None
    assert found.phase is Phase.ERROR
    assert "stopped 3 times" in (found.error or "")
    pool.runner.stop()


def test_a_job_that_runs_too_long_is_aborted_with_the_reason(
    store: JobStore, results: ResultFiles
) -> None:
    def work(job: Job, cancel: Cancel) -> Result:
        assert cancel.timeout == 60
        raise QueryTimeout("too long")

    pool = Pool(store, results, work)
    job = new(store)
    pool.runner.start(job)
    ended = pool.wait(job, Phase.ABORTED)
    assert "60 s" in (ended.error or "")
    pool.runner.stop()


def test_a_fault_nobody_foresaw_ends_the_job_and_not_the_pool(
    store: JobStore, results: ResultFiles, caplog: pytest.LogCaptureFixture
) -> None:
    def work(job: Job, cancel: Cancel) -> Result:
        if job.parameters.get("QUERY") == "bad":
            raise ZeroDivisionError("secret detail")
        return Result("text/plain", 0, 0)

    pool = Pool(store, results, work, workers=1)
    bad, good = new(store, QUERY="bad"), new(store, QUERY="good")
    pool.runner.start(bad)
    ended = pool.wait(bad, Phase.ERROR)
    assert ended.error and "secret" not in ended.error
    pool.runner.start(good)
    pool.wait(good, Phase.COMPLETED)
    pool.runner.stop()
    assert "ZeroDivisionError" in caplog.text


def test_an_end_that_a_full_disk_kept_from_the_store_is_recorded_later(
    store: JobStore, results: ResultFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(results)
    gate.release.set()
    pool = Pool(store, results, gate)
    real = store.update

    def full(
        identifier: str, *, when: Collection[Phase] = tuple(Phase), **changes: SqlValue
    ) -> Job | None:
        if changes.get("phase") is Phase.COMPLETED:
            raise sqlite3.OperationalError("database or disk is full")
        return real(identifier, when=when, **changes)

    monkeypatch.setattr(store, "update", full)
    job = new(store)
    pool.runner.start(job)
    assert pool.unsaved.wait(20)
    assert pool.runner.save_again()
    assert phase(store, job) is Phase.EXECUTING
    monkeypatch.undo()
    assert not pool.runner.save_again()
    assert phase(store, job) is Phase.COMPLETED
    assert results.path(job.id).read_bytes() == b"done"
    pool.runner.stop()


def test_an_end_that_meets_an_abort_leaves_no_result(store: JobStore, results: ResultFiles) -> None:
    aborted = threading.Event()

    def work(job: Job, cancel: Cancel) -> Result:
        size = results.write(job.id, [b"late"])
        assert aborted.wait(20)
        return Result("text/plain", size, 1)

    pool = Pool(store, results, work)
    job = new(store)
    pool.runner.start(job)
    pool.runner.abort(job.id)
    aborted.set()
    pool.runner.stop()
    assert phase(store, job) is Phase.ABORTED
    assert not results.path(job.id).exists()


def test_expired_jobs_are_destroyed(store: JobStore, results: ResultFiles) -> None:
    pool = Pool(store, results, Gate(results))
    old, young = new(store), new(store)
    results.write(old.id, [b"x"])
    store.update(old.id, destruction="2020-01-01T00:00:00.000Z")
    pool.runner.destroy_expired()
    assert store.get(old.id) is None
    assert not results.path(old.id).exists()
    assert store.get(young.id) is not None
    pool.runner.stop()


def test_job_documents(golden: Callable[[str, str], None]) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    pending = Job(
        id="abc", owner="user:vera", owner_name="vera", run_id=None, phase=Phase.PENDING,
        created=moment, started=None, ended=None, destruction=moment, seconds=600,
        parameters={"QUERY": "SELECT <a> & 'b'"}, error=None, transient=False, result=None,
        attempts=0, note=None,
    )  # fmt: skip
    done = Job(
        id="def", owner="user:vera", owner_name="vera", run_id="r&d", phase=Phase.COMPLETED,
        created=moment, started=moment, ended=moment, destruction=moment, seconds=600,
        parameters={"QUERY": "SELECT 1", "LANG": "ADQL"}, error=None, transient=False,
        result=Result("application/x-votable+xml", 123, 4), attempts=2, note="Again.",
    )  # fmt: skip
    failed = Job(
        id="ghi", owner="user:vera", owner_name="vera", run_id=None, phase=Phase.ERROR,
        created=moment, started=moment, ended=moment, destruction=moment, seconds=600,
        parameters={}, error="Unknown table <x>", transient=False, result=None, attempts=1,
        note=None,
    )  # fmt: skip
    url = "http://localhost/tap/async"
    for job, name in ((pending, "pending"), (done, "completed"), (failed, "error")):
        golden(f"job-{name}.xml", documents.job_document(job, f"{url}/{job.id}"))
    golden("jobs.xml", documents.jobs_document([pending, done, failed], url))
    golden("parameters.xml", documents.parameters_document(pending))
    golden("results.xml", documents.results_document(done, f"{url}/def"))


def path_of(response: httpx.Response) -> str:
    assert response.status_code == 303, response.text
    return "/" + response.headers["location"].split("/services/tap/")[1]


def create(client: httpx.Client, **data: str) -> str:
    return path_of(client.post("/async", data=data))


def test_life_of_a_job_over_http(small: Service, ended: Wait) -> None:
    with small.client() as client:
        job = create(client, QUERY="SELECT 1 AS a", LANG="ADQL", RUNID="mine")
        assert client.get(f"{job}/phase").text == "PENDING"
        assert client.get(f"{job}/owner").text == "vera"
        assert client.get(f"{job}/quote").text == ""
        assert client.post(f"{job}/parameters", data={"QUERY": "SELECT 2 AS b"}).status_code == 303
        shown = ET.fromstring(client.get(f"{job}/parameters").content)
        assert {p.get("id"): p.text for p in shown} == {"QUERY": "SELECT 2 AS b", "LANG": "ADQL"}
        answer = client.post(f"{job}/phase", data={"phase": "RUN"})
        assert path_of(answer) == job
        assert ended(client, job) == "COMPLETED"
        document = ET.fromstring(client.get(job).content)
        assert document.findtext("uws:runId", namespaces=UWS) == "mine"
        link = document.find("uws:results/uws:result", UWS)
        assert link is not None
        href = link.get("{http://www.w3.org/1999/xlink}href")
        assert href == f"{small.url}{job}/results/result"
        result = client.get(f"{job}/results/result")
        assert result.headers["content-type"] == "application/x-votable+xml"
        assert int(link.get("size") or 0) == len(result.content)
        assert b'name="b"' in result.content
        part = client.get(f"{job}/results/result", headers={"Range": "bytes=0-4"})
        assert part.status_code == 206
        assert part.content == b"<?xml"
        late = client.post(f"{job}/parameters", data={"QUERY": "SELECT 3"})
        assert late.status_code == 400
        assert "COMPLETED" in late.text
        assert client.post(f"{job}/phase", data={"PHASE": "RUN"}).status_code == 400
        assert path_of(client.delete(job)) == "/async"
        assert client.get(job).status_code == 404


def test_a_failed_job_tells_its_error(small: Service, ended: Wait) -> None:
    with small.client() as client:
        job = create(client, QUERY="SELECT nope", PHASE="RUN")
        assert ended(client, job) == "ERROR"
        summary = ET.fromstring(client.get(job).content).find("uws:errorSummary", UWS)
        assert summary is not None
        assert "nope" in (summary.findtext("uws:message", namespaces=UWS) or "")
        document = client.get(f"{job}/error")
        assert b'value="ERROR"' in document.content
        assert b"nope" in document.content
        assert client.get(f"{job}/results/result").status_code == 404
        broken = create(client, QUERY="BREAK 5", PHASE="RUN")
        assert ended(client, broken) == "ERROR"
        assert client.get(f"{broken}/results/result").status_code == 404


@pytest.mark.parametrize(
    ("data", "name"), [({}, "QUERY"), ({"QUERY": "SELECT 1 AS a", "LANG": "SQL"}, "LANG")]
)
def test_a_job_without_a_usable_query_fails_with_the_name_of_the_parameter(
    small: Service, ended: Wait, data: dict[str, str], name: str
) -> None:
    with small.client() as client:
        job = create(client, **data, PHASE="RUN")
        assert ended(client, job) == "ERROR"
        assert name in client.get(f"{job}/error").text


def test_abort_stops_a_running_query_and_wait_sees_it(small: Service) -> None:
    with small.client() as client, small.client() as other:
        job = create(client, QUERY="WAIT", PHASE="RUN")
        assert client.get(f"{job}/phase").text == "EXECUTING"
        seen: list[str] = []

        def wait() -> None:
            seen.append(other.get(job, params={"WAIT": "-1"}).text)

        waiting = threading.Thread(target=wait)
        waiting.start()
        client.post(f"{job}/phase", data={"PHASE": "ABORT"})
        waiting.join(timeout=20)
        assert "<uws:phase>ABORTED</uws:phase>" in seen[0]
        client.delete(job)


def test_wait_answers_when_its_time_is_over_or_the_phase_is_another(small: Service) -> None:
    with small.client() as client:
        job = create(client, QUERY="WAIT")
        for params in ({"WAIT": "0"}, {"WAIT": "20", "PHASE": "QUEUED"}):
            assert "PENDING" in client.get(job, params=params).text
        client.delete(job)


def test_an_execution_duration_ends_the_job(small: Service, ended: Wait) -> None:
    with small.client() as client:
        job = create(client, QUERY="WAIT")
        answer = client.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "1"})
        assert path_of(answer) == job
        assert client.get(f"{job}/executionduration").text == "1"
        client.post(f"{job}/phase", data={"PHASE": "RUN"})
        assert ended(client, job) == "ABORTED"
        assert "execution duration of 1 s" in client.get(f"{job}/error").text
        client.delete(job)


def test_durations_and_destruction_are_cut_to_the_limits(small: Service) -> None:
    with small.client() as client:
        job = create(client, QUERY="WAIT", EXECUTIONDURATION="0", DESTRUCTION="2199-01-01")
        assert client.get(f"{job}/executionduration").text == "600"
        destruction = datetime.fromisoformat(client.get(f"{job}/destruction").text)
        assert destruction < datetime.now(UTC) + timedelta(days=8)
        client.delete(job)


def test_a_job_whose_time_has_come_is_gone(small: Service) -> None:
    with small.client() as client:
        job = create(client, QUERY="WAIT", PHASE="RUN")
        waited = client.build_request("GET", job, params={"WAIT": "20"})
        client.post(f"{job}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00"})
        # the running query is stopped and the waiting request let go when the job is destroyed
        assert client.send(waited).status_code == 404


def test_the_list_is_the_users_own_newest_first_and_filtered(start: Starter) -> None:
    service = start(small=True)
    with service.client() as vera, service.client("token-of-edwin") as edwin:
        jobs = [create(vera, QUERY="SELECT 1") for _ in range(3)]
        foreign = create(edwin, QUERY="SELECT 1")

        def listed(client: httpx.Client, **params: str) -> list[str]:
            answer = client.get("/async", params=params)
            assert answer.status_code == 200, answer.text
            found = ET.fromstring(answer.content).findall("uws:jobref", UWS)
            return ["/async/" + (j.get("id") or "") for j in found]

        assert listed(vera) == jobs[::-1]
        assert listed(edwin) == [foreign]
        assert listed(vera, LAST="2") == jobs[:0:-1]
        assert listed(vera, last="1", PHASE="PENDING") == [jobs[2]]
        assert listed(vera, PHASE="COMPLETED") == []
        assert listed(vera, AFTER="2199-01-01T00:00:00Z") == []
        for method, path in (
            ("GET", foreign), ("DELETE", foreign), ("GET", f"{foreign}/phase"),
            ("POST", f"{foreign}/phase"), ("GET", f"{foreign}/results/result"),
            ("GET", f"{foreign}/parameters"), ("GET", f"{foreign}/error"), ("POST", foreign),
        ):  # fmt: skip
            data = {"PHASE": "ABORT", "ACTION": "DELETE"} if method == "POST" else None
            answer = vera.request(method, path, data=data)
            assert answer.status_code == 404, (method, path)
        assert edwin.get(f"{foreign}/phase").text == "PENDING"


@pytest.mark.parametrize(
    ("method", "path", "data", "name"),
    [
        ("POST", "/async", {"PHASE": "ABORT"}, "PHASE"),
        ("POST", "/async", {"PHASE": "WALK"}, "PHASE"),
        ("POST", "/async", {"MAXREC": "-1"}, "MAXREC"),
        ("POST", "/async", {"RESPONSEFORMAT": "doc"}, "RESPONSEFORMAT"),
        ("POST", "/async", {"EXECUTIONDURATION": "long"}, "EXECUTIONDURATION"),
        ("POST", "/async", {"DESTRUCTION": "soon"}, "DESTRUCTION"),
        ("POST", "/async", {"UPLOAD": "a,b"}, "UPLOAD"),
        ("GET", "/async?LAST=0", None, "LAST"),
        ("GET", "/async?LAST=x", None, "LAST"),
        ("GET", "/async?AFTER=x", None, "AFTER"),
        ("GET", "/async?PHASE=x", None, "PHASE"),
        ("GET", "{job}?WAIT=x", None, "WAIT"),
        ("POST", "{job}", {"ACTION": "BURN"}, "ACTION"),
        ("POST", "{job}/phase", {"PHASE": "STOP"}, "PHASE"),
        ("POST", "{job}/executionduration", {"EXECUTIONDURATION": "-3"}, "EXECUTIONDURATION"),
        ("POST", "{job}/destruction", {"DESTRUCTION": "x"}, "DESTRUCTION"),
        ("POST", "{job}/parameters", {"MAXREC": "many"}, "MAXREC"),
    ],
)
def test_wrong_values_are_refused_with_the_name(
    small: Service, method: str, path: str, data: dict[str, str] | None, name: str
) -> None:
    with small.client() as client:
        job = create(client, QUERY="SELECT 1")
        answer = client.request(method, path.format(job=job), data=data)
        assert answer.status_code == 400, answer.text
        assert name in answer.text
        client.delete(job)
