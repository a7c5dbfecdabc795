"""The script of the home job, run as the job runs it: what it makes, accepts and refuses."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from despejado_spawner.errors import HomeError
from despejado_spawner.homes import HomeReport
from despejado_spawner.pods.plan.home_job import HomeRequest, home_source, read_home_verdict

AS_ROOT = pytest.mark.root
OTHER = 5001
JOB_CAPABILITIES = "-all,+chown,+dac_override,+fowner"


@dataclass
class Homes:
    """A volume of homes, and the job run on it with the rights that it has in a cluster."""

    volume: Path
    capabilities: str = JOB_CAPABILITIES

    def run(self, request: HomeRequest) -> HomeReport:
        """The verdict as the hub reads it; raises HomeError."""
        return read_home_verdict(self.message(request.to_json()))

    def message(self, request: dict[str, Any]) -> str:
        message = self.volume.parent / "termination-log"
        message.write_text("")
        rights = ["setpriv", "--bounding-set", self.capabilities] if os.geteuid() == 0 else []
        arguments = [json.dumps(request), str(self.volume), str(message)]
        command = [*rights, sys.executable, "-I", "-S", "-c", home_source(), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, umask=0o077)
        text = message.read_text()
        assert done.returncode == (1 if "error" in json.loads(text) else 0), done.stderr
        assert done.stdout.strip() == text
        return text


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    (tmp_path / "volume").mkdir()
    return Homes(tmp_path / "volume")


def rachel(sub_path: str = "rachel", *, uid: int | None = None) -> HomeRequest:
    """A request for the user of the test, or for another UID (only root can give it a home)."""
    return HomeRequest(
        username="rachel",
        uid=os.getuid() if uid is None else uid,
        gid=os.getgid() if uid is None else uid,
        path=f"/home/{sub_path}",
        sub_path=sub_path,
        make_initial=sub_path == "r/rachel",
    )


def some_user() -> HomeRequest:
    """Root itself may have no home."""
    return rachel(uid=OTHER) if os.geteuid() == 0 else rachel()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def test_an_absent_home_is_made_private_for_its_user(homes: Homes) -> None:
    request = some_user()
    assert homes.run(request) == HomeReport(created=True)
    home = homes.volume / "rachel"
    assert (mode(home), owner(home)) == (0o700, (request.uid, request.gid))


def test_a_second_run_finds_it_and_changes_nothing(homes: Homes) -> None:
    homes.run(some_user())
    (homes.volume / "rachel" / "notes").write_text("mine")
    before = (homes.volume / "rachel").stat().st_ctime_ns
    assert homes.run(some_user()) == HomeReport(created=False)
    assert (homes.volume / "rachel").stat().st_ctime_ns == before


def test_the_folder_of_an_initial_is_made_open_and_not_the_user_s(homes: Homes) -> None:
    request = replace(some_user(), sub_path="r/rachel", make_initial=True)
    assert homes.run(request).created
    assert mode(homes.volume / "r") == 0o755
    assert owner(homes.volume / "r") == (os.getuid(), os.getgid())
    assert owner(homes.volume / "r" / "rachel") == (request.uid, request.gid)
    assert not homes.run(request).created


@pytest.mark.parametrize("sub_path", ["teams/rachel", "a/r/rachel"])
def test_no_other_parent_is_made(homes: Homes, sub_path: str) -> None:
    request = replace(some_user(), sub_path=sub_path, make_initial=sub_path.startswith("a"))
    with pytest.raises(HomeError, match="is not there"):
        homes.run(request)
    assert list(homes.volume.iterdir()) == []


def test_a_home_below_a_folder_that_is_there_is_made(homes: Homes) -> None:
    (homes.volume / "teams").mkdir()
    assert homes.run(replace(some_user(), sub_path="teams/rachel")).created


def test_another_mode_is_accepted_with_a_warning(homes: Homes) -> None:
    homes.run(some_user())
    (homes.volume / "rachel").chmod(0o755)
    report = homes.run(some_user())
    assert not report.created and "0755" in report.warnings[0]
    assert mode(homes.volume / "rachel") == 0o755


@AS_ROOT
def test_an_empty_home_of_somebody_else_is_given_to_its_user(homes: Homes) -> None:
    home = homes.volume / "rachel"
    home.mkdir(mode=0o755)
    os.chown(home, 6001, 6001)
    report = homes.run(rachel(uid=OTHER))
    assert not report.created and "UID 6001" in report.warnings[0]
    assert (owner(home), mode(home)) == ((OTHER, OTHER), 0o700)


@AS_ROOT
def test_a_home_with_files_of_somebody_else_is_refused_untouched(homes: Homes) -> None:
    home = homes.volume / "rachel"
    home.mkdir(mode=0o700)
    (home / "notes").write_text("mine")
    os.chown(home, 6001, 6001)
    with pytest.raises(HomeError, match=r"UID 6001.*is not empty"):
        homes.run(rachel(uid=OTHER))
    assert (owner(home), owner(home / "notes")) == ((6001, 6001), (0, 0))


def test_a_symbolic_link_is_refused(homes: Homes) -> None:
    target = homes.volume / "elsewhere"
    target.mkdir(mode=0o711)
    (homes.volume / "rachel").symlink_to(target)
    with pytest.raises(HomeError, match="symbolic link"):
        homes.run(some_user())
    assert (mode(target), owner(target)) == (0o711, (os.getuid(), os.getgid()))


def test_a_symbolic_link_on_the_way_is_not_followed(homes: Homes, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (homes.volume / "r").symlink_to(outside)
    with pytest.raises(HomeError, match="'r' above it"):
        homes.run(replace(some_user(), sub_path="r/rachel", make_initial=True))
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo])
def test_what_is_no_folder_is_refused(homes: Homes, make: Any) -> None:
    make(homes.volume / "rachel")
    with pytest.raises(HomeError, match="is not a folder"):
        homes.run(some_user())


@pytest.mark.parametrize("sub_path", ["../rachel", "r/../../x", "/rachel", "", "r//rachel", "."])
def test_a_folder_outside_the_volume_is_refused(homes: Homes, sub_path: str) -> None:
    with pytest.raises(HomeError, match="no folder below the homes"):
        homes.run(replace(some_user(), sub_path=sub_path))
    assert list(homes.volume.iterdir()) == []


@pytest.mark.parametrize("number", [0, -1, 2**32 - 1, 2**40, True, "5001", 5001.0])
def test_an_impossible_uid_or_gid_is_refused(homes: Homes, number: Any) -> None:
    for what in ("uid", "gid"):
        message = homes.message(some_user().to_json() | {what: number})
        with pytest.raises(HomeError, match=f"{what.upper()} {number}"):
            read_home_verdict(message)
    assert list(homes.volume.iterdir()) == []


def test_a_refusal_of_the_file_system_is_told(homes: Homes) -> None:
    name = "r" * 300
    with pytest.raises(HomeError, match="File name too long"):
        homes.run(replace(some_user(), sub_path=name))


def test_a_home_that_cannot_be_given_to_its_user_is_not_left_behind(homes: Homes) -> None:
    homes.capabilities = "-all"
    with pytest.raises(HomeError, match="Operation not permitted"):
        homes.run(rachel(uid=OTHER))
    assert list(homes.volume.iterdir()) == []


def test_a_verdict_fits_into_what_kubernetes_keeps(homes: Homes) -> None:
    request = replace(some_user(), sub_path="absent/rachel", path="/home/" + "é\n" * 4000)
    message = homes.message(request.to_json())
    assert len(message.encode()) <= 4096
    with pytest.raises(HomeError, match=r"^The home folder /home/é"):
        read_home_verdict(message)
