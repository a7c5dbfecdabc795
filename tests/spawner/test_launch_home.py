"""The user's home at a lab's start: reset by moving, and a lab even when it is full."""

from __future__ import annotations

import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest
from despejado_lab import launch_home
from despejado_lab.launch_home import Trouble, check_home, prepare_home, reset_environment

NOW = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)


def fill(home: Path, *names: str) -> None:
    for name in names:
        (home / name).mkdir(parents=True)
        (home / name / "foo").write_text(name)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_reset_moves_aside_and_deletes_nothing(tmp_path: Path) -> None:
    fill(tmp_path, ".local", ".jupyter", "notebooks/.user_setups", "work")
    aside = reset_environment(tmp_path, NOW)
    assert aside == tmp_path / ".user_env.20261121093015"
    assert tree(aside) == {"local/foo", "jupyter/foo", "notebooks/user_setups/foo"}
    assert (tmp_path / "work" / "foo").exists()
    assert not (tmp_path / ".local").exists()


def test_a_reset_works_when_only_user_setups_is_there(tmp_path: Path) -> None:
    fill(tmp_path, "notebooks/.user_setups")
    aside = reset_environment(tmp_path, NOW)
    assert aside is not None and tree(aside) == {"notebooks/user_setups/foo"}


def test_two_resets_in_one_second_keep_both(tmp_path: Path) -> None:
    fill(tmp_path, ".local")
    first = reset_environment(tmp_path, NOW)
    fill(tmp_path, ".local")
    second = reset_environment(tmp_path, NOW)
    assert first is not None and second is not None and first != second
    assert tree(first) == tree(second) == {"local/foo"}


def test_nothing_to_reset_makes_no_folder(tmp_path: Path) -> None:
    assert reset_environment(tmp_path, NOW) is None
    assert list(tmp_path.iterdir()) == []


def test_the_reset_happens_once_and_is_told(tmp_path: Path) -> None:
    fill(tmp_path, ".cache")
    environment = {"HOME": str(tmp_path), "RESET_USER_ENV": "TRUE"}
    told = prepare_home(environment)
    assert ".user_env." in told[0]
    assert environment == {"HOME": str(tmp_path)}


def test_a_good_home_changes_nothing(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    assert prepare_home(environment) == []
    assert environment == {"HOME": str(tmp_path)}
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_gives_an_emergency_home(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path / "gone"), "JUPYTERHUB_ROOT_DIR": str(tmp_path / "gone")}
    told = prepare_home(environment)
    emergency = Path(environment["HOME"])
    assert emergency.is_dir() and emergency != tmp_path / "gone"
    assert environment["JUPYTERHUB_ROOT_DIR"] == str(emergency)
    assert environment["ABNORMAL_STARTUP"] == "TRUE"
    assert environment["ABNORMAL_STARTUP_ERRORCODE"] == "ENOENT"
    assert environment["ABNORMAL_STARTUP_ERRNO"] == str(errno.ENOENT)
    assert "Do not trust this lab" in environment["ABNORMAL_STARTUP_MESSAGE"]
    assert str(emergency) in told[0]


def test_no_home_at_all_is_told_as_such() -> None:
    environment: dict[str, str] = {}
    prepare_home(environment)
    assert environment["ABNORMAL_STARTUP_ERRORCODE"] == "EBADENV"


def test_a_full_home_loses_its_caches_before_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, ".cache", ".astropy/cache", "work")
    answers = [Trouble(errno.ENOSPC, "ENOSPC", "No space left on device"), None]
    monkeypatch.setattr(launch_home, "_write_test", lambda _: answers.pop(0))
    assert check_home(tmp_path) is None
    assert tree(tmp_path) == {"work/foo"}


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("EDQUOT", "quota"),
        ("ENOSPC", "full"),
        ("EROFS", "read-only"),
        ("EACCES", "administrator"),
        ("EIO", "Report error 5"),
    ],
)
def test_each_trouble_has_its_advice(code: str, advice: str) -> None:
    assert advice in Trouble(getattr(errno, code), code, "text").message


def test_jupyter_settings_that_are_no_json_are_set_aside_for_this_start(tmp_path: Path) -> None:
    fill(tmp_path, ".jupyter/jupyter_server_config.d")
    environment = {"HOME": str(tmp_path)}
    (tmp_path / ".jupyter" / "good.json").write_text("{}")
    assert prepare_home(environment) == []
    (tmp_path / ".jupyter" / "jupyter_server_config.d" / "bad.json").write_text("[")
    assert "bad.json is no JSON" in prepare_home(environment)[0]
    assert environment["JUPYTERHUB_DISABLE_USER_CONFIG"] == "1"
