"""One query followed to its end as a job on the service (UWS 1.1).

Every query is a job, because a job can be aborted and outlives a restart of the service.
"""

from __future__ import annotations

import contextlib
import io
import queue
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.parsers.expat import ExpatError

import requests
from astropy.table import Table
from pyvo.dal.exceptions import DALAccessError, DALOverflowWarning
from pyvo.io import uws

from .errors import DespejadoError, QueryAborted, QueryError
from .service import Job, TapService
from .session import ServiceUnavailable

FINAL = frozenset({"COMPLETED", "ERROR", "ABORTED", "ARCHIVED"})
LONG_POLL_SECONDS = 20
PATIENCE_SECONDS = 120.0
"""How long a service may be away before a waiting query gives up (a restart takes seconds)."""
QUIET_SECONDS = 0.4
"""Queries faster than this show no progress."""


@dataclass(frozen=True)
class Progress:
    """How a query stands. ``rows`` is known at the end, ``note`` says what is out of the way."""

    phase: str
    job: str = ""
    rows: int | None = None
    note: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in FINAL


@dataclass(frozen=True)
class Outcome:
    """The rows of a query; ``overflow`` if the service had more than it gave."""

    table: Table
    overflow: bool
    job: str


class QueryRun:
    """A query that is being run.

    ``report`` is called, in the thread that waits, once the query takes longer than
    `QUIET_SECONDS` and then at each change.
    """

    def __init__(self, service: TapService, query: str, report: Callable[[Progress], None]) -> None:
        self._service = service
        self._query = query
        self._report = report
        self._updates: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._job: Job | None = None
        self._abort_asked = threading.Event()
        self._last = Progress("PENDING")

    def result(self, *, maxrec: int | None, keep: bool) -> Outcome:
        """Run the query and wait. ``keep`` leaves the job on the service afterwards.

        Raises `TapQueryError` for what the service says against the query, `QueryAborted` after
        `abort` or an interrupt of the kernel, `QueryError` if the job or the service is gone.
        """
        try:
            with self._service.explained(self._query):
                self._job = self._service.submit_job(self._query, maxrec=maxrec, phase="RUN")
                if self._abort_asked.is_set():
                    self._job.abort()
                self._follow(self._job)
                return self._fetch(self._job, keep=keep)
        except KeyboardInterrupt:
            self.abort()
            self._last = replace(self._last, phase="ABORTED")
            raise QueryAborted("The query was interrupted and its job aborted.") from None
        finally:
            self._stop.set()

    def abort(self) -> None:
        """Abort the job (UWS 1.1: PHASE=ABORT).

        Any thread may call this, more than once; a job that has ended meanwhile stays as it ended.
        """
        self._abort_asked.set()
        if self._job is None:
            return
        try:
            self._job.abort()
        except DALAccessError as error:
            self._updates.put(replace(self._last, note=f"Abort did not reach the job: {error}"))

    def _follow(self, job: Job) -> None:
        threading.Thread(target=self._watch, args=(job,), daemon=True).start()
        self._last = Progress("EXECUTING", str(job.url))
        quiet: float | None = QUIET_SECONDS
        while True:
            try:
                self._last = self._updates.get(timeout=quiet)
            except queue.Empty:
                quiet = None
            if quiet is None:
                self._report(self._last)
            if self._last.final:
                break
        self._raise_if_failed(job)

    def _raise_if_failed(self, job: Job) -> None:
        if self._last.phase == "COMPLETED":
            return
        if self._last.note:
            raise QueryError(self._last.note)
        if self._last.phase == "ABORTED":
            by_us = self._abort_asked.is_set()
            raise QueryAborted(
                "The query was aborted."
                if by_us
                else f"The job {job.url} was aborted, but not from here: in another window, or by"
                " the service's time limit."
            )
        phase = job.phase  # a fresh copy of the job, with its error summary
        job.raise_if_error()
        raise QueryError(f"The job {job.url} ended in phase {phase} and has no result.")

    def _fetch(self, job: Job, *, keep: bool) -> Outcome:
        phase = job.phase  # a fresh copy of the job, with its results
        address = str(job.url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DALOverflowWarning)
            results = job.fetch_result(max_retries=3)
        table = results.to_table()
        self._last = Progress(phase, address, rows=len(table))
        if not keep:
            with contextlib.suppress(DALAccessError):  # its time runs out on the service anyway
                job.delete()
        return Outcome(table, results.query_status == "OVERFLOW", address)

    @property
    def progress(self) -> Progress:
        """How the query stands."""
        return self._last

    def _watch(self, job: Job) -> None:
        """Follow the job, in a thread of its own: the waiting one can be interrupted at any moment.

        Whatever ends this thread, the other one hears of it.
        """
        url = str(job.url)
        last = Progress("ERROR", url, note=f"The job {url} cannot be followed any more.")
        try:
            last = self._poll(url)
            if last.phase == "PENDING":  # a service that does not start a job when it is made
                job.run()
                last = self._poll(url)
        except (
            requests.RequestException,
            DALAccessError,
            DespejadoError,
            ValueError,
            ExpatError,
        ) as error:
            last = Progress("ERROR", url, note=f"The job {url} cannot be followed: {error}")
        finally:
            self._updates.put(last)

    def _poll(self, url: str) -> Progress:
        """Report phases until one that does not change by itself, and return that."""
        phase = ""
        lost: float | None = None
        pause = 0.1
        while not self._stop.is_set():
            asked, before = time.monotonic(), phase
            try:
                phase, lost, note = self._ask(url, phase), None, ""
            except (ServiceUnavailable, requests.ConnectionError, requests.Timeout):
                lost = lost or asked
                if asked - lost > PATIENCE_SECONDS:
                    raise
                note = "The service does not answer; the job is kept there. Waiting for it."
            if phase in FINAL or phase == "PENDING":
                break
            self._updates.put(Progress(phase or "PENDING", url, note=note))
            quick = time.monotonic() - asked < pause
            if quick and phase == before:  # down, or WAIT is not known there: be polite
                self._stop.wait(pause)
                pause = min(2.0, pause * 1.3)
        return Progress(phase, url)

    def _ask(self, url: str, phase: str) -> str:
        """The phase as soon as it is another one (UWS 1.1: WAIT), or after a while."""
        answer = self._service.session.get(
            url,
            params={"WAIT": str(LONG_POLL_SECONDS), **({"PHASE": phase} if phase else {})},
            timeout=LONG_POLL_SECONDS + 10,
        )
        answer.raise_for_status()
        return str(uws.parse_job(io.BytesIO(answer.content)).phase)


def run_query(
    service: TapService,
    query: str,
    *,
    maxrec: int | None = None,
    keep: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Run a query as a job and wait for its rows (see `QueryRun.result`)."""
    return QueryRun(service, query, report).result(maxrec=maxrec, keep=keep)
