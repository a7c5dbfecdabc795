"""A query as a job: phases, abort, outages."""

from __future__ import annotations

import threading
from pathlib import Path

import despejado
import pytest
from despejado import jobs
from despejado.errors import QueryAborted, QueryError
from despejado.jobs import Progress, QueryRun, run_query
from despejado.service import Job, TapQueryError

from tests.kernels.conftest import StandIn

SLOW = "SELECT slow FROM sample.stars"


def in_thread(run: QueryRun) -> tuple[threading.Thread, list[object]]:
    """Run the query beside the test; what comes out, or the error, is put into the list."""
    came: list[object] = []

    def work() -> None:
        try:
            came.append(run.result(maxrec=None, keep=False))
        except QueryError as error:
            came.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, came


def test_quick_query_reports_nothing_and_leaves_no_job(lab: Path, service: StandIn) -> None:
    seen: list[Progress] = []
    outcome = run_query(despejado.tap(), "SELECT 1", report=seen.append)
    assert list(outcome.table["name"]) == ["Alcyone", "Electra", "Atlas"]
    assert (seen, outcome.overflow) == ([], False)
    assert [job.phase for job in service.jobs.values()] == ["DELETED"]


def test_job_is_started_by_the_request_that_makes_it(lab: Path, service: StandIn) -> None:
    run_query(despejado.tap(), "SELECT 1", maxrec=7)
    made = service.requests[0].form
    assert (made["PHASE"], made["MAXREC"]) == (["RUN"], ["7"])


def test_service_that_starts_jobs_only_when_told(lab: Path, service: StandIn) -> None:
    service.starts_jobs = False
    assert len(run_query(despejado.tap(), "SELECT 1").table) == 3


def test_kept_job_stays(lab: Path, service: StandIn) -> None:
    outcome = run_query(despejado.tap(), "SELECT 1", keep=True)
    assert [job.phase for job in service.jobs.values()] == ["COMPLETED"]
    assert outcome.job == f"{service.url}/async/job1"


def test_slow_query_reports_its_phases(lab: Path, service: StandIn) -> None:
    seen: list[Progress] = []
    reported = threading.Event()

    def report(progress: Progress) -> None:
        seen.append(progress)
        reported.set()

    run = QueryRun(despejado.tap(), SLOW, report)
    thread, came = in_thread(run)
    name = service.wait_for_job()
    assert reported.wait(30)
    service.finish(name)
    thread.join(30)
    assert seen[0].phase == "EXECUTING"
    assert seen[-1].phase == "COMPLETED"
    assert (run.progress.phase, run.progress.rows) == ("COMPLETED", 3)
    assert isinstance(came[0], jobs.Outcome)


def test_abort_aborts_the_job_on_the_service(lab: Path, service: StandIn) -> None:
    run = QueryRun(despejado.tap(), SLOW, lambda _: None)
    thread, came = in_thread(run)
    name = service.wait_for_job()
    run.abort()
    thread.join(30)
    assert service.jobs[name].phase == "ABORTED"
    assert isinstance(came[0], QueryAborted)
    run.abort()


def test_abort_before_the_job_exists(lab: Path, service: StandIn) -> None:
    run = QueryRun(despejado.tap(), SLOW, lambda _: None)
    run.abort()
    with pytest.raises(QueryAborted, match="was aborted"):
        run.result(maxrec=None, keep=False)
    assert [job.phase for job in service.jobs.values()] == ["ABORTED"]


def test_job_aborted_elsewhere_says_so(lab: Path, service: StandIn) -> None:
    run = QueryRun(despejado.tap(), SLOW, lambda _: None)
    thread, came = in_thread(run)
    service.set_phase(service.wait_for_job(), "ABORTED")
    thread.join(30)
    assert "not from here" in str(came[0])


def test_failed_job_has_the_services_message(lab: Path, service: StandIn) -> None:
    service.refusal = "Unknown column prallax at line 1, column 8."
    with pytest.raises(TapQueryError, match="Unknown column prallax at line 1, column 8"):
        run_query(despejado.tap(), "SELECT wrong FROM sample.stars")


def test_outage_is_waited_for(lab: Path, service: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy answers 503 while the service restarts; the job is there when it is back."""
    monkeypatch.setattr(jobs, "LONG_POLL_SECONDS", 1)
    notes: list[str] = []
    told = threading.Event()

    def report(progress: Progress) -> None:
        if progress.note:
            notes.append(progress.note)
            told.set()

    run = QueryRun(despejado.tap(), SLOW, report)
    thread, came = in_thread(run)
    name = service.wait_for_job()
    service.status = 503
    service.set_phase(name, "QUEUED")  # ends the long poll that is under way
    assert told.wait(30)
    service.status = None
    service.finish(name)
    thread.join(30)
    assert "the job is kept" in notes[0]
    assert isinstance(came[0], jobs.Outcome)


def test_long_outage_ends_the_wait(
    lab: Path, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.0)
    run = QueryRun(despejado.tap(), SLOW, lambda _: None)
    thread, came = in_thread(run)
    name = service.wait_for_job()
    service.status = 503
    service.set_phase(name, "QUEUED")
    thread.join(30)
    assert "does not answer" in str(came[0])


@pytest.mark.parametrize(("status", "told"), [(401, "refused"), (404, "404")])
def test_job_that_cannot_be_followed_ends_the_wait(
    lab: Path, service: StandIn, status: int, told: str
) -> None:
    run = QueryRun(despejado.tap(), SLOW, lambda _: None)
    thread, came = in_thread(run)
    name = service.wait_for_job()
    service.status = status
    service.set_phase(name, "QUEUED")
    thread.join(30)
    assert isinstance(came[0], QueryError)
    assert told in str(came[0])


def test_token_that_goes_away_ends_the_wait(lab: Path, service: StandIn) -> None:
    run = QueryRun(despejado.tap(), SLOW, lambda _: None)
    thread, came = in_thread(run)
    name = service.wait_for_job()
    (lab / "secrets" / "token").unlink()
    service.set_phase(name, "QUEUED")
    thread.join(30)
    assert "no token" in str(came[0])


def test_overflow_is_told_without_a_warning(
    lab: Path, service: StandIn, recwarn: pytest.WarningsRecorder
) -> None:
    service.overflow = True
    assert run_query(despejado.tap(), "SELECT 1").overflow
    assert [str(w.message) for w in recwarn if "truncated" in str(w.message)] == []


def test_rows_are_not_lost_when_the_job_cannot_be_deleted(
    lab: Path, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(self: Job) -> None:
        service.status = 503
        super(Job, self).delete()

    monkeypatch.setattr(Job, "delete", delete)
    assert len(run_query(despejado.tap(), "SELECT 1").table) == 3
