"""An HTTP session that hands the token to the platform's own services and to nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.auth import AuthBase

from .errors import DespejadoError

_PORTS = {"http": 80, "https": 443}


class ServiceUnavailable(DespejadoError, requests.RequestException):
    """The service does not answer, or the proxy before it says that it is not there."""


class TokenRefused(DespejadoError, requests.HTTPError):
    """401: the token is wrong, expired or revoked."""


class TokenLacksScope(DespejadoError, requests.HTTPError):
    """403: the token is good, but not for this service."""


def is_at_or_below(url: str, base: str) -> bool:
    """Whether ``url`` is ``base`` or lies below it.

    Scheme, host and port are the same, and whole path segments. A path that climbs (``..``, also
    encoded) is never below anything.
    """
    try:
        here, there = urlsplit(url), urlsplit(base)
        same = (
            here.scheme == there.scheme
            and here.hostname == there.hostname
            and (here.port or _PORTS.get(here.scheme)) == (there.port or _PORTS.get(there.scheme))
        )
    except ValueError:  # a port that is not a number
        return False
    path = unquote(unquote(here.path)).replace("\\", "/")
    if not same or here.hostname is None or ".." in path.split("/"):
        return False
    below = there.path.rstrip("/")
    return here.path == below or here.path.startswith(below + "/")


class NoAuth(AuthBase):
    """No credentials, and none from netrc either."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Take credentials out of a request."""
        request.headers.pop("Authorization", None)
        return request


class TokenAuth(AuthBase):
    """Bearer token (RFC 6750 §2.1) for addresses at or below ``bases``, nothing for others.

    ``token`` is asked at each request, so that a refreshed token is used at once.
    """

    def __init__(self, token: Callable[[], str], bases: Iterable[str]) -> None:
        self._token = token
        self._bases = tuple(bases)

    def covers(self, url: str | None) -> bool:
        """Whether this address may see the token."""
        return url is not None and any(is_at_or_below(url, base) for base in self._bases)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token into a request that it covers, and take it out of any other."""
        request.headers.pop("Authorization", None)
        if self.covers(request.url):
            request.headers["Authorization"] = f"Bearer {self._token()}"
        return request


class PlatformSession(requests.Session):
    """A ``requests`` session for the services of one platform.

    Refusals and outages of those services are raised as errors that say what to do; they are
    `requests.RequestException` too, so that libraries handle them as their own.
    """

    def __init__(self, auth: TokenAuth, hub_url: str | None = None) -> None:
        super().__init__()
        self.auth: TokenAuth = auth
        self._hub = (hub_url or "").rstrip("/")

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """On a redirect the new address decides, not the host name alone (and not netrc)."""
        self.auth(prepared_request)

    def request(  # type-compatible with requests: everything passes through
        self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """As `requests.Session.request`, with errors that say what to do.

        Raises `TokenRefused`, `TokenLacksScope` and `ServiceUnavailable` for the platform's
        services.
        """
        address = url.decode() if isinstance(url, bytes) else url
        ours = self.auth.covers(address)
        try:
            response = super().request(method, url, *args, **kwargs)
        except requests.ConnectionError as error:
            if ours:
                raise self._unavailable(address, type(error).__name__, None) from error
            raise
        if self.auth.covers(response.url):
            self._explain(response)
        return response

    def _explain(self, response: requests.Response) -> None:
        status = response.status_code
        if status == requests.codes.unauthorized:
            raise TokenRefused(
                f"The service at {response.url} refused the token: it has expired or was revoked."
                " In a lab: stop it and start it again from the hub's control panel (your files"
                f" stay). Elsewhere: make a new token on {self._hub or '<hub>'}/token.",
                response=response,
            )
        if status == requests.codes.forbidden:
            said = _plain(response)
            raise TokenLacksScope(
                f"The token may not be used for {response.url}{f': {said}' if said else ''}."
                f" Make one on {self._hub or '<hub>'}/token that has access to the data services;"
                " if you cannot choose that there, ask the operator.",
                response=response,
            )
        if status in (502, 503, 504):
            raise self._unavailable(response.url, f"{status} {_plain(response)}".strip(), response)

    def _unavailable(
        self, url: str, what: str, response: requests.Response | None
    ) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The service does not answer at {url} ({what}). It may be restarting: try again in"
            " a minute. Jobs that run there are kept.",
            response=response,
        )


def _plain(response: requests.Response) -> str:
    """What the service said in plain text, short enough for one line."""
    if "text/plain" not in response.headers.get("content-type", ""):
        return ""
    return " ".join(response.text.split())[:300].rstrip(".")
