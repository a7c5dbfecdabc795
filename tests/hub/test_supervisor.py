"""The parts of the supervisor that can be seen without a platform."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from despejado_hub.labs.building import build_samples
from despejado_hub.passwords import ALPHABET, hash_password, make_password, password_record
from despejado_hub.supervisor import make_secrets
from despejado_hub.supervisor.child import (
    Child,
    ChildSpec,
    child_environment,
    how_it_ended,
    last_lines,
    open_log,
    pause_before,
)
from despejado_hub.supervisor.errors import SupervisorError
from despejado_hub.supervisor.http import status_of
from despejado_hub.supervisor.ledger import Ledger
from despejado_hub.supervisor.ports import choose, free_port, is_free
from despejado_hub.supervisor.processes import (
    ProcessRecord,
    is_alive,
    kill_now,
    record,
    stop,
    with_descendants,
)
from despejado_hub.supervisor.state import (
    MODES,
    StateFolder,
    closed_ancestor,
    locked,
    write_json,
    write_secret,
)
from hypothesis import given
from hypothesis import strategies as st

CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
STUBBORN = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(
    [sys.executable, "-c", {CHILD!r}], start_new_session=True, stdout=subprocess.PIPE
)
child.stdout.readline()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.create()
    return folder


@pytest.fixture
def stubborn() -> Iterator[ProcessRecord]:
    """A process that ignores SIGTERM, with a child of the same kind in another session."""
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    found = record(process.pid)
    assert found is not None
    # Whoever reaps it: a zombie is not alive, but its id is not free either.
    threading.Thread(target=process.wait, daemon=True).start()
    yield found
    kill_now([found])


# Pauses, words, environment


@given(st.integers(min_value=0, max_value=10_000))
def test_pauses_grow_up_to_half_a_minute(failures: int) -> None:
    assert pause_before(failures) <= pause_before(failures + 1) <= 30


def test_first_restart_comes_at_once() -> None:
    assert pause_before(1) == 0


def test_ends_are_told_in_words() -> None:
    assert how_it_ended(-signal.SIGKILL) == "was ended by SIGKILL"
    assert how_it_ended(3) == "ended with status 3"


def test_processes_inherit_nothing_of_another_platform() -> None:
    found = child_environment(
        {"PATH": "/bin", "JUPYTERHUB_API_TOKEN": "x", "JPY_API_TOKEN": "x", "DESPEJADO_URL": "x"}
    )
    assert "PATH" in found
    assert "x" not in found.values()


def test_long_log_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    log.write_text("old\n" * 2_000_000)
    os.close(open_log(log))
    assert log.stat().st_size == 0
    assert (tmp_path / "hub.log.1").stat().st_size == 8_000_000


def test_end_of_a_log_is_shown_and_a_missing_one_is_nothing(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    log.write_text("one\ntwo\nthree\n")
    assert last_lines(log, 2) == "  | two\n  | three"
    assert last_lines(tmp_path / "none.log", 2) == ""


# State folder


def test_state_is_open_to_pass_and_closed_where_secrets_are(state: StateFolder) -> None:
    for name, mode in MODES.items():
        assert stat.S_IMODE((state.root / name).stat().st_mode) == mode, name
    (state.root / "run").chmod(0o755)
    state.create()
    assert stat.S_IMODE(state.run.stat().st_mode) == 0o700


def test_state_below_a_file_is_refused_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SupervisorError, match=r"cannot be used: .*--state"):
        StateFolder(tmp_path / "file" / "state").create()


def test_closed_folder_on_the_way_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a").chmod(0o700)
    # pytest's own folders may be closed already, higher up.
    assert closed_ancestor(inner) in (tmp_path / "a", tmp_path, *tmp_path.parents)
    assert closed_ancestor(Path("/")) is None


def test_lock_is_for_one_and_names_the_holder(state: StateFolder) -> None:
    refused = pytest.raises(SupervisorError, match=rf"process {os.getpid()}.*--state")
    with locked(state), refused, locked(state):
        pytest.fail("two demos hold one state folder")
    with locked(state):
        pass


def test_file_is_replaced_whole_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_secret(path, "first")
    write_secret(path, "second")
    assert path.read_text() == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    write_json(path, {"third": 3})
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


def test_tokens_are_made_once(state: StateFolder) -> None:
    make_secrets(state.run)
    tokens = {path.name: path.read_text() for path in state.run.glob("*.token")}
    assert set(tokens) == {"proxy.token", "tap.token", "culler.token", "supervisor.token"}
    assert len(set(tokens.values())) == 4
    make_secrets(state.run)
    assert {path.name: path.read_text() for path in state.run.glob("*.token")} == tokens


# Ports


def test_internal_ports_are_kept_and_a_taken_one_is_replaced(state: StateFolder) -> None:
    path = state.run / "ports.json"
    first = choose(path, 0)
    second = choose(path, 0)
    assert {n: second[n] for n in ("hub", "proxy_api", "tap")} == {
        n: first[n] for n in ("hub", "proxy_api", "tap")
    }
    with socket.create_server(("127.0.0.1", first["hub"])):
        third = choose(path, 0)
    assert third["hub"] != first["hub"]
    assert third["tap"] == first["tap"]
    assert len(set(third.values())) == 4


@pytest.mark.parametrize("text", ["", "[]", "{", '{"hub": "x", "tap": -1}', '{"hub": 99999999}'])
def test_unreadable_ports_are_chosen_anew(state: StateFolder, text: str) -> None:
    path = state.run / "ports.json"
    path.write_text(text)
    assert all(0 < port < 65536 for port in choose(path, 0).values())


def test_taken_public_port_names_the_option_and_a_free_one(state: StateFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SupervisorError, match=rf"Port {port} is in use.*--port \d+"):
            choose(state.run / "ports.json", port)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_port_that_somebody_has_on_the_other_loopback_address_is_not_free() -> None:
    with socket.create_server(("::1", free_port()), family=socket.AF_INET6) as other:
        assert not is_free(other.getsockname()[1])


# Processes


async def test_stubborn_tree_is_ended(stubborn: ProcessRecord) -> None:
    tree = with_descendants([stubborn])
    assert len(tree) == 2
    await stop([stubborn], grace=0.1)
    assert not [one for one in tree if is_alive(one)]


async def test_process_that_has_the_id_of_an_earlier_one_is_left_alone(
    stubborn: ProcessRecord,
) -> None:
    earlier = ProcessRecord(stubborn.pid, "1", stubborn.boot)
    other_boot = ProcessRecord(stubborn.pid, stubborn.started, "another boot")
    await stop([earlier, other_boot], grace=0.1)
    kill_now([earlier, other_boot])
    assert is_alive(stubborn)


def test_ledger_finds_what_still_runs(state: StateFolder, stubborn: ProcessRecord) -> None:
    ledger = Ledger(state)
    assert ledger.left_behind() == {}
    gone = ProcessRecord(stubborn.pid, "1", stubborn.boot)
    ledger.write({"hub": stubborn, "tap": gone})
    assert Ledger(state).left_behind() == {"hub": stubborn}
    (state.run / "processes.json").write_text("{ half")
    assert Ledger(state).left_behind() == {}


async def test_process_that_never_works_is_given_up_after_three_attempts(tmp_path: Path) -> None:
    said: list[str] = []

    async def never() -> bool:
        return False

    async def came_back(child: Child) -> None:
        pytest.fail("it never worked")

    log = tmp_path / "x.log"
    code = "import sys; print('the reason'); sys.exit(3)"
    spec = ChildSpec("hub", (sys.executable, "-c", code), log, never)
    child = Child(spec, say=said.append, started=lambda child: None, came_back=came_back)
    child.start(None)
    await child.failed.wait()
    await child.stop()
    assert log.read_text() == "the reason\n" * 3
    assert len(said) == 2
    assert "The hub process ended with status 3; starting it again" in said[0]


async def test_program_that_is_not_there_is_told_like_any_other_end(tmp_path: Path) -> None:
    said: list[str] = []

    async def never() -> bool:
        return False

    async def came_back(child: Child) -> None:
        pytest.fail("it never worked")

    spec = ChildSpec("proxy", (str(tmp_path / "node"),), tmp_path / "x.log", never)
    child = Child(spec, say=said.append, started=lambda child: None, came_back=came_back)
    child.start(None)
    await child.failed.wait()
    await child.stop()
    assert "The proxy process could not be started (No such file or directory)" in said[0]


async def test_nobody_who_listens_is_no_status() -> None:
    assert await status_of("GET", f"http://127.0.0.1:{free_port()}/") is None


# Password


def test_passwords_can_be_typed_and_differ() -> None:
    found = {make_password() for _ in range(50)}
    assert len(found) == 50
    for password in found:
        assert len(password) == 14
        assert set(password) <= {*ALPHABET, "-"}


def test_what_is_kept_of_a_password_is_not_the_password() -> None:
    kept = password_record("open sesame")
    assert "sesame" not in str(kept)
    salt = bytes.fromhex(kept["salt"])
    assert hash_password("open sesame", salt).hex() == kept["scrypt"]
    assert password_record("open sesame") != kept


def test_a_folder_that_everybody_may_write_to_is_no_state_folder(tmp_path: Path) -> None:
    common = tmp_path / "common"
    common.mkdir()
    common.chmod(0o1777)
    with pytest.raises(SupervisorError, match=r"Everybody may write .*--state"):
        StateFolder(common).create()
    assert stat.S_IMODE(common.stat().st_mode) == 0o1777
    assert list(common.iterdir()) == []


async def test_sample_images_are_built_without_the_modules_of_the_folder_and_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "strange" / "despejado" / "samples"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    mark = tmp_path / "ran"
    (package / "__init__.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (package / "__main__.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.chdir(tmp_path / "strange")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "strange"))
    said: list[str] = []
    # A Python without the client: nothing that it may find is ours.
    await build_samples(Path(sys.base_prefix) / "bin" / "python3", tmp_path / "data", said.append)
    assert not mark.exists()
    assert "could not be built" in said[-1]
