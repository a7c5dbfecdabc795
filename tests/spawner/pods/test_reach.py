"""A lab's server answers: noticed when it does, whatever came before."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.first_answer import NoAnswer, answers

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Length: 2\r\n\r\n{}"


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} Fine", "Content-Length: 0", *headers, "", ""]
    return "\r\n".join(lines).encode()


def saying(*replies: bytes) -> Handler:
    """A server that gives these replies in turn, the last one for ever; b"" hangs up."""
    left = list(replies)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()

    return handle


@asynccontextmanager
async def server(
    handler: Handler, port: int = 0, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    made = await asyncio.start_server(handler, host, port, ssl=tls)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()


def url(port: int, host: str = "127.0.0.1", scheme: str = "http") -> str:
    return f"{scheme}://{host}:{port}/user/rachel/api"


async def test_the_first_answer_is_taken() -> None:
    async with server(saying(OK)) as port:
        answer = await answers(url(port), deadline=Deadline.after(5))
    assert (answer.status, answer.hub_version, answer.attempts) == (200, "6.1.1", 1)


@pytest.mark.parametrize("code", [302, 401, 403, 404, 405])
async def test_any_answer_of_the_server_is_one(code: int) -> None:
    reply = status(code, "Location: http://hub.invalid/login")
    async with server(saying(reply)) as port:
        answer = await answers(url(port), deadline=Deadline.after(5))
    assert (answer.status, answer.attempts) == (code, 1)


async def test_a_server_that_listens_before_it_can_answer_is_asked_once() -> None:
    """As our launcher does: the request waits in the backlog of a socket nobody accepts from."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    asking = asyncio.create_task(answers(url(port), deadline=Deadline.after(10)))
    await asyncio.sleep(1.5)  # longer than any pause or connection timeout of ours
    assert not asking.done()
    made = await asyncio.start_server(saying(OK), sock=listener)
    answer = await asking
    assert answer.attempts == 1
    made.close()


async def test_a_refused_connection_is_tried_again_soon(free_port: int) -> None:
    asking = asyncio.create_task(answers(url(free_port), deadline=Deadline.after(10)))
    await asyncio.sleep(0.4)
    assert not asking.done()
    async with server(saying(OK), free_port):
        async with asyncio.timeout(1):
            answer = await asking
    assert answer.attempts > 3


async def test_pauses_grow_to_half_a_second(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    with monkeypatch.context() as patched:
        patched.setattr("despejado_spawner.pods.cluster.first_answer.asyncio.sleep", sleep)
        asking = asyncio.create_task(answers(url(free_port), deadline=Deadline.after(10)))
        while len(pauses) < 12:
            await real(0.01)
        asking.cancel()
    assert pauses[0] == 0.05
    assert pauses[11] == 0.5


@pytest.mark.parametrize(
    "first",
    [status(503), status(500), b"", b"what is this\r\n\r\n"],
    ids=["not ready", "error", "hangs up", "no HTTP"],
)
async def test_a_server_that_is_not_itself_yet_is_asked_again(first: bytes) -> None:
    async with server(saying(first, first, OK)) as port:
        answer = await answers(url(port), deadline=Deadline.after(5))
    assert answer.status == 200
    assert answer.attempts > 1


async def test_what_was_seen_is_told_when_the_time_is_over(free_port: int) -> None:
    with pytest.raises(NoAnswer) as caught:
        await answers(url(free_port), deadline=Deadline.after(0.4))
    assert caught.value.reason == "timeout"
    assert caught.value.attempts > 1
    assert url(free_port) in str(caught.value)
    assert "Connect call failed" in str(caught.value)
    async with server(saying(status(503))) as port:
        with pytest.raises(NoAnswer, match="last answer was 503"):
            await answers(url(port), deadline=Deadline.after(0.3))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = url(listener.getsockname()[1])
        with pytest.raises(NoAnswer, match="accepted, but no answer came"):
            await answers(silent, deadline=Deadline.after(0.3))
    with pytest.raises(NoAnswer):
        await answers(silent, deadline=Deadline.after(-1))


async def test_an_error_without_words_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionAbortedError

    monkeypatch.setattr(aiohttp.ClientSession, "get", fail)
    with pytest.raises(NoAnswer, match="last error was: ConnectionAbortedError"):
        await answers(url(1), deadline=Deadline.after(0.1))


async def test_a_lost_packet_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A listener whose backlog is full drops packets, as a node without a route yet does."""
    monkeypatch.setattr("despejado_spawner.pods.cluster.first_answer.FIRST_CONNECT", 0.2)
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        with pytest.raises(NoAnswer, match="No connection could be made") as caught:
            await answers(url(address[1]), deadline=Deadline.after(1.0))
    assert caught.value.attempts == 3  # 0.2 s, 0.4 s, and 0.8 s that were cut short


async def test_asking_can_be_cancelled_and_leaves_no_connection() -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side closes
        gone.set()
        writer.close()

    async with server(silent) as port:
        asking = asyncio.create_task(answers(url(port), deadline=Deadline.never()))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(5):
            await gone.wait()


async def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        running = server(saying(OK), host="::1")
        async with running as port:
            answer = await answers(url(port, "[::1]"), deadline=Deadline.after(5))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    assert answer.status == 200


async def test_tls_with_a_certificate_of_the_hub(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with server(saying(OK), tls=tls) as port:
        address = url(port, scheme="https")
        answer = await answers(address, deadline=Deadline.after(5), ssl=trusting)
        assert answer.status == 200
        with pytest.raises(NoAnswer, match="certificate"):
            await answers(address, deadline=Deadline.after(0.3))


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "lab.crt", folder / "lab.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
