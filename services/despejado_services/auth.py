"""Who asks: tokens of the hub, checked with the hub.

The hub's answer is kept for seconds, keyed by a hash of the token, so that a client that polls does
not become load on the hub; a revoked token stops working within that time. When the hub does not
answer, a token it accepted lately goes on for a grace period, since a restart of the hub shall not
break running work; every other token gets 503.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from despejado_services.errors import Forbidden, ServiceError, Unauthorized, Unavailable

FRESH_SECONDS = 10.0
"""How long an answer of the hub is good, yes or no."""
GRACE_SECONDS = 300.0
"""How long after the hub's last yes a token goes on while the hub is away."""
_REMEMBERED = 1024
_HUB_TIMEOUT = 5.0

_HOW = (
    "Make one on the hub's token page (/hub/token) and send it as "
    "'Authorization: Bearer TOKEN', or as the password of HTTP Basic."
)


@dataclass(frozen=True)
class User:
    """A user or service of the hub."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """What jobs are kept under; a service and a user of one name are two owners."""
        return f"{self.kind}:{self.name}"


def token_of(authorization: str | None) -> str:
    """The token in an Authorization header: Bearer, token, or Basic with it as the password.

    Raises :class:`Unauthorized` when there is none.
    """
    if not authorization:
        raise Unauthorized(f"This service needs a token. {_HOW}")
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() in ("bearer", "token"):
        token = value
    elif scheme.lower() == "basic":
        try:
            token = base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            token = ""
    else:
        raise Unauthorized(f"Authorization scheme {scheme[:20]!r} is not known here. {_HOW}")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Unauthorized(f"The Authorization header has no usable token. {_HOW}")
    return token


@dataclass
class _Answer:
    """What the hub said of a token and when; ``accepted`` is the time of its last yes."""

    outcome: User | ServiceError
    checked: float
    accepted: float | None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class HubTokens:
    """Checks tokens with ``GET <hub_api_url>/user`` (JupyterHub REST API)."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        hub_api_url: str,
        scope: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = f"{hub_api_url}/user"
        self._scope = scope
        self._clock = clock
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()

    async def user(self, token: str) -> User:
        """Whose token this is.

        Raises :class:`Unauthorized` (unknown, expired), :class:`Forbidden` (without the scope) or
        :class:`Unavailable` (the hub does not answer).
        """
        key = hashlib.sha256(token.encode()).digest()
        answer = self._answers.get(key)
        if answer is None:
            never = -float("inf")
            answer = _Answer(Unauthorized("not asked yet"), checked=never, accepted=None)
            self._answers[key] = answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        async with answer.lock:  # one question to the hub for many requests at once
            if self._clock() - answer.checked >= FRESH_SECONDS:
                await self._ask(token, answer)
        if isinstance(answer.outcome, User):
            return answer.outcome
        raise answer.outcome

    async def _ask(self, token: str, answer: _Answer) -> None:
        try:
            response = await self._client.get(
                self._url, headers={"Authorization": f"token {token}"}, timeout=_HUB_TIMEOUT
            )
        except httpx.HTTPError:
            self._without_hub(answer, "does not answer")
            return
        now = self._clock()
        if response.status_code in (401, 403):
            answer.outcome = Unauthorized(
                f"The hub does not know this token: it may have expired or been revoked. {_HOW}",
                error="invalid_token",
            )
            answer.checked, answer.accepted = now, None
        elif response.status_code == 200:
            answer.outcome = self._judge(response)
            answer.checked = now
            answer.accepted = now if isinstance(answer.outcome, User) else None
        else:
            self._without_hub(answer, f"answers with HTTP status {response.status_code}")

    def _judge(self, response: httpx.Response) -> User | ServiceError:
        try:
            model = response.json()
        except ValueError:
            model = None
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            return Unavailable("The hub's answer about this token could not be understood.")
        # a scope may be narrowed to the token's own user, who is the one who asks
        enough = {self._scope, f"{self._scope}!user={model['name']}"}
        if enough.isdisjoint(model.get("scopes", ())):
            return Forbidden(
                f"This token may not query here: it lacks the scope {self._scope}. "
                "Make one with that scope on the hub's token page (/hub/token).",
                scope=self._scope,
            )
        return User(kind=str(model.get("kind", "user")), name=model["name"])

    def _without_hub(self, answer: _Answer, what: str) -> None:
        now = self._clock()
        if answer.accepted is not None and now - answer.accepted < GRACE_SECONDS:
            # ask again soon, but not at every request: the hub's timeout would stall them all
            answer.checked = now - FRESH_SECONDS / 2
            return
        answer.outcome = Unavailable(
            f"The hub, which knows the tokens, {what}. Your token is not the problem; "
            "try again in a moment."
        )
        answer.checked, answer.accepted = now - FRESH_SECONDS + 1.0, None
