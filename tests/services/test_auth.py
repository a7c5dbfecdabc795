"""Who may ask: tokens, what is said to those who have none, and a hub that is away."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest
from despejado_services.auth import FRESH_SECONDS, GRACE_SECONDS, HubTokens, User, token_of
from despejado_services.errors import Forbidden, Unauthorized, Unavailable

DATA = Path(__file__).parent / "data"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "header", ["Bearer abc", "token abc", "bearer  abc", basic("vera", "abc"), basic("", "abc")]
)
def test_a_token_is_read_from_every_scheme(header: str) -> None:
    assert token_of(header) == "abc"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Digest x", "Basic !!!", basic("vera", ""), "Bearer a b",
     "Bearer é", "Basic /w=="],
)  # fmt: skip
def test_a_header_without_a_token_says_how_to_get_one(header: str | None) -> None:
    with pytest.raises(Unauthorized, match="/hub/token"):
        token_of(header)


class Hub:
    """A transport that answers as told, with the recorded model."""

    def __init__(self) -> None:
        self.status = 200
        self.model = json.loads((DATA / "hub_user.json").read_text())
        self.down = False
        self.asked = 0
        self.now = 1000.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert request.headers["authorization"] == "token abc"
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(self.status, json=self.model)

    def tokens(self) -> HubTokens:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return HubTokens(client, "http://hub/api", "custom:tap:query", clock=lambda: self.now)


async def test_a_good_answer_is_kept_for_seconds_only() -> None:
    hub = Hub()
    tokens = hub.tokens()
    assert await tokens.user("abc") == User("user", "vera")
    hub.now += FRESH_SECONDS - 1
    await tokens.user("abc")
    assert hub.asked == 1
    hub.now += 1
    hub.status = 403  # revoked
    with pytest.raises(Unauthorized, match="expired or been revoked"):
        await tokens.user("abc")


async def test_a_token_without_the_scope_is_told_which_one() -> None:
    hub = Hub()
    hub.model["scopes"] = ["read:users:name!user=vera"]
    with pytest.raises(Forbidden, match="custom:tap:query"):
        await hub.tokens().user("abc")


async def test_a_scope_narrowed_to_the_own_user_is_enough_and_to_another_is_not() -> None:
    hub = Hub()
    hub.model["scopes"] = ["custom:tap:query!user=vera"]
    assert (await hub.tokens().user("abc")).name == "vera"
    hub.model["scopes"] = ["custom:tap:query!user=edwin"]
    with pytest.raises(Forbidden):
        await hub.tokens().user("abc")


async def test_a_service_and_a_user_of_one_name_are_two_owners() -> None:
    hub = Hub()
    hub.model["kind"] = "service"
    assert (await hub.tokens().user("abc")).key != User("user", "vera").key


async def test_a_token_goes_on_while_the_hub_restarts_but_not_for_long() -> None:
    hub = Hub()
    tokens = hub.tokens()
    await tokens.user("abc")
    hub.down = True
    hub.now += FRESH_SECONDS + 1
    assert (await tokens.user("abc")).name == "vera"
    hub.now += GRACE_SECONDS
    with pytest.raises(Unavailable, match="not the problem"):
        await tokens.user("abc")


async def test_an_unknown_token_gets_no_grace() -> None:
    hub = Hub()
    tokens = hub.tokens()
    hub.status = 403
    with pytest.raises(Unauthorized):
        await tokens.user("abc")
    hub.down = True
    hub.now += FRESH_SECONDS
    with pytest.raises(Unavailable):
        await tokens.user("abc")


@pytest.mark.parametrize("status", [500, 502, 404, 302])
async def test_a_hub_in_trouble_is_unavailable_and_soon_asked_again(status: int) -> None:
    hub = Hub()
    tokens = hub.tokens()
    hub.status = status
    with pytest.raises(Unavailable, match=str(status)):
        await tokens.user("abc")
    hub.status = 200
    hub.now += 2
    assert (await tokens.user("abc")).name == "vera"


async def test_an_answer_that_is_no_user_model_is_not_trusted() -> None:
    hub = Hub()
    hub.model = ["vera"]
    with pytest.raises(Unavailable, match="understood"):
        await hub.tokens().user("abc")
