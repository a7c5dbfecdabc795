"""The hub's REST API, as far as a lab needs it: stop the own server (JupyterHub 5 and 6)."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from despejado_lab.errors import HubRefused, HubUnreachable, NoHub

STOP_SCOPE = "delete:servers"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
# The hub answers a stop when the server is gone or after its own `slow_stop_timeout`.
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class HubApi:
    """Address, own name and token. The token stays in this process: never logged, never sent on."""

    url: str
    user: str
    server: str
    token: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> HubApi:
        """From what JupyterHub gives every server. Raises NoHub if this is none of its servers."""
        url, token = environ.get("JUPYTERHUB_API_URL"), environ.get("JUPYTERHUB_API_TOKEN")
        user = environ.get("JUPYTERHUB_USER")
        if not (url and token and user):
            raise NoHub("This JupyterLab was not started by a JupyterHub: there is no hub to ask.")
        server = environ.get("JUPYTERHUB_SERVER_NAME", "")
        return cls(url.rstrip("/"), user, server, token, _internal_tls(environ))

    @property
    def server_path(self) -> str:
        """Path of the own server in the API."""
        user = quote(self.user, safe="")
        if self.server:
            return f"/users/{user}/servers/{quote(self.server, safe='')}"
        return f"/users/{user}/server"

    async def check_may_stop(self) -> None:
        """Ask the hub who we are. Raises HubUnreachable, or HubRefused if we may not stop."""
        response = await self._fetch("GET", "/user", ANSWER_SECONDS)
        try:
            model = json.loads(response.body)
        except ValueError as error:
            raise HubUnreachable(f"What answers at {self.url} is not a JupyterHub.") from error
        scopes = model.get("scopes") if isinstance(model, dict) else None
        if not isinstance(scopes, list):
            raise HubUnreachable(f"What answers at {self.url} is not a JupyterHub 2 or newer.")
        if not any(str(scope).partition("!")[0] == STOP_SCOPE for scope in scopes):
            raise HubRefused(
                "The hub does not allow this server to stop itself: its token lacks the scope "
                f"{STOP_SCOPE}!server. Stop the server on the hub's home page, and ask the "
                "administrators to add that scope to the role 'server'."
            )

    async def stop(self) -> None:
        """Stop the own server. The process is ended by this, usually before the hub answers."""
        await self._fetch("DELETE", self.server_path, STOP_SECONDS)

    async def _fetch(self, method: str, path: str, seconds: float) -> HTTPResponse:
        request = HTTPRequest(
            f"{self.url}{path}",
            method=method,
            headers={"Authorization": f"token {self.token}", "Accept": "application/json"},
            connect_timeout=CONNECT_SECONDS,
            request_timeout=seconds,
            follow_redirects=False,
            ssl_options=self.tls,
        )
        try:
            return await AsyncHTTPClient().fetch(request)
        except HTTPClientError as error:
            raise _answer(error, self.url) from error
        except OSError as error:
            raise HubUnreachable(
                f"The hub at {self.url} does not answer ({error}). Your documents are saved and "
                "the lab goes on; try again in a minute, or tell the administrators."
            ) from error


def _answer(error: HTTPClientError, url: str) -> HubRefused | HubUnreachable:
    if error.code in (401, 403):
        return HubRefused(
            f"The hub refused the token of this server ({error.code}). Stop the server on the "
            "hub's home page; if that happens again, tell the administrators."
        )
    said = "it took too long" if error.code == 599 else f"it answered {error.code} {error.message}"
    return HubUnreachable(
        f"The hub at {url} could not stop this lab: {said}. The lab goes on; try again in a "
        "minute, or stop it on the hub's home page."
    )


def _internal_tls(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    """The certificates of JupyterHub's ``internal_ssl``, if it is in use."""
    key, certificate = environ.get("JUPYTERHUB_SSL_KEYFILE"), environ.get("JUPYTERHUB_SSL_CERTFILE")
    if not (key and certificate):
        return None
    authority = environ.get("JUPYTERHUB_SSL_CLIENT_CA") or None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)
    context.load_cert_chain(certificate, key)
    return context
