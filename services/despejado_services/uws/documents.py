"""UWS 1.1 documents (schema http://www.ivoa.net/xml/UWS/v1.0, version 1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from despejado_services.uws.models import Job, Phase, iso
from despejado_services.xml import DECLARATION, Content, Markup, element, lines

CONTENT_TYPE = "application/xml"

_ROOT = {
    "xmlns:uws": "http://www.ivoa.net/xml/UWS/v1.0",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
}


def _or_nil(name: str, value: str | None) -> Markup:
    if value is None:
        return element(name, {"xsi:nil": "true"})
    return element(name, None, value)


def _time(name: str, moment: datetime | None) -> Markup:
    return _or_nil(name, None if moment is None else iso(moment))


def _parameters(job: Job) -> Markup | None:
    return lines(
        *(element("uws:parameter", {"id": name}, value) for name, value in job.parameters.items())
    )


def _results(job: Job, url: str) -> Markup:
    if job.phase is not Phase.COMPLETED or job.result is None:
        return Markup("")
    return lines(
        element(
            "uws:result",
            {
                "id": "result",
                "xlink:type": "simple",
                "xlink:href": f"{url}/results/result",
                "mime-type": job.result.content_type,
                "size": str(job.result.size),
            },
        )
    )


def _job_info(job: Job) -> Markup | None:
    facts = {
        "rows": None if job.result is None else str(job.result.rows),
        "attempts": str(job.attempts) if job.attempts > 1 else None,
        "note": job.note,
    }
    known = {name: value for name, value in facts.items() if value is not None}
    if not known:
        return None
    # without a namespace: validators warn of one whose schema they do not know
    inner = [element(name, None, value) for name, value in known.items()]
    return element("uws:jobInfo", None, lines(*inner))


def _document(name: str, *content: Content) -> str:
    return f"{DECLARATION}{element(name, {**_ROOT, 'version': '1.1'}, *content).text}\n"


def job_document(job: Job, url: str) -> str:
    """One job (UWS 1.1 §2.2.2.2); ``url`` is its address."""
    error = None
    if job.error is not None:
        error = element(
            "uws:errorSummary",
            {"type": "transient" if job.transient else "fatal", "hasDetail": "true"},
            element("uws:message", None, job.error),
        )
    return _document(
        "uws:job",
        lines(
            element("uws:jobId", None, job.id),
            None if job.run_id is None else element("uws:runId", None, job.run_id),
            element("uws:ownerId", None, job.owner_name),
            element("uws:phase", None, job.phase),
            element("uws:quote", {"xsi:nil": "true"}),
            element("uws:creationTime", None, iso(job.created)),
            _time("uws:startTime", job.started),
            _time("uws:endTime", job.ended),
            element("uws:executionDuration", None, str(job.seconds)),
            element("uws:destruction", None, iso(job.destruction)),
            element("uws:parameters", None, _parameters(job)),
            element("uws:results", None, _results(job, url)),
            error,
            _job_info(job),
        ),
    )


def jobs_document(jobs: Iterable[Job], url: str) -> str:
    """The job list (UWS 1.1 §2.2.2.1); ``url`` is its address."""
    return _document("uws:jobs", lines(*(_reference(job, url) for job in jobs)))


def _reference(job: Job, url: str) -> Markup:
    return element(
        "uws:jobref",
        {"id": job.id, "xlink:type": "simple", "xlink:href": f"{url}/{job.id}"},
        element("uws:phase", None, job.phase),
        None if job.run_id is None else element("uws:runId", None, job.run_id),
        element("uws:ownerId", None, job.owner_name),
        element("uws:creationTime", None, iso(job.created)),
    )


def parameters_document(job: Job) -> str:
    """``/parameters`` of a job."""
    return _document("uws:parameters", _parameters(job))


def results_document(job: Job, url: str) -> str:
    """``/results`` of a job; ``url`` is the job's address."""
    return _document("uws:results", _results(job, url))
