"""The demo as its users run it: a process, real parts, loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.hub.running_demo import Person, RunningDemo, none_left, open_folder, until


@pytest.fixture(scope="module")
def demo() -> Iterator[RunningDemo]:
    with open_folder() as folder:
        running = RunningDemo(folder)
        try:
            yield running.start()
        finally:
            running.stop()


@pytest.fixture
def fresh() -> Iterator[RunningDemo]:
    """A demo that the test starts and ends itself."""
    with open_folder() as folder:
        running = RunningDemo(folder)
        yield running
        running.stop()


@pytest.fixture
def rachel(demo: RunningDemo) -> Person:
    return Person(demo, "rachel").log_in()


def test_ready_file_says_everything_that_a_script_needs(demo: RunningDemo) -> None:
    ready = demo.ready
    assert set(ready) == {"url", "user", "password", "services", "processes"}
    assert set(ready["processes"]) == {"hub", "proxy", "tap", "culler"}
    assert ready["services"] == {"tap": f"{ready['url']}services/tap"}
    assert stat.S_IMODE(demo.ready_file.stat().st_mode) == 0o600


def test_terminal_shows_address_user_and_password(demo: RunningDemo) -> None:
    for word in (demo.url, demo.ready["user"], demo.ready["password"]):
        assert word in demo.output


def test_login_needs_the_password(demo: RunningDemo) -> None:
    answer = Person(demo, "rachel").form("/hub/login", username="rachel", password="guess")
    assert answer.status_code == 403
    assert "This is not the password. It is printed in the terminal" in answer.text


@pytest.mark.parametrize("name", ["", "Räuber", "../root", "a b", "x" * 65, "12345", "<b>x</b>"])
def test_login_refuses_a_name_that_cannot_be_a_users_and_says_why(
    demo: RunningDemo, name: str
) -> None:
    person = Person(demo, name)
    answer = person.form("/hub/login", username=name, password=person.password)
    assert answer.status_code == 400
    assert "user name" in answer.text
    assert "<b>x</b>" not in answer.text


def test_login_form_without_its_token_is_refused(demo: RunningDemo) -> None:
    fields = {"username": "rachel", "password": str(demo.ready["password"])}
    answer = httpx.post(f"{demo.url}hub/login", data=fields)
    assert answer.status_code == 403


def test_only_loopback_listens(demo: RunningDemo) -> None:
    found = [
        connection.laddr.ip
        for pid in demo.pids.values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert found
    assert set(found) <= {"127.0.0.1", "::1"}


def test_query_without_a_token_is_refused(demo: RunningDemo) -> None:
    answer = httpx.get(f"{demo.ready['services']['tap']}/tables")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]


def test_query_with_a_data_token_is_answered(demo: RunningDemo, rachel: Person) -> None:
    token = rachel.token("custom:tap:query")
    answer = httpx.get(
        f"{demo.ready['services']['tap']}/sync",
        params={"LANG": "ADQL", "QUERY": "SELECT TOP 3 * FROM tap_schema.tables"},
        headers={"Authorization": f"Bearer {token}"},
        follow_redirects=True,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert "VOTABLE" in answer.text


def test_query_with_a_token_for_something_else_is_refused(
    demo: RunningDemo, rachel: Person
) -> None:
    token = rachel.token("access:servers!user")
    answer = httpx.get(
        f"{demo.ready['services']['tap']}/tables", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code in (401, 403)


def test_data_token_cannot_act_on_the_hub(demo: RunningDemo, rachel: Person) -> None:
    headers = {"Authorization": f"token {rachel.token('custom:tap:query')}"}
    seen = httpx.get(f"{demo.url}hub/api/users/rachel", headers=headers)
    # Who it belongs to, and nothing of what they have.
    assert set(seen.json()) <= {"name", "kind", "admin", "groups", "user_info"}
    started = httpx.post(f"{demo.url}hub/api/users/rachel/server", headers=headers)
    assert started.status_code in (403, 404)


def test_menu_needs_a_login_and_lists_the_plain_environment(
    demo: RunningDemo, rachel: Person
) -> None:
    assert httpx.get(f"{demo.url}hub/despejado/menu").status_code != 200
    answer = rachel.http.get("/hub/despejado/menu")
    assert answer.headers["content-type"].startswith("application/json")
    assert "plain" in [image["tag"] for image in answer.json()["images"]]


def test_discovery_is_public_and_names_the_services(demo: RunningDemo) -> None:
    document = httpx.get(f"{demo.url}hub/despejado/discovery").json()
    services = document["datasets"]["sample"]["services"]
    assert services["tap"]["url"] == demo.ready["services"]["tap"]


def test_wrong_spawn_option_is_a_400_with_the_field(demo: RunningDemo, rachel: Person) -> None:
    answer = rachel.api("POST", "/users/rachel/server", image="w_1999_01", size="small")
    assert answer.status_code == 400
    assert "w_1999_01" in answer.text


def test_database_has_a_write_ahead_log(demo: RunningDemo) -> None:
    database = demo.folder / "state" / "hub" / "jupyterhub.sqlite"
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_secrets_are_closed_and_not_in_the_listings(demo: RunningDemo) -> None:
    run = demo.folder / "state" / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    tokens = {path: path.read_text() for path in run.glob("*.token")}
    assert len(tokens) == 4
    for path in tokens:
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    cookie_secret = demo.folder / "state" / "hub" / "cookie_secret"
    assert stat.S_IMODE(cookie_secret.stat().st_mode) == 0o400
    shown = [word for one in demo.everything() for word in one.cmdline()]
    shown += [value for one in demo.everything() for value in one.environ().values()]
    for secret in (*tokens.values(), str(demo.ready["password"])):
        assert not [word for word in shown if secret in word]


@pytest.mark.parametrize("name", ["proxy", "tap", "culler", "hub"])
def test_killed_process_comes_back(demo: RunningDemo, rachel: Person, name: str) -> None:
    before = demo.pids
    os.kill(before[name], signal.SIGKILL)
    until(lambda: demo.pids.get(name, before[name]) != before[name], f"{name} is not back")
    others = {other: pid for other, pid in before.items() if other != name}
    assert {other: demo.pids[other] for other in others} == others
    assert f"The {name} process was ended by SIGKILL; starting it again" in demo.output
    # Everything works as before, through the new process.
    until(lambda: f"The {name} process works again." in demo.output, f"{name} does not work")
    assert httpx.get(f"{demo.url}hub/login").status_code == 200
    assert httpx.get(f"{demo.ready['services']['tap']}/availability").status_code == 200
    assert rachel.http.get("/hub/home").status_code == 200


def test_taken_port_is_told_with_the_option_that_helps() -> None:
    with open_folder() as folder, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        demo = RunningDemo(folder, port=port)
        assert demo.launch().wait(60) == 1
        assert f"Port {port} is in use" in demo.output
        assert "--port" in demo.output
        assert "Traceback" not in demo.output


def test_second_demo_on_one_state_is_refused_and_the_first_goes_on(demo: RunningDemo) -> None:
    second = RunningDemo(demo.folder, state=demo.state)
    first_file, own_file = demo.ready_file.read_text(), demo.folder / "second.json"
    second.options = ("--no-build", "--ready-file", str(own_file))
    process = second.launch()
    assert process.wait(60) == 1
    assert f"A platform already runs on the state folder {demo.folder / 'state'}" in demo.output
    assert str(demo.process.pid if demo.process else "") in demo.output
    assert json.loads(first_file)["url"] == demo.url
    assert not own_file.exists()
    assert httpx.get(f"{demo.url}hub/login").status_code == 200


def test_broken_platform_is_told_before_anything_is_started() -> None:
    with open_folder() as folder:
        platform = folder / "platform.yaml"
        platform.write_text("version: 1\nname: X\nhubb: {}\n")
        demo = RunningDemo(folder, options=("-f", str(platform)))
        assert demo.launch().wait(60) != 0
        assert "hubb" in demo.output
        assert "Traceback" not in demo.output
        assert not (folder / "state" / "run" / "hub.json").exists()


def test_stop_after_the_hub_was_killed_leaves_no_process(fresh: RunningDemo) -> None:
    processes = fresh.start().everything()
    os.kill(fresh.pids["hub"], signal.SIGKILL)
    assert fresh.stop() == 0
    assert none_left(processes)
    assert not (fresh.folder / "state" / "run" / "processes.json").read_text().strip("{}\n ")


def test_second_ctrl_c_stops_at_once(fresh: RunningDemo) -> None:
    processes = fresh.start().everything()
    # A hub that does not answer would be waited for.
    os.kill(fresh.pids["hub"], signal.SIGSTOP)
    fresh.signal(signal.SIGINT)
    until(lambda: "Stopping" in fresh.output, "it does not say that it stops")
    fresh.signal(signal.SIGINT)
    assert fresh.process is not None
    assert fresh.process.wait(5) == 130
    until(lambda: none_left(processes), "processes are left", seconds=5)


def test_leftovers_of_a_killed_supervisor_are_ended_at_the_next_start(
    fresh: RunningDemo,
) -> None:
    first = fresh.start().everything()
    password = fresh.ready["password"]
    fresh.signal(signal.SIGKILL)
    assert fresh.process is not None
    fresh.process.wait(10)
    assert not none_left(first)
    fresh.ready_file.unlink()
    second = fresh.start().everything()
    assert "An earlier run ended without cleaning up" in fresh.output
    assert none_left(first)
    assert fresh.ready["password"] != password
    # The terminal was closed: an end like any other.
    fresh.signal(signal.SIGHUP)
    assert fresh.process.wait(60) == 0
    assert none_left(second)


@pytest.mark.parametrize("state", ["my state/of the demo"])
def test_state_is_kept_and_stops_leave_no_process(fresh: RunningDemo, state: str) -> None:
    fresh.state = state
    first = fresh.start().everything()
    assert len(first) >= 5
    Person(fresh, "rachel").log_in()
    root = fresh.folder / state
    ports = json.loads((root / "run" / "ports.json").read_text())
    assert fresh.stop() == 0
    assert none_left(first)
    assert not fresh.ready_file.exists()

    second = fresh.start().everything()
    kept = json.loads((root / "run" / "ports.json").read_text())
    assert (kept["hub"], kept["tap"]) == (ports["hub"], ports["tap"])
    with sqlite3.connect(root / "hub" / "jupyterhub.sqlite") as connection:
        assert connection.execute("SELECT name FROM users").fetchall() == [("rachel",)]
    fresh.signal(signal.SIGTERM)
    assert fresh.process is not None
    assert fresh.process.wait(60) == 0
    assert none_left(second)


def test_ready_file_in_no_folder_is_told_before_anything_is_started() -> None:
    with open_folder() as folder:
        missing = folder / "missing" / "ready.json"
        demo = RunningDemo(folder, options=("--ready-file", str(missing)))
        assert demo.launch().wait(60) == 1
        assert f"The ready file {missing} cannot be written" in demo.output
        assert not list((folder / "state" / "logs").iterdir())


@pytest.mark.root
def test_state_that_labs_could_not_reach_is_refused() -> None:
    with open_folder() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        demo = RunningDemo(folder, state="closed/state")
        assert demo.launch().wait(60) == 1
        assert f"{closed} is closed to other users" in demo.output
        assert "--state" in demo.output
