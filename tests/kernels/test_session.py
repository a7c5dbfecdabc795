"""The token goes to the services that are listed, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import despejado
import pytest
import requests
from despejado.session import (
    PlatformSession,
    ServiceUnavailable,
    TokenAuth,
    TokenLacksScope,
    TokenRefused,
    is_at_or_below,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.conftest import TOKEN, StandIn

BASE = "http://localhost:8000/services/tap"


@pytest.mark.parametrize(
    "url", [BASE, BASE + "/", BASE + "/sync?QUERY=x", BASE + "/async/1/phase", BASE + "?x=/../y"]
)
def test_addresses_below(url: str) -> None:
    assert is_at_or_below(url, BASE)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000.evil/services/tap/sync",
        "http://localhost.evil:8000/services/tap/sync",
        "http://localhost:8000@evil/services/tap/sync",
        "http://localhost:8001/services/tap/sync",
        "http://localhost/services/tap/sync",
        "https://localhost:8000/services/tap/sync",
        "http://127.0.0.1:8000/services/tap/sync",
        "http://localhost:8000/services/tapestry",
        "http://localhost:8000/services",
        BASE + "/../other",
        BASE + "/%2e%2e/other",
        BASE + "/%252e%252e/other",
        BASE + "/..%5cother",
        "http://localhost:port/services/tap",
        "//localhost:8000/services/tap",
        "",
    ],
)
def test_addresses_elsewhere(url: str) -> None:
    assert not is_at_or_below(url, BASE)


TEXT = st.text(alphabet="abc./%25eE\\@:#?", max_size=15)


@given(TEXT, st.sampled_from(["", "/services/tap"]), TEXT)
def test_no_text_behind_the_host_makes_another_host_ours(
    before: str, path: str, after: str
) -> None:
    url = f"http://localhost:8000{before}{path}{after}"
    if is_at_or_below(url, BASE):
        assert urlsplit(url).netloc == "localhost:8000"
        assert f"{before}{path}{after}".startswith("/services/tap")


@pytest.fixture
def session(service: StandIn) -> PlatformSession:
    return PlatformSession(TokenAuth(lambda: TOKEN, [service.url]), service.root + "/hub/")


def test_token_is_sent_to_the_service_only(
    session: PlatformSession, service: StandIn, other_service: StandIn
) -> None:
    session.get(service.url + "/async/none")
    session.get(service.root + "/services/tapestry")
    session.get(other_service.url)
    sent = [request.authorization for request in service.requests + other_service.requests]
    assert sent == [f"Bearer {TOKEN}", None, None]


def test_redirect_does_not_carry_the_token_away(
    session: PlatformSession, lab: Path, service: StandIn, other_service: StandIn
) -> None:
    """Neither to another port of the same host (where netrc has a password too) ..."""
    service.redirect = other_service.root + "/elsewhere"
    session.get(service.url + "/sync")
    assert service.requests[0].authorization == f"Bearer {TOKEN}"
    assert other_service.requests[0].authorization is None


def test_redirect_to_another_path_of_the_same_host(
    session: PlatformSession, lab: Path, service: StandIn
) -> None:
    """... nor to another path of the same server."""
    service.redirect = service.root + "/elsewhere"
    with pytest.raises(requests.TooManyRedirects):
        session.get(service.url + "/sync")
    assert service.requests[0].authorization == f"Bearer {TOKEN}"
    assert {request.authorization for request in service.requests[1:]} == {None}


def test_refused_token(lab: Path, service: StandIn) -> None:
    service.tokens.clear()
    with pytest.raises(TokenRefused, match=r"expired or was revoked.*start it again") as caught:
        despejado.tap().search("SELECT 1")
    assert isinstance(caught.value, requests.HTTPError)


def test_token_is_read_at_each_request(lab: Path, service: StandIn) -> None:
    tap = despejado.tap()
    service.tokens = {"fresh"}
    (lab / "secrets" / "token").write_text("fresh\n")
    assert len(tap.search("SELECT 1")) == 3


def test_missing_scope_keeps_what_the_service_said(lab: Path, service: StandIn) -> None:
    service.status = 403
    with pytest.raises(TokenLacksScope, match=r"the service says no.*/hub/token"):
        despejado.tap().search("SELECT 1")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_service_behind_the_proxy_is_down(lab: Path, service: StandIn, status: int) -> None:
    service.status = status
    with pytest.raises(ServiceUnavailable, match=r"does not answer.*try again in\s+a minute"):
        despejado.tap().search("SELECT 1")


def test_nothing_listens(lab: Path, free_port: int, service: StandIn) -> None:
    file = lab / "discovery" / "v1.json"
    file.write_text(file.read_text().replace(f":{service.port}/", f":{free_port}/"))
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        despejado.tap().search("SELECT 1")
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        despejado.tap().submit_job("SELECT 1")
