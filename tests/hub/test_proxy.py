"""The bundled proxy: real node, real bundle, loopback."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from despejado_hub.supervisor.prepare import PAGES
from despejado_hub.supervisor.settings import node_program, proxy_bundle

from tests.hub.running_demo import until

TOKEN = "a-token-of-this-test"


class Upstream(BaseHTTPRequestHandler):
    """Answers with its path, or with an event stream whose second event waits for the reader."""

    protocol_version = "HTTP/1.1"
    first_was_read = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"data: first\n\n")
            self.wfile.flush()
            self.first_was_read.wait(30)
            self.wfile.write(b"data: second\n\n")
            self.close_connection = True
            return
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configuration(folder: Path, target: str) -> dict[str, Any]:
    token = folder / "token"
    token.write_text(f"{TOKEN}\n")
    return {
        "hosts": ["127.0.0.1", "::1"],
        "port": _port(),
        "api_port": _port(),
        "token_file": str(token),
        "default_target": target,
        "error_target": f"{target}/hub/error",
        "error_path": str(PAGES / "offline"),
        "log_level": "info",
    }


def _launch(folder: Path, configuration: dict[str, Any]) -> subprocess.Popen[str]:
    file = folder / "proxy.json"
    file.write_text(json.dumps(configuration))
    return subprocess.Popen(
        [node_program(), proxy_bundle(), file], stderr=subprocess.PIPE, text=True
    )


class Proxy:
    def __init__(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration
        self.url = f"http://127.0.0.1:{configuration['port']}"
        self.api = f"http://127.0.0.1:{configuration['api_port']}/api/routes"
        self.headers = {"Authorization": f"token {TOKEN}"}

    def answers(self) -> bool:
        try:
            return httpx.get(self.api).status_code == 403
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, upstream: str) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    configuration = _configuration(folder, upstream)
    process = _launch(folder, configuration)
    found = Proxy(configuration)
    until(found.answers, "the proxy does not start")
    yield found
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_it_forwards_to_the_hub_before_it_has_routes(proxy: Proxy) -> None:
    assert httpx.get(f"{proxy.url}/hub/login").text == "/hub/login"


def test_routes_need_the_token_of_the_file(proxy: Proxy, upstream: str) -> None:
    assert httpx.get(proxy.api).status_code == 403
    wrong = {"Authorization": "token something-else"}
    assert httpx.post(f"{proxy.api}/x", headers=wrong, json={"target": upstream}).status_code == 403
    made = httpx.post(f"{proxy.api}/user/x", headers=proxy.headers, json={"target": upstream})
    assert made.status_code == 201
    assert "/user/x" in httpx.get(proxy.api, headers=proxy.headers).json()


def test_event_stream_arrives_event_by_event(proxy: Proxy) -> None:
    Upstream.first_was_read.clear()
    with httpx.stream("GET", f"{proxy.url}/events", timeout=20) as answer:
        lines = (line for line in answer.iter_lines() if line)
        # The second event is not sent before the first has arrived: a proxy that holds the
        # stream back never gets here.
        assert next(lines) == "data: first"
        Upstream.first_was_read.set()
        assert next(lines) == "data: second"


def test_dropped_websockets_do_not_end_the_proxy(proxy: Proxy) -> None:
    """Laptops close while their lab still writes: one connection is lost, not everybody's."""
    with socket.create_server(("127.0.0.1", 0)) as lab:
        target = {"target": f"http://127.0.0.1:{lab.getsockname()[1]}"}
        httpx.post(f"{proxy.api}/user/ws", headers=proxy.headers, json=target)
        for _ in range(20):
            _drop_websocket(proxy, lab)
    httpx.delete(f"{proxy.api}/user/ws", headers=proxy.headers)
    assert httpx.get(f"{proxy.url}/hub/login").text == "/hub/login"


def test_answer_that_breaks_off_ends_for_the_client_too(proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        target = {"target": f"http://127.0.0.1:{service.getsockname()[1]}"}
        httpx.post(f"{proxy.api}/broken", headers=proxy.headers, json=target)
        client = socket.create_connection(("127.0.0.1", proxy.configuration["port"]))
        client.settimeout(20)
        client.sendall(b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
        accepted, _ = service.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(65536):
                received += part
        assert received.endswith(b"only this")
        client.close()


def _drop_websocket(proxy: Proxy, lab: socket.socket) -> None:
    """Open a WebSocket through the proxy, reset it, and let the lab go on writing."""
    client = socket.create_connection(("127.0.0.1", proxy.configuration["port"]))
    client.sendall(
        b"GET /user/ws/channels HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n"
    )
    accepted, _ = lab.accept()
    with accepted:
        accepted.recv(65536)
        accepted.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert client.recv(65536).startswith(b"HTTP/1.1 101")
        reset = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        client.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(50):
                accepted.sendall(b"x" * 65536)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_localhost_is_the_proxy_on_both_its_addresses(proxy: Proxy) -> None:
    port = proxy.configuration["port"]
    assert httpx.get(f"http://[::1]:{port}/hub/login").text == "/hub/login"


def test_target_that_is_gone_gives_a_page_and_503(proxy: Proxy) -> None:
    gone = {"target": f"http://127.0.0.1:{_port()}"}
    httpx.post(f"{proxy.api}/gone", headers=proxy.headers, json=gone)
    assert httpx.get(f"{proxy.url}/gone").status_code == 503


def test_without_a_hub_it_says_so_on_a_page_of_its_own(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, f"http://127.0.0.1:{_port()}")
    process = _launch(tmp_path, configuration)
    try:
        proxy = Proxy(configuration)
        until(proxy.answers, "the proxy does not start")
        answer = httpx.get(f"{proxy.url}/hub/login")
        assert answer.status_code == 503
        assert "The hub is not there at the moment" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"port": None}, ["port", "missing"]),
        ({"prot": 1}, ["unknown key", "prot"]),
        ({"log_level": "loud"}, ["loud", "debug, info, warn, error"]),
        ({"token_file": "/nowhere/token"}, ["/nowhere/token"]),
    ],
)
def test_wrong_configuration_is_refused_with_the_key(
    tmp_path: Path, upstream: str, change: dict[str, Any], words: list[str]
) -> None:
    configuration = {**_configuration(tmp_path, upstream), **change}
    process = _launch(tmp_path, {k: v for k, v in configuration.items() if v is not None})
    _, problem = process.communicate(timeout=20)
    assert process.returncode != 0
    for word in words:
        assert word in problem


def test_taken_port_ends_it_with_one_line(tmp_path: Path, upstream: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        configuration = _configuration(tmp_path, upstream)
        configuration["port"] = other.getsockname()[1]
        process = _launch(tmp_path, configuration)
        _, problem = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "EADDRINUSE" in problem
    assert str(configuration["port"]) in problem


def test_licences_of_everything_in_the_bundle_are_beside_it() -> None:
    folder = proxy_bundle().parent
    text = (folder / "THIRD-PARTY-LICENSES.txt").read_text()
    for package in ("configurable-http-proxy", "http-proxy-3", "prom-client"):
        assert f"\n{package} " in text
    assert proxy_bundle().stat().st_size < 500_000
