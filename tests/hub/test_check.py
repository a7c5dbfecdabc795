"""``despejado check``: what it tries, and what it says to do."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from despejado_hub.check import datasets, folders, network
from despejado_hub.check.result import Result, exit_code
from despejado_hub.check.runner import check_platform, run_checks
from despejado_hub.check.secrets import check_secrets
from despejado_hub.config import Platform
from despejado_hub.config.model import Dataset
from despejado_hub.identity import source_of
from despejado_hub.identity.registry import EmbeddedRegistry
from despejado_hub.labs.processes.checks import check_labs

AVAILABLE = (
    b'<?xml version="1.0"?><v:availability xmlns:v="http://www.ivoa.net/xml/VOSIAvailability/v1.0">'
    b"<v:available>true</v:available></v:availability>"
)
DOWN = AVAILABLE.replace(b"true", b"false").replace(
    b"</v:available>", b"</v:available><v:note>moving house</v:note>"
)


def platform(**sections: object) -> Platform:
    return Platform.model_validate({"version": 1, "name": "Test", **sections})


def only(results: Iterator[Result]) -> Result:
    [result] = results
    return result


@pytest.fixture
def serve() -> Iterator[Callable[[int, bytes], str]]:
    """A server on loopback that gives one answer to everything."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/tap"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can pass (pytest's own are closed)."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_usable_state_folder_is_ok_and_left_empty(open_folder: Path) -> None:
    assert only(folders.check_state(open_folder)).state == "ok"
    assert not list(open_folder.iterdir())
    missing = only(folders.check_state(open_folder / "new" / "state"))
    assert "will be made" in missing.message
    assert not (open_folder / "new").exists()


def test_a_file_in_place_of_the_state_folder_is_told(open_folder: Path) -> None:
    (open_folder / "file").touch()
    assert "is not a folder" in only(folders.check_state(open_folder / "file" / "x")).message


@pytest.mark.root
def test_a_state_folder_that_labs_cannot_reach_is_told(open_folder: Path) -> None:
    closed = open_folder / "closed"
    (closed / "state").mkdir(parents=True)
    closed.chmod(0o700)
    result = only(folders.check_state(closed / "state"))
    assert result.state == "fail"
    assert result.advice is not None
    assert f"chmod o+x {closed}" in result.advice


@pytest.mark.parametrize(
    ("free", "state"), [(2**30, "fail"), (5 * 2**30, "warn"), (50 * 2**30, "ok")]
)
def test_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert only(folders.check_space(tmp_path / "state")).state == state


def test_a_free_port_is_ok_and_a_taken_one_told(free_port: int) -> None:
    assert only(network.check_port("127.0.0.1", free_port)).state == "ok"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        result = only(network.check_port("127.0.0.1", taken))
    assert result.state == "fail"
    assert "in use by another program" in result.message


def test_an_address_of_another_machine_is_told(free_port: int) -> None:
    assert "no address of this machine" in only(network.check_port("192.0.2.1", free_port)).message


def test_a_tap_service_that_is_available_is_ok(serve: Callable[[int, bytes], str]) -> None:
    assert only(network.check_tap("tap", serve(200, AVAILABLE))).state == "ok"
    assert only(network.check_tap("tap", serve(401, b""))).state == "ok"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, DOWN, "moving house"),
        (200, b"<html>hello</html>", "without a VOSI"),
        (200, b"not xml", "without a VOSI"),
        (200, b'<!DOCTYPE a [<!ENTITY b "c">]>' + AVAILABLE[21:], "without a VOSI"),
        (404, b"", "answers 404"),
        (500, AVAILABLE, "answers 500"),
    ],
)
def test_a_tap_service_that_is_not_available_is_told(
    serve: Callable[[int, bytes], str], status: int, body: bytes, said: str
) -> None:
    result = only(network.check_tap("tap", serve(status, body)))
    assert result.state == "fail"
    assert said in result.message
    assert result.advice


def test_nobody_at_an_address_is_told(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/x"
    assert only(network.check_tap("tap", url)).state == "fail"
    assert only(network.check_firefly(url)).state == "fail"


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (302, "warn"), (404, "fail")])
def test_firefly_is_asked_for_its_health(
    serve: Callable[[int, bytes], str], status: int, state: str
) -> None:
    assert only(network.check_firefly(serve(status, b""))).state == state


def test_a_repository_is_readable_or_told(open_folder: Path) -> None:
    missing = only(datasets.check_repository("b", str(open_folder), open_folder))
    assert "butler.yaml cannot be read" in missing.message
    (open_folder / "butler.yaml").write_text("datastore: {}\n")
    assert only(datasets.check_repository("b", str(open_folder), open_folder)).state == "ok"
    assert only(datasets.check_repository("b", f"file://{open_folder}", open_folder)).state == "ok"


def test_a_repository_that_readers_cannot_open_is_told(open_folder: Path) -> None:
    (open_folder / "butler.yaml").write_text("{}\n")
    with sqlite3.connect(open_folder / "gen3.sqlite3") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x)")
    database.close()
    result = only(datasets.check_repository("b", str(open_folder), open_folder))
    assert result.state == "fail"
    assert "WAL" in result.message


@pytest.mark.root
def test_a_repository_that_users_cannot_read_is_told(open_folder: Path) -> None:
    (open_folder / "butler.yaml").write_text("{}\n")
    (open_folder / "butler.yaml").chmod(0o600)
    result = only(datasets.check_repository("b", str(open_folder), open_folder))
    assert result.advice == f"chmod -R o+rX {open_folder.resolve()}"


def test_repositories_elsewhere(serve: Callable[[int, bytes], str], tmp_path: Path) -> None:
    assert only(datasets.check_repository("b", serve(200, b"{}"), tmp_path)).state == "ok"
    assert only(datasets.check_repository("b", serve(404, b""), tmp_path)).state == "fail"
    assert only(datasets.check_repository("b", "s3://bucket/repo", tmp_path)).state == "warn"


def test_a_data_set_without_data_is_told(tmp_path: Path) -> None:
    assert only(datasets.check_dataset("empty", Dataset(), tmp_path)).state == "warn"


def secret(**source: object) -> Platform:
    return platform(hub={"login": {"password": {"secret": source}}})


def test_a_secret_is_read_and_its_mode_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    file.chmod(0o644)
    loose = only(check_secrets(secret(file=str(file))))
    assert (loose.state, loose.advice) == ("fail", f"chmod 0400 {file}")
    file.chmod(0o400)
    assert only(check_secrets(secret(file=str(file)))).state == "ok"
    file.unlink()
    missing = only(check_secrets(secret(file=str(file))))
    assert "No such file" in missing.message
    assert "hunter2" not in "".join(map(str, (loose, missing)))


def test_a_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESPEJADO_TEST_SECRET", raising=False)
    assert only(check_secrets(secret(env="DESPEJADO_TEST_SECRET"))).state == "fail"
    monkeypatch.setenv("DESPEJADO_TEST_SECRET", "x")
    assert only(check_secrets(secret(env="DESPEJADO_TEST_SECRET"))).state == "ok"


def test_a_registry_that_is_gone_while_homes_are_there_is_told(tmp_path: Path) -> None:
    assert only(source_of(platform(), tmp_path).check()).state == "ok"
    (tmp_path / "homes" / "rachel").mkdir(parents=True)
    gone = only(source_of(platform(), tmp_path).check())
    assert (gone.state, gone.advice) == ("fail", "restore it from the backup")
    (tmp_path / "hub").mkdir()
    EmbeddedRegistry(tmp_path / "hub" / "identities.sqlite").assign("rachel")
    assert "1 UIDs" in only(source_of(platform(), tmp_path).check()).message
    (tmp_path / "hub" / "identities.sqlite").write_bytes(b"broken" * 1000)
    assert "damaged" in only(source_of(platform(), tmp_path).check()).message


def test_sizes_larger_than_the_machine_are_told(tmp_path: Path) -> None:
    sizes = {"small": {"cpu": 1, "memory": "1Mi"}, "colossal": {"cpu": 1, "memory": "900Ti"}}
    results = {each.name: each for each in check_labs(platform(labs={"sizes": sizes}), tmp_path)}
    assert results["sizes"].state == "warn"
    assert "colossal" in results["sizes"].message


def test_a_check_that_hangs_or_breaks_is_one_line() -> None:
    release = threading.Event()

    def hang() -> list[Result]:
        release.wait()
        return []

    def explode() -> list[Result]:
        raise ZeroDivisionError("oh")

    well = Result("well", "ok", "fine")
    checks = {"hangs": hang, "breaks": explode, "well": lambda: [well]}
    results = run_checks(checks, patience=0.2)
    release.set()
    assert [result.state for result in results] == ["fail", "fail", "ok"]
    assert "no answer within" in results[0].message
    assert "ZeroDivisionError: oh" in results[1].message
    assert exit_code(results) == 1
    assert exit_code([well]) == 0


def test_everything_that_a_file_names_is_tried(
    open_folder: Path, serve: Callable[[int, bytes], str], free_port: int
) -> None:
    named = platform(
        public={"port": free_port},
        datasets={"sky": {"butler": serve(200, b"{}"), "tap": serve(200, AVAILABLE)}},
        firefly={"url": serve(200, b"")},
    )
    results = {each.name: each.state for each in check_platform(named, open_folder)}
    assert {"state folder", "space", "address", "secrets", "identity", "images"} <= set(results)
    tried = ("dataset sky, Butler", "dataset sky, TAP", "firefly", "address", "state folder")
    assert {results[name] for name in tried} == {"ok"}
    assert not [name for name in results if results[name] == "fail" and name != "space"]
    assert not list(open_folder.iterdir())
