"""What a job does: the same road as a sync query, with its end in a file."""

from __future__ import annotations

from despejado_services.config import Limits
from despejado_services.formats.choice import FormatTable
from despejado_services.models import Cancel
from despejado_services.parameters import tap_request
from despejado_services.querying import QueryEngine, run_query
from despejado_services.uws.models import Job, Result
from despejado_services.uws.results import ResultFiles


class QueryWork:
    """Runs jobs of the async endpoint."""

    def __init__(
        self, engine: QueryEngine, results: ResultFiles, limits: Limits, formats: FormatTable
    ) -> None:
        self._engine = engine
        self._results = results
        self._limits = limits
        self._formats = formats

    def __call__(self, job: Job, cancel: Cancel) -> Result:
        """Run the query and keep its result. Raises what went wrong."""
        asked = tap_request(job.parameters, self._limits, self._formats)
        stream = run_query(self._engine, asked, cancel)
        try:
            size = self._results.write(job.id, asked.format.write(stream, asked.query))
        finally:
            stream.close()
        return Result(content_type=asked.format.content_type, size=size, rows=stream.rows)
