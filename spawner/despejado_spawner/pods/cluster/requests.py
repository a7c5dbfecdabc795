"""One call to the API server: retries of what can pass, and our errors for the rest."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubespawner.clients import shared_client

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.backoff import Backoff
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.own_waiting import answered, turn
from despejado_spawner.pods.cluster.stream import ApiStatus, api_status

TRANSPORT = (aiohttp.ClientError, OSError, TimeoutError)
BUSY = frozenset({429, 502, 503, 504})
"""Answers that say: later. Tried again until the time is over."""
BROKEN = frozenset({500})
"""Answers that may be a hiccup (a change of etcd's leader) or last (an admission hook that is
away): tried again a few times only, as a person waits for the reason."""
BROKEN_TRIES = 4
NO_RIGHT = frozenset({401, 403})
"""For a moment after its start an API server has not read its roles yet and refuses everybody."""
TOO_SHORT = 4
"""Values of a Secret below this many characters are not looked for: they would be everywhere."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
ONLY_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
ONLY_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True)
class Request:
    """One request. ``what`` says it in words that end up in an error: "create the Pod x"."""

    method: str
    path: str
    what: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    expected: frozenset[int] = frozenset()
    """Error statuses that are an answer to the caller, not a failure."""


@dataclass(frozen=True)
class Reply:
    """The answer: its status and its JSON, or its text where it is none."""

    status: int
    body: Any = field(repr=False)
    reason: str | None = None


class Calls:
    """Makes requests within a deadline. ``made`` counts each attempt by method and resource."""

    def __init__(
        self,
        *,
        deadline: Deadline,
        request_timeout: float,
        retry_timeout: float,
        log: Any,
        made: Counter[str] | None = None,
        trouble: Callable[[], None] | None = None,
    ) -> None:
        self._deadline = deadline
        self._request_timeout = request_timeout
        self._retry_timeout = retry_timeout
        self._log = log
        self._trouble = trouble
        self.made: Counter[str] = Counter() if made is None else made

    async def ask(self, request: Request) -> Reply:
        """Send a request, again where that can help, and return a success or an expected error.

        What it waits in line behind the hub's other requests counts for the deadline alone.

        Raises
        ------
        SpawnerError
            What ``refusals.refusal`` makes of the last answer. Values of a Secret in the body are
            in neither its text nor the log.
        """
        limit = self._deadline.within(self._retry_timeout)
        backoff = Backoff(0.1, 3.0)
        broken, trouble = 0, False
        last = ApiStatus(504, "Timeout", "no time was left to ask")
        while not limit.passed:
            pause = 0.0
            came = time.monotonic()
            try:
                async with turn(shared_client("CoreV1Api").api_client, self._deadline):
                    limit = limit.later(time.monotonic() - came).within(self._deadline.left)
                    patience = min(self._request_timeout, limit.left)
                    reply = await answered(self._once(request), patience)
            except TRANSPORT as error:
                # The request may have been carried out: callers look before they complain.
                last = ApiStatus(504, "Timeout", f"{type(error).__name__}: {error}".rstrip(": "))
                if self._trouble is not None:
                    self._trouble()
            except ValueError:
                last = ApiStatus(502, "BadGateway", "the answer was cut off")
            except _Failure as failure:
                last, pause = failure.status, failure.retry_after
                if last.status in request.expected and not _in_between(request, last):
                    return Reply(last.status, last.body, last.reason)
                broken += last.status in BROKEN
                if not (
                    last.status in BUSY
                    or _in_between(request, last)
                    or (last.status in BROKEN and broken < BROKEN_TRIES)
                    or (last.status in NO_RIGHT and trouble)
                ):
                    break
                if pause > limit.left:
                    break
            else:
                return reply
            trouble = trouble or last.status in BUSY | BROKEN
            self._log.debug("Could not %s (%s %s): again", request.what, last.status, last.reason)
            await asyncio.sleep(min(max(pause, backoff.next()), limit.left))
        raise _refusal(request, last)

    @staticmethod
    def refusal(request: Request, reply: Reply) -> SpawnerError:
        """The error of an expected answer that the caller cannot use after all."""
        return _refusal(request, ApiStatus(reply.status, reply.reason, reply.body))

    async def _once(self, request: Request) -> Reply:
        self.made[f"{request.method} {_resource(request.path)}"] += 1
        client = shared_client("CoreV1Api").api_client
        response = await client.call_api(
            request.path,
            request.method,
            query_params=list(request.query.items()),
            header_params={"Accept": request.accept, "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
            _preload_content=False,
        )
        body = await response.read()
        if not 200 <= response.status < 300:
            status = api_status(response.status, response.reason, body)
            raise _Failure(status, _seconds(response.headers.get("Retry-After")))
        if "json" in response.headers.get("Content-Type", ""):
            return Reply(response.status, json.loads(body))
        return Reply(response.status, body.decode(errors="replace"))


class _Failure(Exception):
    def __init__(self, status: ApiStatus, retry_after: float) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(str(status))


def _in_between(request: Request, last: ApiStatus) -> bool:
    """Somebody else changed something meanwhile, the count of a quota, say: try again.

    Not "already exists", and not a deletion whose object has another uid.
    """
    return last.status == 409 and last.reason == "Conflict" and request.method != "DELETE"


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0


def _resource(path: str) -> str:
    """``/api/v1/namespaces/labs/pods/jupyter-x/log`` -> ``pods/log``."""
    parts = path.split("/")
    after = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else parts[3:]
    return "/".join(after[::2])


def _refusal(request: Request, last: ApiStatus) -> SpawnerError:
    from despejado_spawner.pods.diagnosis.refusals import refusal

    body = _without(last.body, secret_values(request.body))
    error: SpawnerError = refusal(last.status, last.reason, body, request.what)
    return error


def secret_values(body: Any) -> tuple[str, ...]:
    """What must not be read anywhere: the values of a Secret, plain and encoded; longest first."""
    if not isinstance(body, Mapping):
        return ()
    found: set[str] = set()
    if body.get("kind") == "Secret" or "stringData" in body:
        for value in (body.get("stringData") or {}).values():
            found |= {str(value), base64.b64encode(str(value).encode()).decode()}
        for value in (body.get("data") or {}).values():
            found.add(str(value))
            try:
                found.add(base64.b64decode(str(value)).decode(errors="replace"))
            except binascii.Error:
                continue
    return tuple(sorted((each for each in found if len(each) >= TOO_SHORT), key=len, reverse=True))


def _without(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "(a secret)")
        return value
    if isinstance(value, dict):
        return {key: _without(each, secrets) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(each, secrets) for each in value]
    return value
