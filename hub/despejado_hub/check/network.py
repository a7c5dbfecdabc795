"""Checks of addresses: the port to listen on, and services to talk to."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from xml.parsers import expat

import httpx

from .result import Result

TIMEOUT = httpx.Timeout(5.0)
LARGEST = 200_000
AVAILABILITY = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"


class Unreachable(Exception):
    """A service that does not answer; the text says how."""


def fetch(url: str) -> tuple[int, bytes]:
    """Status and the first bytes of an answer; raises Unreachable. Redirects are not followed."""
    try:
        with httpx.Client(timeout=TIMEOUT) as client, client.stream("GET", url) as answer:
            body = b""
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    break
            return answer.status_code, body[:LARGEST]
    except httpx.TimeoutException:
        raise Unreachable("no answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(str(error) or type(error).__name__) from None


def check_port(
    host: str, port: int, name: str = "address", key: str = "public.host"
) -> Iterator[Result]:
    """Whether the platform can listen at an address, which ``key`` of the file names."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        yield Result(name, "fail", f"{host} is not known: {error.strerror}", f"correct {key}")
        return
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        yield _port_trouble(name, host, port, key, error)
        return
    yield Result(name, "ok", f"{host} port {port} is free")


def _port_trouble(name: str, host: str, port: int, key: str, error: OSError) -> Result:
    if error.errno == errno.EADDRINUSE:
        if _is_hub(host, port):
            return Result(name, "ok", f"{host} port {port} is in use by a JupyterHub that answers")
        message = f"{host} port {port} is in use by another program"
        return Result(name, "fail", message, "stop that, or choose another public.port")
    if error.errno == errno.EADDRNOTAVAIL:
        message = f"{host} is no address of this machine"
        return Result(name, "fail", message, f"correct {key}")
    message = f"{host} port {port} cannot be listened on: {os.strerror(error.errno or 0)}"
    return Result(name, "fail", message, "choose a public.port of 1024 or more")


def _is_hub(host: str, port: int) -> bool:
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            answer = client.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return "x-jupyterhub-version" in answer.headers


def check_tap(name: str, url: str) -> Iterator[Result]:
    """Whether a TAP service says that it is available (VOSI 1.1, section 5)."""
    address = f"{url.rstrip('/')}/availability"
    try:
        status, body = fetch(address)
    except Unreachable as error:
        yield Result(
            name, "fail", f"{address}: {error}", "check the address, and that the service runs"
        )
        return
    if status in {401, 403}:
        yield Result(name, "ok", f"{url} answers (its availability is for users who log in)")
        return
    available, note = read_availability(body) if status == 200 else (None, "")
    if available is None:
        yield Result(
            name,
            "fail",
            f"{address} answers {status} without a VOSI availability document",
            "check that this is the address of a TAP service (it ends before /sync)",
        )
    elif available:
        yield Result(name, "ok", f"{url} is available")
    else:
        said = f"{url} says that it is not available" + (f": {note}" if note else "")
        yield Result(name, "fail", said, "wait, or ask who runs it")


def read_availability(body: bytes) -> tuple[bool | None, str]:
    """``available`` and ``note`` of a VOSI availability document; None if it is not one."""
    texts: dict[str, str] = {}
    path: list[str] = []

    def start(tag: str, _: dict[str, str]) -> None:
        path.append(tag)

    def end(_: str) -> None:
        path.pop()

    def text(data: str) -> None:
        if len(path) == 2 and path[0] == f"{AVAILABILITY} availability":
            texts[path[1]] = texts.get(path[1], "") + data

    def refuse_doctype(*_: object) -> None:
        raise expat.ExpatError("a document type is not part of VOSI")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return None, ""
    value = texts.get(f"{AVAILABILITY} available", "").strip()
    note = " ".join(texts.get(f"{AVAILABILITY} note", "").split())[:200]
    return {"true": True, "1": True, "false": False, "0": False}.get(value), note


def check_firefly(url: str) -> Iterator[Result]:
    """Whether a Firefly server answers its health check, as its Python client asks it."""
    address = f"{url.rstrip('/')}/healthz"
    try:
        status, _ = fetch(address)
    except Unreachable as error:
        yield Result(
            "firefly", "fail", f"{address}: {error}", "check firefly.url, and that it runs"
        )
        return
    if status == 200:
        yield Result("firefly", "ok", f"{url} answers")
    elif status in {301, 302, 303, 307, 308, 401, 403}:
        yield Result(
            "firefly",
            "warn",
            f"{address} asks for a login ({status})",
            "see that labs reach it with their users' tokens",
        )
    else:
        yield Result(
            "firefly",
            "fail",
            f"{address} answers {status}",
            "check that firefly.url ends in the server's path, usually /firefly",
        )
