"""The async endpoint: UWS 1.1 over HTTP (UWS 1.1 §2.2, TAP 1.1 §2.3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

from despejado_services.config import Limits
from despejado_services.errors import NotFound, ParameterError, WrongPhase
from despejado_services.formats.votable import CONTENT_TYPE as VOTABLE
from despejado_services.formats.votable import error_document
from despejado_services.handlers.body import read_parameters
from despejado_services.handlers.context import services_of, url_of, user_of
from despejado_services.parameters import Parameters, check
from despejado_services.uws import documents
from despejado_services.uws.models import ACTIVE, ALL_PHASE_NAMES, Job, Phase, iso, now, parse_time

Handler = Callable[[Request], Awaitable[Response]]

_NO_STORE = {"Cache-Control": "no-store"}


def _xml(text: str) -> Response:
    return Response(text, media_type=documents.CONTENT_TYPE, headers=_NO_STORE)


def _see(url: str) -> Response:
    return RedirectResponse(url, status_code=303, headers=_NO_STORE)


def _job(request: Request) -> Job:
    """The job in the path, if it is this user's."""
    identifier = request.path_params["job"]
    job = services_of(request).store.get(identifier)
    if job is None or job.owner != user_of(request).key:
        raise NotFound(f"You have no job {identifier!r}; it may have expired. See /async.")
    return job


def _job_url(request: Request, job: Job) -> str:
    return f"{url_of(request)}/async/{job.id}"


def _seconds(value: str, limits: Limits) -> int:
    if not (value.strip().isascii() and value.strip().isdigit()):
        raise ParameterError("EXECUTIONDURATION", value, "a whole number of seconds")
    asked = int(value.strip()[:12])
    # 0 asks for no limit (UWS 1.1 §2.1.5); the service's own stays
    return limits.execution_seconds if asked == 0 else min(asked, limits.execution_seconds)


def _destruction(value: str, limits: Limits) -> str:
    try:
        asked = parse_time(value)
    except ValueError:
        raise ParameterError("DESTRUCTION", value, "a time like 2026-11-30T12:00:00Z") from None
    latest = now() + timedelta(seconds=limits.result_retention_seconds)
    return iso(min(asked, latest))


async def create(request: Request) -> Response:
    """``POST /async``: a new job, started at once with PHASE=RUN."""
    services = services_of(request)
    limits = services.config.limits
    parameters = await read_parameters(request)
    known = parameters.known()
    check(known, limits, services.formats)
    phase = _phase(parameters)
    if phase == "ABORT":
        raise ParameterError("PHASE", phase, "RUN, or leave it out")
    duration = parameters.one("EXECUTIONDURATION")
    destruction = parameters.one("DESTRUCTION")
    seconds = limits.execution_seconds if duration is None else _seconds(duration, limits)
    lifetime = timedelta(seconds=limits.result_retention_seconds)
    end = now() + lifetime if destruction is None else parse_time(_destruction(destruction, limits))
    user = user_of(request)
    job = services.store.create(
        owner=user.key,
        owner_name=user.name,
        run_id=known.pop("RUNID", None),
        parameters=known,
        seconds=seconds,
        destruction=end,
    )
    services.destruction_changed()
    if phase == "RUN":
        services.runner.start(job)
    return _see(_job_url(request, job))


async def job_list(request: Request) -> Response:
    """``GET /async``, narrowed by PHASE, AFTER and LAST (UWS 1.1 §2.2.2.1)."""
    parameters = await read_parameters(request)
    phases = [value.strip().upper() for value in parameters.all("PHASE")]
    for phase in phases:
        if phase not in ALL_PHASE_NAMES:
            raise ParameterError("PHASE", phase, "one of " + ", ".join(ALL_PHASE_NAMES))
    after = parameters.one("AFTER")
    try:
        moment = None if after is None else parse_time(after)
    except ValueError:
        raise ParameterError("AFTER", after or "", "a time like 2026-11-30T12:00:00Z") from None
    last = parameters.one("LAST")
    if last is not None and not (last.isascii() and last.isdigit() and int(last[:12]) > 0):
        raise ParameterError("LAST", last, "a number of jobs, 1 or more")
    jobs = services_of(request).store.of_owner(
        user_of(request).key,
        phases=phases,
        after=moment,
        last=None if last is None else int(last[:12]),
    )
    return _xml(documents.jobs_document(jobs, f"{url_of(request)}/async"))


async def show(request: Request) -> Response:
    """``GET /async/{job}``; with WAIT it answers at the next change of phase (UWS 1.1 §2.2.1.1)."""
    job = _job(request)
    parameters = await read_parameters(request)
    wait = parameters.one("WAIT")
    if wait is not None:
        await _wait(request, job, wait, parameters.one("PHASE"))
        job = _job(request)
    return _xml(documents.job_document(job, _job_url(request, job)))


async def _wait(request: Request, job: Job, wait: str, phase: str | None) -> None:
    services = services_of(request)
    longest = services.config.limits.wait_seconds
    try:
        asked = int(wait)
    except ValueError:
        raise ParameterError("WAIT", wait, "a number of seconds, or -1") from None
    seconds = longest if asked < 0 else min(asked, longest)
    start = job.phase if phase is None else phase.strip().upper()
    with services.changes.watch(job.id) as changed, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not services.changes.closed:
                seen = services.store.get(job.id)
                if seen is None or seen.phase != start or seen.phase not in ACTIVE:
                    return
                await changed.wait()
                changed.clear()


async def act(request: Request) -> Response:
    """``POST /async/{job}``: ACTION=DELETE; other parameters as at their own addresses."""
    job = _job(request)
    parameters = await read_parameters(request)
    action = parameters.one("ACTION")
    if action is not None:
        if action.upper() != "DELETE":
            raise ParameterError("ACTION", action, "DELETE")
        return _destroy(request, job)
    await _change(request, job, parameters)
    return _see(_job_url(request, job))


async def delete(request: Request) -> Response:
    """``DELETE /async/{job}``."""
    return _destroy(request, _job(request))


def _destroy(request: Request, job: Job) -> Response:
    services_of(request).runner.destroy(job.id)
    return _see(f"{url_of(request)}/async")


def _phase(parameters: Parameters) -> str | None:
    phase = parameters.one("PHASE")
    if phase is None:
        return None
    if phase.strip().upper() not in ("RUN", "ABORT"):
        raise ParameterError("PHASE", phase, "RUN or ABORT")
    return phase.strip().upper()


async def _change(request: Request, job: Job, parameters: Parameters) -> None:
    """Whatever the form asks to change."""
    services = services_of(request)
    limits = services.config.limits
    known = parameters.known()
    if known:
        _set_parameters(request, job, known)
    duration = parameters.one("EXECUTIONDURATION")
    if duration is not None:
        kept = services.store.update(
            job.id, when=(Phase.PENDING, Phase.QUEUED), seconds=_seconds(duration, limits)
        )
        if kept is None:
            raise WrongPhase(f"EXECUTIONDURATION cannot change while the job is {job.phase}.")
    destruction = parameters.one("DESTRUCTION")
    if destruction is not None:
        services.store.update(job.id, destruction=_destruction(destruction, limits))
        services.destruction_changed()
    phase = _phase(parameters)
    if phase == "RUN":
        if job.phase is not Phase.PENDING:
            raise WrongPhase(f"PHASE=RUN needs a PENDING job; this one is {job.phase}.")
        services.runner.start(services.store.get(job.id) or job)
    elif phase == "ABORT":
        # an abort of a job that has ended meanwhile changes nothing and is no mistake
        services.runner.abort(job.id)


def _set_parameters(request: Request, job: Job, known: dict[str, str]) -> None:
    services = services_of(request)
    run_id = known.pop("RUNID", None)
    merged: Mapping[str, str] = {**job.parameters, **known}
    check(merged, services.config.limits, services.formats)
    if services.store.set_parameters(job.id, merged) is None:
        raise WrongPhase(f"The parameters cannot change any more: the job is {job.phase}.")
    if run_id is not None:
        services.store.update(job.id, when=(Phase.PENDING,), run_id=run_id)


def attribute(read: Callable[[Job], str]) -> Handler:
    """``GET /async/{job}/phase`` and the other single values, as plain text."""

    async def handler(request: Request) -> Response:
        return PlainTextResponse(read(_job(request)), headers=_NO_STORE)

    return handler


ATTRIBUTES: dict[str, Handler] = {
    "phase": attribute(lambda job: str(job.phase)),
    "quote": attribute(lambda job: ""),
    "owner": attribute(lambda job: job.owner_name),
    "executionduration": attribute(lambda job: str(job.seconds)),
    "destruction": attribute(lambda job: iso(job.destruction)),
}
"""Handlers of the single values of a job, by the last part of their path."""
CHANGEABLE = ("phase", "executionduration", "destruction", "parameters")
"""Those that :func:`set_attribute` changes."""


async def set_attribute(request: Request) -> Response:
    """``POST`` to phase, executionduration, destruction or parameters."""
    job = _job(request)
    await _change(request, job, await read_parameters(request))
    return _see(_job_url(request, job))


async def parameters(request: Request) -> Response:
    """``GET /async/{job}/parameters``."""
    return _xml(documents.parameters_document(_job(request)))


async def results(request: Request) -> Response:
    """``GET /async/{job}/results``."""
    job = _job(request)
    return _xml(documents.results_document(job, _job_url(request, job)))


async def result(request: Request) -> Response:
    """``GET /async/{job}/results/result``: the file; parts of it with Range."""
    services, job = services_of(request), _job(request)
    path = services.results.path(job.id)
    if job.phase is not Phase.COMPLETED or job.result is None or not path.is_file():
        raise NotFound(f"The job is {job.phase} and has no result.")
    return FileResponse(
        path,
        media_type=job.result.content_type,
        filename=services.formats.file_name(job.id, job.result.content_type),
        content_disposition_type="inline",
        headers=_NO_STORE,
    )


async def error(request: Request) -> Response:
    """``GET /async/{job}/error``: the whole error as a VOTable (TAP 1.1 §2.8)."""
    job = _job(request)
    if job.error is None:
        raise NotFound(f"The job is {job.phase} and has no error.")
    return Response(error_document(job.error), media_type=VOTABLE, headers=_NO_STORE)
