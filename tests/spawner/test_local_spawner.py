"""Labs as processes under a real JupyterHub: what users, operators and crashes meet."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.spawner.local_hub import LocalHub

pytestmark = pytest.mark.network
MakeHub = Callable[..., LocalHub]
NUMBERS = count(1)


def lab_tree(record: dict[str, Any]) -> list[psutil.Process]:
    process = psutil.Process(record["pid"])
    return [process, *process.children(recursive=True)]


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def server_url(record: dict[str, Any], user: str = "rachel") -> str:
    return f"http://{record['ip']}:{record['port']}/user/{user}"


def user_token(hub: LocalHub, user: str) -> str:
    with hub.client() as client:
        answer = client.post(f"/users/{user}/tokens", json={})
        token: str = answer.json()["token"]
    return token


def start_kernel(hub: LocalHub, record: dict[str, Any], user: str) -> None:
    headers = {"Authorization": f"token {user_token(hub, user)}"}
    answer = httpx.post(
        f"{server_url(record, user)}/api/kernels", json={}, headers=headers, timeout=30
    )
    assert answer.status_code == 201, answer.text


def test_a_lab_starts_and_stops_with_its_kernels(hub: LocalHub, user: str) -> None:
    assert hub.spawn(user, {"image": "plain", "size": "small"})["ready"] is True
    record = hub.record(user)
    start_kernel(hub, record, user)
    tree = lab_tree(record)
    assert any("ipykernel_launcher" in " ".join(process.cmdline()) for process in tree)
    kernel = next(p for p in tree if "ipykernel_launcher" in " ".join(p.cmdline()))
    assert kernel.cmdline()[0].startswith(str(hub.kernel))
    with hub.client() as client:
        assert client.delete(f"/users/{user}/server").status_code in (202, 204)
    wait_until(lambda: all(gone(process) for process in tree))
    folder = hub.state / "labs" / user / "default"
    wait_until(lambda: not (folder / "runtime").exists())
    assert not (folder / "lab.json").exists() and (folder / "server.log").exists()


@pytest.mark.root
def test_a_lab_runs_as_its_user_with_its_groups_and_private_files(hub: LocalHub, user: str) -> None:
    hub.spawn(user)
    record = hub.record(user)
    uid = 5000 + sum(user.encode()) % 1000
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{record['pid']}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == status["Gid"].split() == [str(uid)] * 4
    assert {int(gid) for gid in status["Groups"].split()} == {uid, 6100, 6101}
    assert status["Umask"] == "0027"
    home = (hub.state / "homes" / user).stat()
    assert (home.st_uid, home.st_gid, stat.S_IMODE(home.st_mode)) == (uid, uid, 0o700)
    runtime = hub.state / "labs" / user / "default" / "runtime"
    token = (runtime / "secrets" / "token").stat()
    assert (token.st_uid, stat.S_IMODE(token.st_mode)) == (uid, 0o400)
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o500
    environment = Path(f"/proc/{record['pid']}/environ").read_bytes()
    assert b"data-token" not in environment


def test_the_kernel_is_the_only_one_and_hidden_files_are_seen(hub: LocalHub, user: str) -> None:
    own = hub.state / "homes" / user / ".local" / "share" / "jupyter" / "kernels"
    hub.spawn(user)
    for name in ("python3", "mine"):
        (own / name).mkdir(parents=True)
        (own / name / "kernel.json").write_text(
            json.dumps({"argv": ["x"], "display_name": name, "language": "python"})
        )
    record = hub.record(user)
    headers = {"Authorization": f"token {user_token(hub, user)}"}
    with httpx.Client(base_url=server_url(record, user), headers=headers, timeout=30) as lab:
        kernels = lab.get("/api/kernelspecs").json()
        names = {entry["name"] for entry in lab.get("/api/contents").json()["content"]}
        page = lab.get("/lab")
    assert kernels["default"] == "python3" and list(kernels["kernelspecs"]) == ["python3"]
    assert kernels["kernelspecs"]["python3"]["spec"]["display_name"] == "Plain"
    assert ".local" in names
    assert page.status_code == 200 and '"hubPrefix": "/hub/"' in page.text


def test_strangers_are_sent_to_the_hub_or_refused(hub: LocalHub, user: str) -> None:
    hub.spawn(user)
    url = server_url(hub.record(user), user)
    page = httpx.get(f"{url}/lab")
    assert page.status_code == 302
    assert "/hub/api/oauth2/authorize" in page.headers["location"]
    assert httpx.get(f"{url}/api/contents").status_code == 403
    igor = {"Authorization": f"token {user_token(hub, 'igor')}"}
    assert httpx.get(f"{url}/api/contents", headers=igor).status_code == 403
    assert httpx.post(f"{url}/api/kernels", json={}, headers=igor).status_code == 403
    rachel = {"Authorization": f"token {user_token(hub, user)}"}
    assert httpx.get(f"{url}/api/contents", headers=rachel).status_code == 200


def test_a_page_of_another_site_cannot_act_with_the_users_cookie(hub: LocalHub, user: str) -> None:
    """XSRF: the OAuth round trip by hand, then a request with the cookies and without the token."""
    hub.spawn(user)
    record = hub.record(user)
    hub_root = f"http://127.0.0.1:{hub.api_port}"
    lab_root = f"http://127.0.0.1:{record['port']}"
    with httpx.Client(timeout=30) as browser:
        page = browser.get(f"{hub_root}/hub/login")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert xsrf is not None
        browser.post(
            f"{hub_root}/hub/login?next=",
            data={"username": user, "password": "x", "_xsrf": xsrf.group(1)},
        )
        answer = browser.get(f"{lab_root}/user/{user}/lab")
        for _ in range(6):  # the lab, the hub's authorisation, the lab's callback, the lab
            if answer.status_code != 302:
                break
            path = httpx.URL(answer.headers["location"]).raw_path.decode()
            root = hub_root if path.startswith("/hub/") else lab_root
            answer = browser.get(f"{root}{path}")
        assert answer.status_code == 200, answer.text
        contents = f"{lab_root}/user/{user}/api/contents"
        forged = browser.post(contents, json={"type": "file"}, headers={"Origin": "http://evil"})
        assert forged.status_code == 403
        token = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and "user" in c.path)
        genuine = browser.post(contents, json={"type": "file"}, headers={"X-XSRFToken": str(token)})
        assert genuine.status_code == 201, genuine.text


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        ({"image": "w_2026_99", "size": "small"}, "image", "plain"),
        ({"image": "plain", "size": "huge"}, "size", "large"),
        ({"image": ["plain", "plain"]}, "image", ""),
        ({"image": {"a": 1}}, "image", "plain"),
        ({"debug": "maybe"}, "debug", "true"),
        ({"flavour": "sweet"}, "flavour", "image, size, debug, reset"),
        ({"user_options": {"size": 5}}, "size", "small"),
    ],
)
def test_wrong_options_by_rest_are_400_with_the_field(
    hub: LocalHub, body: dict[str, Any], field: str, allowed: str
) -> None:
    before = hub.log()
    (hub.folder / "hook-ran").unlink(missing_ok=True)
    with hub.client() as client:
        answer = client.post("/users/igor/server", json=body)
        model = client.get("/users/igor").json()
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert message.startswith(f"{field}: ") and allowed in message
    assert "Traceback" not in hub.log().removeprefix(before)
    assert model["servers"] == {} and model["pending"] is None
    assert not (hub.folder / "hook-ran").exists()


def test_a_refused_request_leaves_the_last_choice(hub: LocalHub, user: str) -> None:
    options = {"image": "plain", "size": "large", "reset": True}
    assert hub.spawn(user, {"user_options": options})["ready"]
    with hub.client() as client:
        client.delete(f"/users/{user}/server")
        assert client.post(f"/users/{user}/server", json={"size": "huge"}).status_code == 400
        assert client.post(f"/users/{user}/server").status_code in (201, 202)
        wait_until(lambda: bool(client.get(f"/users/{user}").json()["servers"]))
        model = client.get(f"/users/{user}").json()["servers"][""]
    assert model["user_options"]["size"] == "large"
    assert (hub.state / f"labs/{user}/default/runtime/environment/CONTAINER_SIZE").read_text() == (
        "Large (2.0 CPU, 8Gi RAM)"
    )
    assert not (hub.state / f"labs/{user}/default/runtime/environment/RESET_USER_ENV").exists()


def test_a_killed_hub_finds_its_labs_again(make_hub: MakeHub) -> None:
    hub = make_hub()
    hub.add_user("rachel")
    hub.spawn("rachel")
    record = hub.record("rachel")
    server = psutil.Process(record["pid"])
    hub.kill()
    assert not gone(server)
    hub.start()
    with hub.client() as client:
        wait_until(
            lambda: bool(client.get("/users/rachel").json()["servers"].get("", {}).get("ready"))
        )
        assert hub.record("rachel") == record
        token = {"Authorization": f"token {user_token(hub, 'rachel')}"}
        assert httpx.get(f"{server_url(record)}/api/contents", headers=token).status_code == 200
        client.delete("/users/rachel/server")
    wait_until(lambda: gone(server))


def test_a_lab_that_died_while_the_hub_was_away_is_not_taken_for_running(
    make_hub: MakeHub,
) -> None:
    hub = make_hub()
    hub.add_user("rachel")
    hub.spawn("rachel")
    record = hub.record("rachel")
    hub.kill()
    psutil.Process(record["pid"]).kill()
    # The same PID, as if the system had given it to another program meanwhile.
    folder = hub.state / "labs" / "rachel" / "default"
    (folder / "lab.json").write_text(json.dumps({**record, "pid": os.getpid()}))
    hub.start()
    with hub.client() as client:
        assert client.get("/users/rachel").json()["servers"] == {}
        assert hub.spawn("rachel")["ready"]
    assert psutil.Process(os.getpid()).is_running()


def test_a_lab_that_the_hub_has_lost_is_ended_by_the_next_start(make_hub: MakeHub) -> None:
    hub = make_hub()
    hub.add_user("rachel")
    hub.spawn("rachel")
    lost = psutil.Process(hub.record("rachel")["pid"])
    hub.kill()
    (hub.folder / "hub.sqlite").unlink()
    hub.start()
    hub.add_user("rachel")
    assert hub.spawn("rachel")["ready"]
    assert gone(lost)
    assert hub.record("rachel")["pid"] != lost.pid


def test_broken_user_configuration_does_not_break_the_server(hub: LocalHub, user: str) -> None:
    hub.spawn(user)
    home = hub.state / "homes" / user
    for name, text in {
        ".jupyter/jupyter_server_config.py": "this is no Python\n",
        ".jupyter/jupyter_server_config.json": "{nor is this JSON",
        ".jupyter/jupyter_config.py": "raise RuntimeError('no')\n",
        ".jupyter/jupyter_server_config.d/bad.json": "[",
        ".jupyter/labconfig/page_config.json": "{",
        ".local/lib/python3.11/site-packages/tornado.py": "raise ImportError('no')\n",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    owner = home.stat()
    for path in home.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid)
    with hub.client() as client:
        client.delete(f"/users/{user}/server")
        wait_until(lambda: client.get(f"/users/{user}").json()["pending"] is None)
    assert hub.spawn(user)["ready"]
    headers = {"Authorization": f"token {user_token(hub, user)}"}
    url = server_url(hub.record(user), user)
    assert httpx.get(f"{url}/lab", headers=headers, timeout=30).status_code == 200


def test_a_lab_that_dies_is_noticed_at_once(hub: LocalHub, user: str) -> None:
    hub.spawn(user)
    psutil.Process(hub.record(user)["pid"]).kill()
    with hub.client() as client:  # the hub asks every 30 s; the pidfd tells
        wait_until(lambda: client.get(f"/users/{user}").json()["servers"] == {}, seconds=10)


def test_death_at_start_shows_the_last_lines_of_the_log(
    make_hub: MakeHub, ui_environment: Path, open_folder: Path
) -> None:
    broken = open_folder / "broken"
    (broken / "bin").mkdir(parents=True, exist_ok=True)
    (broken / "bin" / "python").write_text("#!/bin/sh\necho 'a <b>plain</b> reason' >&2\nexit 3\n")
    (broken / "bin" / "python").chmod(0o755)
    hub = make_hub(ui=broken)
    hub.add_user("rachel")
    with hub.client() as client:
        answer = client.post("/users/rachel/server", json={"image": "plain"})
    assert answer.status_code == 400  # as of a pod: another choice may help
    message = answer.json()["message"]
    assert "exit code 3" in message and "a <b>plain</b> reason" in message
    assert "Traceback" not in hub.log()
    assert not (hub.state / "labs" / "rachel" / "default" / "runtime").exists()


def test_a_failed_build_says_why_and_what_to_do(hub: LocalHub, user: str) -> None:
    with hub.client() as client:
        answer = client.post(f"/users/{user}/server", json={"image": "w_2026_42"})
    assert answer.status_code == 503
    message = answer.json()["message"]
    assert "Weekly 2026_42" in message and "no answer from the index" in message
    assert "Choose an environment that is ready" in message


def test_a_build_is_a_phase_and_can_be_cancelled(hub: LocalHub, user: str) -> None:
    with hub.client() as client:
        answer = client.post(f"/users/{user}/server", json={"image": "w_2026_43"})
        assert answer.status_code == 202
        seen: list[dict[str, Any]] = []
        for event in hub.events(user):
            seen.append(event)
            if event.get("phase") == "environment":
                break
        late = []
        for event in hub.events(user):
            late.append(event)
            if event.get("phase") == "environment":
                break
        assert late == seen
        assert "downloading 120 MB" in seen[-1]["message"]
        assert seen[-1]["expected_seconds"] == 100.0
        assert client.delete(f"/users/{user}/server").status_code in (202, 204)
        wait_until((hub.folder / "build-left").exists)
        wait_until(lambda: client.get(f"/users/{user}").json()["pending"] is None)
        assert hub.spawn(user, {"image": "plain"})["ready"]


@pytest.mark.root
def test_a_home_of_somebody_else_is_refused_in_words(hub: LocalHub, user: str) -> None:
    home = hub.state / "homes" / user
    home.mkdir(parents=True)
    (home / "file").touch()
    with hub.client() as client:
        answer = client.post(f"/users/{user}/server")
    assert answer.status_code == 500
    assert "is not empty" in answer.json()["message"]
    assert (home / "file").stat().st_uid == 0


@pytest.mark.root
def test_a_system_uid_is_refused(make_hub: MakeHub) -> None:
    hub = make_hub(lowest_uid=60_000)
    hub.add_user("rachel")
    with hub.client() as client:
        answer = client.post("/users/rachel/server")
    assert answer.status_code == 500
    assert "UID" in answer.json()["message"] and "60000" in answer.json()["message"]


@pytest.mark.root
def test_a_home_that_cannot_be_written_still_gives_a_lab(hub: LocalHub, user: str) -> None:
    hub.spawn(user)
    home = hub.state / "homes" / user
    with hub.client() as client:
        client.delete(f"/users/{user}/server")
        wait_until(lambda: client.get(f"/users/{user}").json()["pending"] is None)
        home.chmod(0o500)
        assert hub.spawn(user)["ready"]
    log = (hub.state / "labs" / user / "default" / "server.log").read_text()
    emergency = re.search(r"HOME is (\S+)\.$", log, re.MULTILINE)
    assert emergency is not None
    assert f"local directory: {emergency.group(1)}" in log
    shutil.rmtree(emergency.group(1))


@pytest.mark.parametrize("name", ["é", "a b", "jané.doe", "x" * 120, "..%2fx"])
def test_odd_user_names_get_labs_of_their_own(hub: LocalHub, name: str) -> None:
    hub.add_user(name)
    with hub.client() as client:
        quoted = httpx.URL(f"http://h/{name}").raw_path.decode().removeprefix("/")
        if "%" in name:
            quoted = name.replace("%", "%25")
        answer = client.post(f"/users/{quoted}/server", json={"image": "plain"})
        assert answer.status_code in (201, 202), answer.text
        wait_until(
            lambda: bool(client.get(f"/users/{quoted}").json()["servers"].get("", {}).get("ready"))
        )
        client.delete(f"/users/{quoted}/server")
    labs = {path.parent.parent for path in hub.state.rglob("server.log")}
    assert all(path.parent == hub.state / "labs" for path in labs)


@pytest.fixture
def user(hub: LocalHub) -> Iterator[str]:
    """A new user of the shared hub, whose lab is ended afterwards."""
    name = f"user{next(NUMBERS)}"
    hub.add_user(name)
    yield name
    with hub.client() as client:
        client.delete(f"/users/{name}/server")


@pytest.fixture(scope="module")
def hub(
    open_folder: Path,
    ui_environment: Path,
    kernel_environment: Path,
) -> Iterator[LocalHub]:
    """One hub for tests that leave nothing behind."""
    folder = open_folder / "shared-hub"
    folder.mkdir()
    folder.chmod(0o755)
    hub = LocalHub(folder, ui_environment, kernel_environment)
    hub.start()
    hub.add_user("igor")
    yield hub
    hub.stop()
