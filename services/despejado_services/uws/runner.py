"""Who runs which job when: a pool of threads, a share for each user, and recovery after a stop."""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from despejado_services.catalog.store import StoreError
from despejado_services.errors import ServiceError, TooMany
from despejado_services.models import (
    AdqlError,
    Cancel,
    QueryCancelled,
    QueryError,
    QueryTimeout,
    StoreBusy,
)
from despejado_services.uws.models import ACTIVE, Job, Phase, Result, iso, now
from despejado_services.uws.results import ResultFiles
from despejado_services.uws.store import JobStore, SqlValue

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""How often a job is started before the service stops to believe in it."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

DISK_FULL = (
    "The disk of the service is full, so the result could not be kept; nothing of it was stored. "
    "Delete jobs that you no longer need, ask for fewer rows or columns, or tell the operator."
)

STORE_CLOSED = (
    "The catalogue of the service cannot be opened, so nothing can be queried now. "
    "Tell the operator; the service's log says which file and why."
)


class Work(Protocol):
    """Runs the job's query and keeps its result; raises what went wrong."""

    def __call__(self, job: Job, cancel: Cancel) -> Result:
        """Do the work of a job, in a thread of its own. Raises QueryError and AdqlError."""


@dataclass(frozen=True)
class _End:
    """How a job ended, as columns of the store."""

    phase: Phase
    changes: dict[str, SqlValue] = field(default_factory=dict)


_UNEXPECTED = _End(
    Phase.ERROR,
    {"error": "The service failed on this job; its log says more. Tell the operator the job's id."},
)


def end_of(problem: Exception, job: Job) -> _End | None:
    """What a failure means for the job; None for one that nobody foresaw."""
    if isinstance(problem, QueryTimeout):
        # UWS 1.1 §2.1.5: the same as an abort by hand
        text = (
            f"The job ran longer than its execution duration of {job.seconds} s and was stopped. "
            "Raise executionduration, or narrow the query."
        )
        return _End(Phase.ABORTED, {"error": text})
    if isinstance(problem, QueryCancelled):
        return _End(Phase.ABORTED, {"error": "The job was stopped on request."})
    if isinstance(problem, StoreBusy):
        return _End(Phase.ERROR, {"error": str(problem), "transient": 1})
    if isinstance(problem, StoreError):
        log.error("the catalogue cannot be opened: %s", problem)
        return _End(Phase.ERROR, {"error": STORE_CLOSED, "transient": 1})
    if isinstance(problem, AdqlError | QueryError | ServiceError):
        return _End(Phase.ERROR, {"error": str(problem)})
    if isinstance(problem, OSError) and problem.errno in _FULL:
        return _End(Phase.ERROR, {"error": DISK_FULL, "transient": 1})
    return None


class JobRunner:
    """Starts jobs, stops them, and keeps the store in step. Methods are thread-safe.

    From any thread, ``changed`` is called with a job's id after each change of its phase, and
    ``unsaved`` when an end could not be recorded, so that :meth:`save_again` be called soon.
    """

    def __init__(
        self,
        store: JobStore,
        results: ResultFiles,
        work: Work,
        *,
        workers: int,
        per_user: int,
        jobs_per_user: int,
        changed: Callable[[str], None],
        unsaved: Callable[[], None],
    ) -> None:
        self._store = store
        self._results = results
        self._work = work
        self._workers = workers
        self._per_user = per_user
        self._jobs_per_user = jobs_per_user
        self._changed = changed
        self._on_unsaved = unsaved
        self._lock = threading.RLock()
        self._running: dict[str, tuple[str, Cancel]] = {}
        self._unsaved: dict[str, _End] = {}
        self._stopping = False
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="job")

    def recover(self) -> None:
        """After a start: run again what was under way, and remove what belongs to nothing."""
        with self._lock:
            self._results.sweep(self._store.identifiers())
            for job in self._store.in_phase(Phase.EXECUTING):
                if job.attempts >= MAX_ATTEMPTS:
                    text = (
                        f"The service stopped {job.attempts} times while this job ran, so it is "
                        "not started again. Narrow the query, or tell the operator."
                    )
                    self._finish(job.id, _End(Phase.ERROR, {"error": text}))
                    continue
                self._results.remove(job.id)
                self._store.update(
                    job.id,
                    when=(Phase.EXECUTING,),
                    phase=Phase.QUEUED,
                    started=None,
                    note="The service was restarted while this job ran; it was started again.",
                )
            self._fill()

    def start(self, job: Job) -> None:
        """PHASE=RUN: at once if a thread is free and the user below the limit, else QUEUED.

        Raises :class:`TooMany` when the user has as many jobs waiting or running as allowed.
        """
        with self._lock:
            if self._store.count(job.owner, (Phase.QUEUED, Phase.EXECUTING)) >= self._jobs_per_user:
                raise TooMany(
                    f"You have {self._jobs_per_user} jobs waiting or running, which is the limit: "
                    "wait for one to end, or abort one."
                )
            if self._has_room(job.owner):
                self._launch(job, when=(Phase.PENDING,))
            else:
                self._store.queue(job.id, when=(Phase.PENDING,))
        self._changed(job.id)

    def abort(self, job_id: str) -> None:
        """PHASE=ABORT: the phase changes at once, the query stops as soon as it can."""
        self._store.update(
            job_id,
            when=ACTIVE,
            phase=Phase.ABORTED,
            ended=iso(now()),
            error="The job was stopped on request.",
        )
        self._cancel(job_id)
        self._changed(job_id)

    def destroy(self, job_id: str) -> None:
        """Stop the job if it runs and forget everything about it."""
        self._results.remove(job_id)  # first: on a full disk the store needs the room
        self._store.delete(job_id)
        self._cancel(job_id)
        self._results.remove(job_id)  # what a worker finished in between
        with self._lock:
            self._unsaved.pop(job_id, None)
        self._changed(job_id)

    def destroy_expired(self) -> None:
        """Destroy jobs whose time has come."""
        for job_id in self._store.expired(now()):
            log.info("job %s has expired", job_id)
            self.destroy(job_id)

    def save_again(self) -> bool:
        """Try to record ends that a full disk kept from the store; whether some are left."""
        with self._lock:
            waiting = dict(self._unsaved)
        for job_id, end in waiting.items():
            self._finish(job_id, end)
        with self._lock:
            if waiting:
                self._fill()
            return bool(self._unsaved)

    def stop(self) -> None:
        """Stop all queries and wait for their threads; their jobs run again at the next start."""
        with self._lock:
            self._stopping = True
            cancels = [cancel for _, cancel in self._running.values()]
        for cancel in cancels:
            cancel.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _cancel(self, job_id: str) -> None:
        with self._lock:
            running = self._running.get(job_id)
        if running is not None:
            running[1].cancel()

    def _has_room(self, owner: str) -> bool:
        of_owner = sum(1 for other, _ in self._running.values() if other == owner)
        return (
            not self._stopping and len(self._running) < self._workers and of_owner < self._per_user
        )

    def _launch(self, job: Job, *, when: tuple[Phase, ...]) -> None:
        started = self._store.update(
            job.id,
            when=when,
            phase=Phase.EXECUTING,
            started=iso(now()),
            attempts=job.attempts + 1,
        )
        if started is None:
            return
        cancel = Cancel(timeout=float(job.seconds) if job.seconds else None)
        self._running[job.id] = (job.owner, cancel)
        self._pool.submit(self._run, started, cancel).add_done_callback(_log_failure)

    def _fill(self) -> None:
        for job in self._store.in_phase(Phase.QUEUED):
            if len(self._running) >= self._workers:
                break
            if self._has_room(job.owner):
                self._launch(job, when=(Phase.QUEUED,))
                self._changed(job.id)

    def _run(self, job: Job, cancel: Cancel) -> None:
        end = _UNEXPECTED  # stays when something raises that nobody foresaw; the log has it then
        try:
            result = self._work(job, cancel)
            end = _End(
                Phase.COMPLETED,
                {"content_type": result.content_type, "size": result.size, "rows": result.rows},
            )
        except (AdqlError, QueryError, ServiceError, StoreError, OSError) as problem:
            known = end_of(problem, job)
            if known is None:
                raise
            end = known
        finally:
            with self._lock:
                interrupted = self._stopping and end.phase is Phase.ABORTED
            if not interrupted:
                self._finish(job.id, end)
            with self._lock:
                del self._running[job.id]
                if not self._stopping:
                    self._fill()

    def _finish(self, job_id: str, end: _End) -> None:
        try:
            kept = self._store.update(
                job_id, when=(Phase.EXECUTING,), phase=end.phase, ended=iso(now()), **end.changes
            )
        except sqlite3.OperationalError as problem:
            log.warning("the end of job %s could not be recorded yet: %s", job_id, problem)
            with self._lock:
                self._unsaved[job_id] = end
            self._on_unsaved()
            return
        with self._lock:
            self._unsaved.pop(job_id, None)
        if kept is None or end.phase is not Phase.COMPLETED:
            # aborted or deleted meanwhile: its result is nobody's
            self._results.remove(job_id)
        self._changed(job_id)


def _log_failure(future: Future[None]) -> None:
    if not future.cancelled() and (problem := future.exception()) is not None:
        log.error("a job failed unexpectedly", exc_info=problem)
