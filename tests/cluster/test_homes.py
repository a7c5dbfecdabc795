"""Homes that cannot be written: there is still a lab, which says what to do."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.sites import Site, site
from tests.conftest import missing

pytestmark = [pytest.mark.cluster, pytest.mark.root]
SIZE = 8 * 2**20


def reachable(folder: Path) -> Path:
    """A new folder that others may go to."""
    folder.mkdir()
    for each in (folder, *folder.parents):
        each.chmod(each.stat().st_mode | 0o055)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes for homes, which nobody else fills."""
    folder = reachable(tmp_path / "homes")
    options = f"size={SIZE},mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Path]:
    """A file system with room, of which homes may take a few megabytes."""
    if shutil.which("mkfs.btrfs") is None:
        missing("cluster", "mkfs.btrfs is not installed (Debian: apt-get install btrfs-progs)")
    if "btrfs" not in Path("/proc/filesystems").read_text():
        missing("cluster", "this kernel has no btrfs, for quotas (modprobe btrfs)")
    top, image = reachable(tmp_path / "btrfs"), tmp_path / "btrfs.img"
    with image.open("wb") as file:
        file.truncate(256 * 2**20)
    subprocess.run(["mkfs.btrfs", "--quiet", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, top], check=True)
    homes = top / "homes"
    try:
        for command in (
            ["quota", "enable", str(top)],
            ["subvolume", "create", str(homes)],
            ["qgroup", "limit", str(SIZE), homes],
        ):
            subprocess.run(["btrfs", *command], check=True, stdout=subprocess.DEVNULL)
        yield homes
    finally:
        subprocess.run(["umount", top], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


def startup_of(here: Site, user: str) -> dict[str, Any] | None:
    """What the lab tells its user of the start, as the lab extension asks for it."""
    answer = httpx.get(
        f"{here.hub.lab_url(user)}despejado/config",
        headers={"Authorization": f"token {here.hub.token_for(user)}"},
        trust_env=False,
        timeout=30,
    ).raise_for_status()
    found: dict[str, Any] | None = answer.json()["startup"]
    return found


@pytest.fixture
def homes(request: pytest.FixtureRequest) -> Path:
    """One of the two."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(
    ("homes", "code", "words"),
    [("small", "ENOSPC", "No space left"), ("limited", "EDQUOT", "quota exceeded")],
    indirect=["homes"],
)
def test_a_full_home_gives_a_lab_that_says_so(
    cluster: Cluster, homes: Path, code: str, words: str, tmp_path: Path
) -> None:
    with site(cluster, tmp_path, homes=homes) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        assert startup_of(here, "rachel") is None
        here.hub.end("rachel")

        big = homes / "rachel" / "big"
        with big.open("wb", buffering=0) as file, pytest.raises(OSError, match=words):
            while True:
                file.write(b"x" * 2**16)
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        startup = startup_of(here, "rachel")
        assert startup is not None and startup["code"] == code
        assert "Delete what you no longer need" in " ".join(startup["advice"])
        # The home itself is there, so that the user can make room; then all is as before.
        assert here.run("rachel", "rm", "/home/rachel/big") == ""
        here.hub.end("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        assert startup_of(here, "rachel") is None
        here.hub.end("rachel")
        here.hub.wait(lambda: not here.left(), "nothing to be left")


def test_a_read_only_home_gives_a_lab_and_a_new_one_cannot_be_made(
    cluster: Cluster, small: Path, tmp_path: Path
) -> None:
    with site(cluster, tmp_path, homes=small) as here:
        for user in ("rachel", "vera"):
            here.hub.add_user(user)
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        here.hub.end("rachel")
        with read_only(small):
            assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
            startup = startup_of(here, "rachel")
            assert startup is not None and startup["code"] == "EROFS"
            here.hub.end("rachel")
            refused = here.hub.ask("vera", {"image": "plain"})
            assert refused.status_code == 500
            assert "read-only" in refused.json()["message"].lower()
            here.hub.wait(lambda: not here.left(), "nothing to be left")
        assert here.hub.ask("vera", {"image": "plain"}).status_code == 201
        here.hub.end("vera")


def test_somebody_elses_home_is_refused_and_not_touched(
    cluster: Cluster, small: Path, tmp_path: Path
) -> None:
    theirs = small / "rachel"
    theirs.mkdir(mode=0o755)
    (theirs / "thesis").write_text("years of work")
    link = small / "vera"
    link.symlink_to("/etc")
    with site(cluster, tmp_path, homes=small) as here:
        for user in ("rachel", "vera"):
            here.hub.add_user(user)
            refused = here.hub.ask(user, {"image": "plain"})
            assert refused.status_code == 500, refused.text
            assert f"/home/{user}" in refused.json()["message"]
        here.hub.wait(lambda: not here.left(), "nothing to be left")
    assert (theirs / "thesis").read_text() == "years of work"
    assert (theirs.stat().st_uid, link.is_symlink()) == (0, True)


def test_two_labs_of_a_user_share_the_home_and_nothing_else(
    cluster: Cluster, small: Path, tmp_path: Path
) -> None:
    with site(cluster, tmp_path, homes=small) as here, here.hub.client() as client:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        second = client.post("/users/rachel/servers/second", json={"image": "plain"}, timeout=90)
        assert second.status_code == 201, second.text
        kinds = [each.split()[0] for each in here.left()]
        for kind in ("Pod", "Secret", "ConfigMap", "NetworkPolicy"):
            assert kinds.count(kind) == 2, here.left()
        here.run("rachel", "touch", "/home/rachel/mine")
        assert (small / "rachel" / "mine").exists()
        assert "mine" in here.cell(
            "rachel", "import os; print(os.listdir('/home/rachel'))", "second"
        )
        assert here.pod("rachel--second") is not None
        here.hub.end("rachel")
        here.hub.wait(lambda: here.pod("rachel") is None, "the first lab to go")
        assert here.pod("rachel--second") is not None
        assert len(here.left()) == 4, here.left()
        client.delete("/users/rachel/servers/second", timeout=60).raise_for_status()
        here.hub.wait(lambda: not here.left(), "nothing to be left")
