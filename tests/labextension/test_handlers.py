"""The server side, asked over HTTP in a real JupyterLab."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
from pathlib import Path

import httpx
import pytest

from tests.labextension.lab_process import HUB_TOKEN, HubStandIn, Lab, notebook

FIRST = "01-first-look.ipynb"
ROUTES = [
    ("GET", "config"),
    ("GET", "tutorials"),
    ("POST", "tutorials/copy"),
    ("GET", "memory"),
    ("POST", "exit"),
]


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize("token", [None, "somebody-elses"])
def test_without_a_valid_token_every_route_is_refused(
    lab: Lab, method: str, route: str, token: str | None, hub: HubStandIn
) -> None:
    with lab.client(token) as client:
        answer = client.request(method, route, json={"path": FIRST} if method == "POST" else None)
    assert answer.status_code == 403
    assert hub.asked == []
    assert not lab.copies.exists()


def test_config_tells_what_lab_json_says(lab: Lab, hub: HubStandIn) -> None:
    with lab.client() as client:
        config = client.get("config").raise_for_status().json()
    assert config["image"]["title"] == "Weekly 2026_43"
    assert config["image"]["versions"]["lsst-daf-butler"] == "30.2026.4300"
    assert config["size"] == {
        "name": "small",
        "cpu": 1.0,
        "memory": 3221225472,
        "bigger": ["medium", "large"],
    }
    assert config["user"]["groups"] == ["rachel", "lunatics"]
    assert config["hub"]["home_url"] == f"{hub.url}/hub/home"
    assert config["hub"]["logout_url"] == f"{hub.url}/hub/logout"
    assert config["hub"]["spawn_url"] == f"{hub.url}/hub/spawn/rachel"
    assert config["startup"] is None
    assert config["problem"] is None


def test_no_answer_and_no_log_holds_the_servers_token(lab: Lab) -> None:
    with lab.client() as client:
        answers = [client.get("config"), client.post("exit", json={})]
    assert [answer.status_code for answer in answers] == [200, 202]
    told = [answer.text for answer in answers] + lab.log.lines
    assert len(told) > len(answers)
    assert HUB_TOKEN not in "".join(told)


def test_a_plain_jupyterlab_is_described_by_itself(plain_lab: Lab) -> None:
    with plain_lab.client() as client:
        config = client.get("config").raise_for_status().json()
    assert config["image"]["title"] == "JupyterLab"
    assert set(config["image"]["versions"]) == {"jupyterlab", "python"}
    assert config["user"]["uid"] == os.getuid()
    assert config["hub"] is None
    assert config["problem"] is None


def test_the_tree_has_titles_from_the_notebooks(lab: Lab) -> None:
    with lab.client() as client:
        tree = client.get("tutorials").raise_for_status().json()
    assert tree == {
        "entries": [
            {"kind": "notebook", "path": FIRST, "title": "A first look"},
            {
                "kind": "folder",
                "path": "images",
                "title": "Images",
                "entries": [
                    {"kind": "notebook", "path": "images/cutouts.ipynb", "title": "Cutouts"}
                ],
            },
        ],
        "problem": None,
    }


def test_a_new_title_is_seen_at_once(lab: Lab) -> None:
    later = lab.tutorials / "zz-later.ipynb"
    later.write_text(notebook("# Before"))
    with lab.client() as client:
        assert "Before" in client.get("tutorials").text
        later.write_text(notebook("# After the change"))
        assert "After the change" in client.get("tutorials").text
        later.unlink()
        assert "zz-later" not in client.get("tutorials").text


def test_without_tutorials_the_tree_says_so(plain_lab: Lab) -> None:
    with plain_lab.client() as client:
        tree = client.get("tutorials").raise_for_status().json()
    assert tree["entries"] == []
    assert "no notebooks in" in tree["problem"]


def copy(lab: Lab, path: object, **more: object) -> httpx.Response:
    with lab.client() as client:
        return client.post("tutorials/copy", json={"path": path, **more})


def test_a_tutorial_is_copied_below_the_home(lab: Lab) -> None:
    answer = copy(lab, "images/cutouts.ipynb")
    assert answer.status_code == 201
    assert answer.json() == {"path": "notebooks/tutorials/images/cutouts.ipynb", "backup": None}
    source = lab.tutorials / "images" / "cutouts.ipynb"
    assert (lab.home / answer.json()["path"]).read_bytes() == source.read_bytes()


def test_an_existing_file_is_never_replaced_unasked(lab: Lab) -> None:
    mine = lab.copies / FIRST
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("my own work")
    answer = copy(lab, FIRST)
    assert answer.status_code == 409
    conflict = answer.json()
    assert conflict["reason"] == "exists"
    assert conflict["path"] == f"notebooks/tutorials/{FIRST}"
    assert conflict["size"] == len("my own work")
    assert mine.read_text() == "my own work"


def test_replacing_keeps_every_earlier_version(lab: Lab) -> None:
    copy(lab, FIRST)
    mine = lab.copies / FIRST
    for number in (1, 2):
        mine.write_text(f"my work {number}")
        answer = copy(lab, FIRST, overwrite=True)
        assert answer.status_code == 201
        backup = f"notebooks/tutorials/01-first-look.backup-{number}.ipynb"
        assert answer.json()["backup"] == backup
        assert (lab.home / backup).read_text() == f"my work {number}"
    assert mine.read_bytes() == (lab.tutorials / FIRST).read_bytes()
    assert len(list(lab.copies.iterdir())) == 3


@pytest.mark.parametrize(
    "path",
    [
        "../home/secret.ipynb",
        "images/../../home/secret.ipynb",
        "/etc/hostname.ipynb",
        "images/..\\secret.ipynb",
        "..",
    ],
)
def test_a_path_out_of_the_tutorials_is_refused(lab: Lab, path: str) -> None:
    (lab.home / "secret.ipynb").write_text("secret")
    answer = copy(lab, path)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert not lab.copies.exists()


def test_a_link_out_of_the_tutorials_is_neither_listed_nor_copied(lab: Lab) -> None:
    outside = lab.home / "outside.ipynb"
    outside.write_text(notebook("# Outside"))
    link = lab.tutorials / "link.ipynb"
    link.symlink_to(outside)
    try:
        with lab.client() as client:
            assert "link.ipynb" not in client.get("tutorials").text
        answer = copy(lab, "link.ipynb")
    finally:
        link.unlink()
    assert answer.status_code == 400
    assert answer.json()["reason"] == "path-refused"


def test_a_link_in_the_home_that_leads_out_of_it_is_not_followed(lab: Lab, tmp_path: Path) -> None:
    shutil.rmtree(lab.home / "notebooks", ignore_errors=True)
    (lab.home / "notebooks").mkdir()
    (lab.home / "notebooks" / "tutorials").symlink_to(tmp_path)
    answer = copy(lab, FIRST)
    assert answer.status_code == 400
    assert answer.json()["reason"] == "path-refused"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("[]", "JSON object"),
        ("{", "Invalid JSON"),
        ("{}", "'path'"),
        ('{"path": 5}', "'path'"),
        ('{"path": ""}', "'path'"),
        ('{"path": "a.ipynb", "overwrite": "yes"}', "'overwrite'"),
        ('{"path": "a.ipynb", "force": true}', "'force'"),
    ],
)
def test_a_malformed_request_is_answered_with_what_is_wrong(
    lab: Lab, body: str, names: str
) -> None:
    with lab.client() as client:
        answer = client.post("tutorials/copy", content=body)
    assert answer.status_code == 400
    assert names in answer.json()["message"]


@pytest.mark.parametrize("path", ["missing.ipynb", "images", ".hidden.ipynb"])
def test_what_is_no_tutorial_is_not_found(lab: Lab, path: str) -> None:
    answer = copy(lab, path)
    assert answer.status_code == 404
    assert path in answer.json()["message"]


def limit_file_size(lab: Lab, size: int) -> None:
    resource.prlimit(lab.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_leaves_everything_as_it_was_and_says_so(lab: Lab) -> None:
    mine = lab.copies / "large.ipynb"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("my own work")
    large = lab.tutorials / "large.ipynb"
    large.write_text(notebook("# Large", code="#" * 200_000))
    limit_file_size(lab, 100_000)
    try:
        answer = copy(lab, "large.ipynb", overwrite=True)
    finally:
        limit_file_size(lab, resource.RLIM_INFINITY)
        large.unlink()
    assert answer.status_code == 507
    assert answer.json()["reason"] == "disk-full"
    assert "no space left" in answer.json()["message"]
    assert os.strerror(errno.EFBIG) in answer.json()["message"]
    assert mine.read_text() == "my own work"
    assert [path.name for path in lab.copies.iterdir()] == ["large.ipynb"]


def test_a_file_in_place_of_the_folder_is_told(lab: Lab) -> None:
    (lab.home / "notebooks").write_text("a file")
    try:
        answer = copy(lab, FIRST)
    finally:
        (lab.home / "notebooks").unlink()
    assert answer.status_code == 500
    assert answer.json()["reason"] == "storage-failed"
    assert FIRST in answer.json()["message"]


def exit_lab(lab: Lab) -> httpx.Response:
    with lab.client() as client:
        return client.post("exit", json={})


def test_exit_asks_the_hub_to_stop_the_own_server(lab: Lab, hub: HubStandIn) -> None:
    answer = exit_lab(lab)
    assert answer.status_code == 202
    assert hub.stopped.wait(timeout=30)
    assert hub.asked == [
        ("GET", "/hub/api/user", f"token {HUB_TOKEN}"),
        ("DELETE", "/hub/api/users/rachel/server", f"token {HUB_TOKEN}"),
    ]


@pytest.mark.parametrize(
    ("answer", "status", "reason", "word"),
    [
        ((403, {"message": "Forbidden"}), 403, "hub-refused", "refused the token"),
        ((200, {"name": "rachel", "scopes": []}), 403, "hub-refused", "delete:servers"),
        ((200, {"name": "rachel"}), 502, "hub-unreachable", "not a JupyterHub"),
        ((200, "<html>"), 502, "hub-unreachable", "not a JupyterHub"),
        ((503, "maintenance"), 502, "hub-unreachable", "503"),
    ],
)
def test_a_hub_that_will_not_stop_the_lab_is_told_before_anything_happens(
    lab: Lab, hub: HubStandIn, answer: tuple[int, object], status: int, reason: str, word: str
) -> None:
    hub.answers["GET /hub/api/user"] = answer
    told = exit_lab(lab)
    assert told.status_code == status
    assert told.json()["reason"] == reason
    assert word in told.json()["message"]
    assert [method for method, _, _ in hub.asked] == ["GET"]


def test_exit_in_a_plain_jupyterlab_says_that_there_is_no_hub(plain_lab: Lab) -> None:
    answer = exit_lab(plain_lab)
    assert answer.status_code == 404
    assert answer.json()["reason"] == "no-hub"


def test_answers_are_json_and_not_cached_pages(lab: Lab) -> None:
    answer = copy(lab, "missing.ipynb")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.text)["reason"] == "not-found"
