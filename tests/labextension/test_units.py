"""Pure parts of the server side, and the promises of the packaging."""

from __future__ import annotations

import json
import os
import threading
from importlib.metadata import distribution, version
from pathlib import Path, PurePosixPath

import pytest
from despejado_lab.config import (
    config_from_environment,
    hub_pages,
    parse_lab_json,
    read_config,
)
from despejado_lab.errors import HubUnreachable, TutorialExists
from despejado_lab.hub_api import HubApi
from despejado_lab.startup import DO_NOT_TRUST, read_startup
from despejado_lab.tutorial_copy import copy_tutorial
from despejado_lab.tutorial_tree import first_heading, packaged_folders, title_from_name
from despejado_tutorials import tutorials_folder

from tests.labextension.lab_process import notebook

ROOM = Path(__file__).parents[2] / "labextension"
TARGET = PurePosixPath("notebooks/tutorials")


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        ("# A first look", "A first look"),
        ("Some text\n\n## *Pleiades* in `bp`  ##", "Pleiades in bp"),
        ("# [Sky](https://example.org) plots", "Sky plots"),
        ("```\n# a comment\n```\n\n# The title", "The title"),
        ("#hashtag", None),
        ("#\n\n# Real", "Real"),
        ("", None),
    ],
)
def test_a_title_is_the_first_heading_without_its_marks(markdown: str, title: str | None) -> None:
    assert first_heading(notebook(markdown)) == title


@pytest.mark.parametrize("content", ["", "[]", '{"cells": 5}', '{"cells": [1, {}]}', "{"])
def test_what_is_no_notebook_has_no_title(content: str) -> None:
    assert first_heading(content) is None


def test_a_name_reads_as_words() -> None:
    assert title_from_name("01-first-look.ipynb") == "First look"
    assert title_from_name("image_cutouts") == "Image cutouts"
    assert title_from_name("02.ipynb") == "02"


def test_a_broken_lab_json_is_named_and_the_environment_used_instead(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "lab.json").write_text('{"image": ')
    config = read_config(tmp_path, {"IMAGE_DESCRIPTION": "Weekly 2026_43", "MEM_LIMIT": "nan"})
    assert config.image.title == "Weekly 2026_43"
    assert config.size.memory is None
    assert config.problem is not None
    assert "not JSON" in config.problem


def test_a_missing_lab_json_is_a_problem_only_where_a_platform_promised_it(tmp_path: Path) -> None:
    assert read_config(None, {}).problem is None
    problem = read_config(tmp_path, {}).problem
    assert problem is not None
    assert "cannot be read" in problem


def test_wrong_values_in_lab_json_are_left_out_and_named() -> None:
    config = parse_lab_json(
        json.dumps({"user": {"name": "rachel", "uid": "5001"}, "size": [], "image": {"tag": "x"}})
    )
    assert config.user.name == "rachel"
    assert config.user.uid is None
    assert config.image.tag == "x"
    assert config.problem is not None
    assert "user.uid should be a number" in config.problem
    assert "size" in config.problem


def test_the_hub_is_found_under_its_prefix_and_host() -> None:
    hub = config_from_environment(
        {"JUPYTERHUB_API_URL": "http://10.0.0.1:8081/nb/hub/api", "JUPYTERHUB_BASE_URL": "/nb/"}
    ).hub
    assert hub is not None
    assert (hub.home_url, hub.logout_url) == ("/nb/hub/home", "/nb/hub/logout")
    assert hub.spawn_url == "/nb/hub/spawn"


@pytest.mark.parametrize(
    ("user", "server", "path"),
    [("rachel", "", "rachel"), ("r@chel/x", "big one", "r%40chel%2Fx/big%20one"), ("", "x", "")],
)
def test_a_server_is_started_at_its_own_page(user: str, server: str, path: str) -> None:
    assert hub_pages("/hub/", user, server).spawn_url == f"/hub/spawn/{path}".rstrip("/")


@pytest.mark.parametrize(
    ("size", "bigger"),
    [
        ({"name": "small", "bigger": ["medium", "large"]}, ("medium", "large")),
        ({"name": "small"}, ()),
        ({"name": "small", "bigger": None}, ()),
    ],
)
def test_bigger_sizes_may_be_told_or_not(size: dict[str, object], bigger: tuple[str, ...]) -> None:
    config = parse_lab_json(json.dumps({"size": size}))
    assert config.size.bigger == bigger
    assert config.problem is None


@pytest.mark.parametrize(
    ("environ", "code", "words"),
    [
        ({"ABNORMAL_STARTUP_ERRORCODE": "EDQUOT"}, "EDQUOT", "quota"),
        ({"ABNORMAL_STARTUP_ERRNO": "28"}, "ENOSPC", "full"),
        ({"ABNORMAL_STARTUP_ERRORCODE": "EROFS"}, "EROFS", "cannot be written"),
        ({"ABNORMAL_STARTUP_ERRORCODE": "EACCES"}, "EACCES", "permission"),
        ({"ABNORMAL_STARTUP_ERRORCODE": "EBADENV"}, "EBADENV", "settings"),
        ({"ABNORMAL_STARTUP_ERRORCODE": "EWHATEVER"}, "EWHATEVER", "did not start normally"),
        ({}, "UNKNOWN", "did not start normally"),
    ],
)
def test_an_abnormal_start_is_told_with_advice(
    environ: dict[str, str], code: str, words: str
) -> None:
    told = read_startup(
        {"ABNORMAL_STARTUP": "TRUE", "ABNORMAL_STARTUP_MESSAGE": "write test failed", **environ}
    )
    assert told is not None
    assert told.code == code
    assert words in told.title
    assert told.advice[-1] == DO_NOT_TRUST
    assert "write test failed" in told.details


def test_a_normal_start_is_not_told() -> None:
    assert read_startup({}) is None
    assert read_startup({"ABNORMAL_STARTUP": "FALSE"}) is None


def test_of_many_copies_at_once_exactly_one_wins(tmp_path: Path) -> None:
    tutorials, home = tmp_path / "tutorials", tmp_path / "home"
    tutorials.mkdir()
    home.mkdir()
    (tutorials / "a.ipynb").write_text(notebook("# A"))
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def copy() -> None:
        start.wait()
        try:
            copy_tutorial(tutorials, home, TARGET, "a.ipynb", overwrite=False)
        except TutorialExists:
            outcomes.append("exists")
        else:
            outcomes.append("copied")

    threads = [threading.Thread(target=copy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["copied", *["exists"] * 7]
    assert [path.name for path in (home / TARGET).iterdir()] == ["a.ipynb"]


def test_a_copy_may_be_edited_even_if_the_tutorial_is_read_only(tmp_path: Path) -> None:
    tutorials, home = tmp_path / "tutorials", tmp_path / "home"
    tutorials.mkdir()
    home.mkdir()
    (tutorials / "a.ipynb").write_text(notebook("# A"))
    (tutorials / "a.ipynb").chmod(0o444)
    copied = copy_tutorial(tutorials, home, TARGET, "a.ipynb", overwrite=False)
    mask = os.umask(0o022)
    os.umask(mask)
    assert (home / copied.path).stat().st_mode & 0o777 == 0o666 & ~mask


def test_names_that_need_it_are_quoted_for_the_hub() -> None:
    environ = {
        "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api/",
        "JUPYTERHUB_API_TOKEN": "t",
        "JUPYTERHUB_USER": "o'neil@obs.org/x",
        "JUPYTERHUB_SERVER_NAME": "",
    }
    plain = HubApi.from_environment(environ)
    assert plain.server_path == "/users/o%27neil%40obs.org%2Fx/server"
    named = HubApi.from_environment({**environ, "JUPYTERHUB_SERVER_NAME": "big one"})
    assert named.server_path == "/users/o%27neil%40obs.org%2Fx/servers/big%20one"
    assert "token" not in repr(plain)


async def test_a_hub_that_is_not_there_is_told(free_port: int) -> None:
    hub = HubApi(f"http://127.0.0.1:{free_port}/hub/api", "rachel", "", "t")
    with pytest.raises(HubUnreachable, match="does not answer"):
        await hub.check_may_stop()


def test_the_tutorials_of_the_installed_package_are_found() -> None:
    assert packaged_folders() == [tutorials_folder()]
    assert tutorials_folder().is_dir()


def test_python_and_typescript_have_one_version() -> None:
    package = json.loads((ROOM / "package.json").read_text())
    assert package["version"] == version("despejado-lab")


def test_the_installed_package_brings_its_bundle() -> None:
    installed = [str(path) for path in distribution("despejado-lab").files or ()]
    for name in ("package.json", "install.json", "schemas/despejado-lab/exit.json"):
        assert any(path.endswith(f"labextensions/despejado-lab/{name}") for path in installed)
    assert any(path.endswith("jupyter_server_config.d/despejado_lab.json") for path in installed)


def test_the_lock_file_names_no_host() -> None:
    assert "://" not in (ROOM / "yarn.lock").read_text()
