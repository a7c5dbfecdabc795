"""Scratch space of a lab: the user's own folder in one that all labs share."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from despejado_lab.launch_scratch import layout, own_folder, prepare_scratch


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def test_temporary_files_and_the_butlers_cache_go_to_the_users_own_folder(scratch: Path) -> None:
    environment = {"DESPEJADO_SCRATCH": str(scratch), "USER": "rachel", "HOME": "/home/rachel"}
    assert prepare_scratch(environment) == []
    own = scratch / "rachel"
    assert environment["SCRATCH_DIR"] == str(own)
    assert environment["TMPDIR"] == str(own / "tmp")
    assert environment["DAF_BUTLER_CACHE_DIRECTORY"] == str(own / "butler_cache")
    assert [mode(path) for path in (own, own / "tmp", own / "butler_cache")] == [0o700] * 3


def test_what_is_set_already_stays(scratch: Path) -> None:
    environment = {"DESPEJADO_SCRATCH": str(scratch), "USER": "rachel", "TMPDIR": "/fast"}
    prepare_scratch(environment)
    assert environment["TMPDIR"] == "/fast"
    assert environment["SCRATCH_DIR"] == str(scratch / "rachel")


def test_without_scratch_nothing_is_said() -> None:
    environment = {"USER": "rachel", "HOME": "/home/rachel"}
    assert prepare_scratch(environment) == []
    assert environment == {"USER": "rachel", "HOME": "/home/rachel"}


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ("/home/rachel", "rachel"),
        ("/home/r/rachel", "r/rachel"),
        ("/home/r/rachel/nested", "rachel"),
        ("", "rachel"),
    ],
)
def test_scratch_is_laid_out_as_homes_are(home: str, expected: str) -> None:
    assert str(layout("rachel", home)) == expected


def test_only_one_level_is_made(scratch: Path, tmp_path: Path) -> None:
    environment = {
        "DESPEJADO_SCRATCH": str(scratch),
        "USER": "rachel",
        "HOME": "/home/r/rachel",
        "TMPDIR": str(tmp_path),
    }
    told = prepare_scratch(environment)
    assert "r/rachel is not used: No such file or directory" in told[0]
    assert list(scratch.iterdir()) == []
    assert "SCRATCH_DIR" not in environment
    assert environment["DAF_BUTLER_CACHE_DIRECTORY"] == str(tmp_path / "butler_cache")
    assert mode(tmp_path / "butler_cache") == 0o700


def test_the_cache_loses_the_rights_of_others_and_the_rest_is_the_users_choice(
    scratch: Path,
) -> None:
    for folder in (scratch / "rachel", scratch / "rachel" / "butler_cache"):
        folder.mkdir()
        folder.chmod(0o755)
    prepare_scratch({"DESPEJADO_SCRATCH": str(scratch), "USER": "rachel"})
    assert mode(scratch / "rachel") == 0o755
    assert mode(scratch / "rachel" / "butler_cache") == 0o700


@pytest.mark.root
def test_a_folder_that_somebody_else_made_is_not_used(scratch: Path, tmp_path: Path) -> None:
    trap = scratch / "rachel"
    trap.mkdir()
    trap.chmod(0o777)
    os.chown(trap, 4001, 4001)
    environment = {
        "DESPEJADO_SCRATCH": str(scratch),
        "USER": "rachel",
        "TMPDIR": str(tmp_path),
    }
    assert "belongs to somebody else" in prepare_scratch(environment)[0]
    assert "SCRATCH_DIR" not in environment
    assert list(trap.iterdir()) == []


def test_a_link_is_not_followed(scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (scratch / "rachel").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=os.strerror(errno.ENOTDIR)):
        own_folder(scratch / "rachel")
