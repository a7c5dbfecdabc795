"""A registry on loopback with what a test puts into it, spoken to over HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from despejado_images.manifests import INDEXES, MANIFESTS

REPOSITORY = "despejado/lab"


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass
class LocalRegistry:
    """``answers`` is path below the repository to status and body; it may be changed at any time.

    With a ``login`` only a token gets answers, and only the login gets a token.
    """

    tags: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def repository(self) -> str:
        return f"127.0.0.1:{self.port}/{REPOSITORY}"

    def put(
        self,
        tag: str,
        *,
        like: str = "",
        architecture: str = "amd64",
        labels: Any = None,
        platforms: tuple[str, ...] = (),
    ) -> str:
        """Add an image under a tag (the same image as that of the tag ``like``); its digest."""
        if tag not in self.tags:
            self.tags.append(tag)
        if like:
            self.answers[f"manifests/{tag}"] = self.answers[f"manifests/{like}"]
            return digest_of(self.answers[f"manifests/{tag}"][1])
        config = json.dumps(
            {
                "architecture": architecture,
                "created": "2026-10-23T00:00:00Z",
                "config": {"Labels": labels},
                "history": [{"comment": tag}],
            }
        ).encode()
        self.answers[f"blobs/{digest_of(config)}"] = (200, config)
        document: dict[str, Any] = {
            "mediaType": MANIFESTS[0],
            "config": {"digest": digest_of(config)},
            "layers": [{"size": 1000}, {"size": 234}],
        }
        manifest = json.dumps(document).encode()
        if platforms:
            own = digest_of(manifest)
            self.answers[f"manifests/{own}"] = (200, manifest)
            entries = [
                {"digest": own, "platform": {"os": "linux", "architecture": each}}
                for each in platforms
            ]
            manifest = json.dumps({"mediaType": INDEXES[0], "manifests": entries}).encode()
        self.answers[f"manifests/{tag}"] = (200, manifest)
        return digest_of(manifest)

    def app(self) -> web.Application:
        """The server."""
        app = web.Application()
        app.router.add_get("/token", self._token)
        app.router.add_get("/v2/" + REPOSITORY + "/{rest:.*}", self._answer)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        user, password = self.login or ("", "")
        wanted = base64.b64encode(f"{user}:{password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return web.Response(status=401, text="wrong password")
        return web.json_response({"token": "let-me-in"})

    async def _answer(self, request: web.Request) -> web.Response:
        rest = request.match_info["rest"]
        self.asked.append(rest)
        if self.login is not None and request.headers.get("Authorization") != "Bearer let-me-in":
            challenge = f'Bearer realm="http://127.0.0.1:{self.port}/token",service="x"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if rest == "tags/list" and rest not in self.answers:
            return web.json_response({"tags": self.tags}, headers=self.headers)
        status, body = self.answers.get(rest, (404, b'{"errors":[{"message":"unknown"}]}'))
        return web.Response(status=status, body=body, headers=self.headers)
