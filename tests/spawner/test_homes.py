"""Home folders: made, accepted or refused, and never touched inside."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from despejado_spawner.errors import HomeError
from despejado_spawner.homes import ensure_home
from despejado_spawner.models import Identity

OTHER = 5001
AS_ROOT = pytest.mark.root


def me(uid: int | None = None) -> Identity:
    return Identity(
        "rachel", os.getuid() if uid is None else uid, os.getgid() if uid is None else uid
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_absent_home_is_made_private(tmp_path: Path) -> None:
    report = ensure_home(tmp_path / "rachel", me())
    assert report.created and not report.warnings
    assert mode(tmp_path / "rachel") == 0o700


def test_a_home_is_made_where_folders_cannot_be_opened_by_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_PATH")  # as on macOS
    assert ensure_home(tmp_path / "rachel", me()).created


@AS_ROOT
def test_a_new_home_belongs_to_its_user(tmp_path: Path) -> None:
    ensure_home(tmp_path / "rachel", me(OTHER))
    found = (tmp_path / "rachel").stat()
    assert (found.st_uid, found.st_gid, mode(tmp_path / "rachel")) == (OTHER, OTHER, 0o700)


def test_without_its_parent_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="parent folder"):
        ensure_home(tmp_path / "homes" / "rachel", me())
    assert not (tmp_path / "homes").exists()


def test_another_mode_is_accepted_with_a_warning(tmp_path: Path) -> None:
    home = tmp_path / "rachel"
    home.mkdir()
    home.chmod(0o755)
    assert "0755" in ensure_home(home, me()).warnings[0]
    assert mode(home) == 0o755


@AS_ROOT
def test_an_empty_home_of_somebody_else_is_given_to_its_user(tmp_path: Path) -> None:
    home = tmp_path / "rachel"
    home.mkdir()
    assert ensure_home(home, me(OTHER)).warnings
    assert (home.stat().st_uid, mode(home)) == (OTHER, 0o700)


@AS_ROOT
def test_a_home_with_files_of_somebody_else_is_refused_untouched(tmp_path: Path) -> None:
    home = tmp_path / "rachel"
    home.mkdir(mode=0o755)
    (home / "notes").write_text("mine")
    with pytest.raises(HomeError, match="is not empty"):
        ensure_home(home, me(OTHER))
    assert (home.stat().st_uid, (home / "notes").stat().st_uid) == (0, 0)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir(mode=0o711)
    (tmp_path / "rachel").symlink_to(target)
    with pytest.raises(HomeError, match="symbolic link"):
        ensure_home(tmp_path / "rachel", me())
    assert mode(target) == 0o711


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo])
def test_what_is_no_folder_is_refused(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "rachel")
    with pytest.raises(HomeError, match="not a folder"):
        ensure_home(tmp_path / "rachel", me())
