"""TAP: an authenticated `pyvo.dal.TAPService`, and a list of what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.parsers.expat import ExpatError

import pyvo.dal
import requests
from astropy.table import Table
from pyvo.dal.exceptions import DALProtocolError
from pyvo.dal.tap import AsyncTAPJob, TAPQuery, TAPResults

from .errors import (
    ButlerMissing,
    DespejadoError,
    QueryError,
    RepositoryMissing,
    did_you_mean,
)
from .models import Dataset
from .platform import Platform, find_platform
from .session import PlatformSession, TokenAuth
from .votable import parse_votable

_TABLE = r'(?:"[^"]+"|\w+)(?:\s*\.\s*(?:"[^"]+"|\w+)){0,2}'
_FROM = re.compile(rf"\b(?:FROM|JOIN)\s+({_TABLE})(?!\s*[.(])", re.IGNORECASE)
_COMMA = re.compile(rf"\s*(?:AS\s+)?(?:\w+\s*)?,\s*({_TABLE})(?!\s*[.(])", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'|--[^\n]*")
_NAMED = re.compile(r"column\W+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", re.IGNORECASE)
_SUGGESTS = re.compile(r"did you mean|nearest|similar", re.IGNORECASE)


class TapQueryError(QueryError, pyvo.dal.DALQueryError):
    """The service refused a query: its own message, then the nearest names if one is unknown."""


class Results(TAPResults):  # type-compatible: a TAPResults in every respect
    """Results of a query; ``to_table()`` gives an astropy Table."""


class Job(AsyncTAPJob):
    """A job on the service. As pyvo's, with results read by `despejado.votable`."""

    def fetch_result(self, max_retries: int = 0) -> TAPResults:
        """The rows of a finished job; raises `pyvo.dal.DALQueryError` if it failed.

        ``max_retries`` repeats a fetch that the network broke off, at once.
        """
        address = self.result_uri
        if address is None:
            self._update()
            self.raise_if_error()
            raise pyvo.dal.DALServiceError("The job has no result yet.", url=self.url)
        content = self._fetch(address, max_retries)
        results = Results(parse_votable(content), url=address, session=self._session)
        results.check_overflow_warning(self._client_set_maxrec)
        return results

    def _fetch(self, address: str, retries: int) -> bytes:
        while True:
            try:
                response = self._session.get(address)
                response.raise_for_status()
                found: bytes = response.content
                return found
            except (requests.ConnectionError, requests.Timeout) as error:
                if retries <= 0:
                    raise pyvo.dal.DALServiceError.from_except(error, address) from error
                retries -= 1
            except requests.RequestException as error:
                self._update()
                self.raise_if_error()
                raise pyvo.dal.DALServiceError.from_except(error, address) from error


class TapService(pyvo.dal.TAPService):
    """A `pyvo.dal.TAPService` of one data set.

    It sends the token where it belongs, reads results fast, and explains what goes wrong.
    """

    def __init__(self, url: str, session: requests.Session) -> None:
        super().__init__(url, session=session)

    def run_sync(
        self,
        query: str,
        *,
        language: str = "ADQL",
        maxrec: int | None = None,
        uploads: dict[str, Any] | None = None,
        **keywords: Any,
    ) -> TAPResults:
        """Run a query and wait for its rows; see `pyvo.dal.TAPService.run_sync`.

        Raises `TapQueryError` for what is wrong with the query, and the errors of
        `despejado.session` for what is wrong with token or service.
        """
        sync = TAPQuery(
            self.baseurl,
            query,
            language=language,
            maxrec=maxrec,
            uploads=uploads,
            session=self._session,
            **keywords,
        )
        with self.explained(query):
            response = sync.submit(post=True)
            if response.status_code >= requests.codes.bad_request:
                raise self._refusal(response, query)
            results = Results(
                parse_votable(response.content), url=sync.queryurl, session=self._session
            )
            results.check_overflow_warning(maxrec)
        return results

    search = run_sync

    def run_async(self, query: str, **keywords: Any) -> TAPResults:
        """Run a query as a job and wait for its rows; see `pyvo.dal.TAPService.run_async`."""
        delete = keywords.pop("delete", True)
        with self.explained(query):
            job = self.submit_job(query, **keywords)
            try:
                job.run().wait()
                job.raise_if_error()
                return job.fetch_result()
            finally:
                if delete:
                    job.delete()

    def submit_job(
        self,
        query: str,
        *,
        language: str = "ADQL",
        maxrec: int | None = None,
        uploads: dict[str, Any] | None = None,
        **keywords: Any,
    ) -> Job:
        """Make a job that is not yet started; see `pyvo.dal.TAPService.submit_job`."""
        with self.explained(query):
            job: Job = Job.create(
                self.baseurl,
                query,
                language=language,
                maxrec=maxrec,
                uploads=uploads,
                session=self._session,
                **keywords,
            )
        return job

    @property
    def session(self) -> requests.Session:
        """The session of this service, for requests below its address."""
        session: requests.Session = self._session
        return session

    @contextmanager
    def explained(self, query: str) -> Iterator[None]:
        """Turn what pyvo raises into errors that say what to do."""
        try:
            yield
        except DespejadoError:
            raise
        except pyvo.dal.DALQueryError as error:
            raise self.query_error(error.reason, query, error.label) from None
        except DALProtocolError as error:
            if isinstance(error.cause, DespejadoError):
                raise error.cause from None
            response = getattr(error.cause, "response", None)
            if isinstance(response, requests.Response):
                raise self._refusal(response, query) from None
            raise

    def query_error(self, message: str, query: str, label: str | None = None) -> TapQueryError:
        """The service's own message with the nearest names added, if it has none."""
        text = message.removeprefix("Query Error: ").strip()
        if not _SUGGESTS.search(text):
            text += self._hint(text, query)
        return TapQueryError(text, label, self.baseurl)

    def _refusal(self, response: requests.Response, query: str) -> DespejadoError:
        """The error for an answer of 400 and above.

        It is a VOTable with the message in an INFO, or plain text (DALI 1.1 §4.2).
        """
        said = _message(response)
        if response.status_code < requests.codes.server_error and said:
            return self.query_error(said, query)
        status = f"{response.status_code} {response.reason}"
        return QueryError(f"The service at {response.url} failed: {status}. {said}".strip())

    def _hint(self, message: str, query: str) -> str:
        """Nearest table or column names out of TAP_SCHEMA; empty if that does not answer."""
        try:
            tables = {
                str(name).casefold(): str(name)
                for name in self._names("SELECT table_name FROM tap_schema.tables")
            }
            used = tables_in(query)
            for name in used:
                if name.casefold() not in tables:
                    return did_you_mean(name, tables.values())
            named = _NAMED.search(message)
            if named is None or not used:
                return ""
            quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in used)
            columns = self._names(
                f"SELECT column_name FROM tap_schema.columns WHERE table_name IN ({quoted})"  # noqa: S608 - names are quoted literals
            )
        except (pyvo.dal.DALAccessError, DespejadoError, requests.RequestException):
            return ""
        return did_you_mean(named.group(1).rpartition(".")[2], columns)

    def _names(self, query: str) -> list[str]:
        found = TAPQuery(self.baseurl, query, session=self._session).execute()
        return [str(row[0]) for row in found.to_table().iterrows()]


def _message(response: requests.Response) -> str:
    """What an error document says, if it is one."""
    kind = response.headers.get("content-type", "")
    if "xml" in kind:
        try:
            Results(parse_votable(response.content))
        except pyvo.dal.DALQueryError as error:
            return str(error.reason)
        except (ValueError, IndexError, ExpatError, DALProtocolError):
            return ""
    return response.text.strip()[:2000] if "text/plain" in kind else ""


def tables_in(query: str) -> list[str]:
    """The tables that a query reads, as written but without quotes.

    The reading is good enough for suggestions: strings and comments are skipped, subqueries are
    looked into.
    """
    text = _QUOTED.sub(" ", query)
    found: list[str] = []
    for match in _FROM.finditer(text):
        found.append(match.group(1))
        position = match.end()
        while more := _COMMA.match(text, position):
            found.append(more.group(1))
            position = more.end()
    plain = (re.sub(r"\s*\.\s*", ".", name).replace('"', "") for name in found)
    return list(dict.fromkeys(plain))


def tap(dataset: str | None = None) -> TapService:
    """The TAP service of a data set (the default one if none is named), ready to be queried.

    The result is a `pyvo.dal.TAPService`: ``tap().search("SELECT ...").to_table()``. Nothing is
    sent before the first query. Raises `NoPlatform`, `NoToken` or `UnknownName`.
    """
    platform = find_platform()
    return service_of(platform, platform.discovery.dataset(dataset))


def service_of(platform: Platform, dataset: Dataset) -> TapService:
    """The TAP service of one data set of a platform.

    The token goes to the addresses of that data set only.
    """
    service = dataset.service("tap")
    if not service.external:
        platform.tokens.token()  # say now that there is none, not at the first query
    allowed = [url for each in dataset.services.values() for url in each.urls]
    auth = TokenAuth(platform.tokens.token, allowed)
    return TapService(service.url, PlatformSession(auth, platform.discovery.hub_url))


def sample(dataset: str | None = None) -> Table:
    """What there is to begin with: the tables of a data set and its Butler collections.

    Returns a Table with the columns ``kind`` ("table" or "collection"), ``name`` and
    ``description``. Collections are listed where the environment has the Butler.
    """
    platform = find_platform()
    chosen = platform.discovery.dataset(dataset)
    rows: list[tuple[str, str, str]] = []
    if "tap" in chosen.services:
        found = service_of(platform, chosen).run_sync(
            "SELECT table_name, description FROM tap_schema.tables ORDER BY table_name"
        )
        rows += [
            ("table", str(row["table_name"]), str(row["description"] or ""))
            for row in found
            if not str(row["table_name"]).casefold().startswith("tap_schema.")
        ]
    rows += [("collection", name, text) for name, text in _collections(chosen)]
    return Table(rows=rows, names=("kind", "name", "description"), dtype=(str, str, str))


def _collections(dataset: Dataset) -> list[tuple[str, str]]:
    from .repository import open_repository

    try:
        with open_repository(dataset, None) as repository:
            return [(info.name, info.doc or "") for info in repository.collections.query_info("*")]
    except (ButlerMissing, RepositoryMissing):
        return []
