"""A registry on loopback that says no in each way that registries do, by the image's name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIGEST = "sha256:" + "a" * 64
INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": DIGEST,
            "size": 500,
            "platform": {"architecture": "s390x", "os": "linux"},
        }
    ],
}
ERRORS = {
    "unauthorized": (401, "UNAUTHORIZED", "authentication required"),
    "hidden": (401, "UNAUTHORIZED", "authentication required"),
    "forbidden": (403, "DENIED", "requested access to the resource is denied"),
    "busy": (429, "TOOMANYREQUESTS", "You have reached your pull rate limit"),
    "fault": (503, "UNKNOWN", "unknown error"),
}


class Handler(BaseHTTPRequestHandler):
    """``/v2/<how>/lab/...`` is answered as ``how`` says; ``slow`` is not answered at all."""

    closing = threading.Event()

    def do_GET(self) -> None:
        how = self.path.split("/")[2] if self.path.startswith("/v2/") else self.path.strip("/")
        if how == "slow":
            self.closing.wait(300)
            return
        if how == "processor":
            body = json.dumps(INDEX).encode()
            self._answer(200, body, {"Content-Type": INDEX["mediaType"]})
            return
        if how.startswith("token"):
            self._answer(403, b'{"details": "access denied"}', {})
            return
        status, code, message = ERRORS.get(how, (404, "MANIFEST_UNKNOWN", "manifest unknown"))
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._answer(status, body, self._challenge(how))

    do_HEAD = do_GET

    def _challenge(self, how: str) -> dict[str, str]:
        if how == "unauthorized":
            return {"Www-Authenticate": 'Basic realm="observatory"'}
        if how == "hidden":
            realm = f"http://{self.headers['Host']}/token"
            return {"Www-Authenticate": f'Bearer realm="{realm}",service="registry"'}
        return {}

    def _answer(self, status: int, body: bytes, headers: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def unwilling_registry() -> Iterator[str]:
    """The registry's host and port, while it listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        Handler.closing.set()
        server.shutdown()
        thread.join()
