"""UIDs and GIDs that are stable, and never given twice."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from despejado_hub.config import posix_ids
from despejado_hub.identity.login import SYSTEM_NAMES, is_login, login_names
from despejado_hub.identity.policy import IdentityPolicy
from despejado_hub.identity.registry import EmbeddedRegistry, RegistryError
from despejado_spawner.errors import IdentityError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule


def nobody_else(number: int) -> bool:
    return False


def registry(path: Path, **policy: object) -> EmbeddedRegistry:
    return EmbeddedRegistry(
        path, IdentityPolicy.model_validate(policy), taken=nobody_else, patience=0.2
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identities.sqlite"


async def test_a_user_keeps_uid_and_gid_over_restarts(path: Path) -> None:
    first = await registry(path).identity("rachel", None)
    assert (first.uid, first.gid) == (5000, 5000)
    assert first.groups[0].name == "rachel"
    await registry(path).identity("monica", {"uid": 0})
    assert await registry(path).identity("rachel", None) == first


def test_a_retired_users_uid_and_login_are_never_given_again(path: Path) -> None:
    users = registry(path)
    old = users.assign("rachel")
    users.assign("monica")
    users.retire("rachel")
    new = users.assign("rachel")
    assert new.uid not in {old.uid, 5001}
    assert new.username != old.username
    users.retire("rachel")
    third = users.assign("rachel")
    assert len({old.uid, new.uid, third.uid}) == 3
    assert len({old.username, new.username, third.username}) == 3


def test_the_last_uid_is_not_reused_when_its_user_goes(path: Path) -> None:
    users = registry(path)
    gone = users.assign("last").uid
    users.retire("last")
    assert users.assign("next").uid == gone + 1


def test_retiring_nobody_is_told(path: Path) -> None:
    with pytest.raises(IdentityError, match="no user 'ghost'"):
        registry(path).retire("ghost")


def test_groups_by_configuration(path: Path) -> None:
    groups = {
        "astronomers": {"members": "everyone"},
        "lsst": {"gid": 3000, "members": ["rachel"]},
    }
    users = registry(path, groups=groups)
    rachel, monica = users.assign("rachel"), users.assign("monica")
    assert {(group.name, group.gid) for group in rachel.groups} == {
        ("rachel", 5000),
        ("astronomers", 4000),
        ("lsst", 3000),
    }
    assert {group.name for group in monica.groups} == {"monica", "astronomers"}


def test_a_group_that_comes_later_reaches_known_users(path: Path) -> None:
    assert len(registry(path).assign("rachel").groups) == 1
    later = registry(path, groups={"late": {}}).assign("rachel")
    assert [group.name for group in later.groups] == ["rachel", "late"]


def test_a_gid_that_somebody_has_is_refused(path: Path) -> None:
    registry(path).assign("rachel")
    taken = registry(path, groups={"lsst": {"gid": 5000}})
    with pytest.raises(IdentityError, match="gave that number to the user 'rachel'"):
        taken.assign("monica")


def test_a_group_with_a_new_gid_leaves_the_old_one_for_ever(path: Path) -> None:
    registry(path, groups={"g": {}}).assign("a")
    moved = registry(path, groups={"g": {"gid": 4100}, "h": {}}).assign("a")
    gids = {group.name: group.gid for group in moved.groups}
    assert gids["g"] == 4100
    assert gids["h"] == 4001


def test_users_never_get_the_number_of_a_group(path: Path) -> None:
    users = registry(path, first_gid=5000, groups={"g": {}, "f": {"gid": 5002}})
    first, second = users.assign("a"), users.assign("b")
    numbers = [5002, *(group.gid for group in first.groups), second.uid]
    assert len(set(numbers)) == len({5002, 5000, 5001, 5003})


def test_a_user_with_a_groups_name_gets_another_login(path: Path) -> None:
    users = registry(path, groups={"demo": {}})
    demo = users.assign("demo")
    assert demo.username.startswith("demo-")
    assert [group.name for group in demo.groups] == [demo.username, "demo"]


def test_a_group_named_after_a_known_user_keeps_both_apart(path: Path) -> None:
    registry(path).assign("demo")
    names = [group.name for group in registry(path, groups={"demo": {}}).assign("demo").groups]
    assert len(set(names)) == 2


def test_numbers_of_this_machines_own_users_are_passed_over(path: Path) -> None:
    users = EmbeddedRegistry(path, taken=lambda number: number in {5000, 5001})
    assert users.assign("rachel").uid == 5002


@pytest.mark.parametrize("first", [60000, 524286])
def test_reserved_ranges_are_passed_over(path: Path, first: int) -> None:
    users = registry(path, first_uid=first)
    numbers = [users.assign(f"u{index}").uid for index in range(4)]
    assert all(posix_ids.refusal(number) is None for number in numbers)
    assert len(set(numbers)) == 4


def test_no_number_left_is_told(path: Path) -> None:
    users = registry(path, first_uid=posix_ids.HIGHEST)
    users.assign("last")
    with pytest.raises(IdentityError, match="No user number is left"):
        users.assign("one-more")


@pytest.mark.parametrize("number", [0, 1, 999])
def test_system_numbers_are_refused_everywhere(number: int) -> None:
    assert posix_ids.refusal(number)
    with pytest.raises(ValueError, match="system"):
        IdentityPolicy.model_validate({"first_uid": number})


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", "\ud800"])
def test_names_that_cannot_be_kept_are_told(path: Path, name: str) -> None:
    with pytest.raises(IdentityError):
        registry(path).assign(name)


@pytest.mark.parametrize(
    ("name", "login"),
    [("rachel", "rachel"), ("jane.doe", "jane.doe"), ("a_b-c", "a_b-c")],
)
def test_ordinary_names_are_their_own_login(name: str, login: str) -> None:
    assert login_names(name)[0] == login


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()))
def test_every_name_has_a_posix_login(name: str) -> None:
    for login in login_names(name):
        assert is_login(login)
        assert login not in SYSTEM_NAMES


@settings(max_examples=20, deadline=None)
@given(st.sets(st.text(alphabet="aAbB.@ é-1", min_size=1, max_size=4), min_size=2, max_size=12))
def test_logins_and_numbers_never_collide(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    users = registry(tmp_path_factory.mktemp("ids") / "r.sqlite")
    identities = [users.assign(name) for name in sorted(names)]
    assert len({identity.uid for identity in identities}) == len(names)
    assert len({identity.username for identity in identities}) == len(names)


class RegistryMachine(RuleBasedStateMachine):
    """Users come and go in any order; what was given once is never given to another."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.registry = EmbeddedRegistry(Path(self._folder()) / "r.sqlite", taken=nobody_else)
        self.given: dict[int, tuple[str, int]] = {}
        self.life: dict[str, int] = {}
        self.active: dict[str, int] = {}

    def _folder(self) -> str:
        self.folder = tempfile.TemporaryDirectory()
        return self.folder.name

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(target=names, name=st.sampled_from(["ann", "bob", "Čenda", "root"]))
    def assign(self, name: str) -> str:
        uid = self.registry.assign(name).uid
        owner = (name, self.life.get(name, 0))
        assert self.given.setdefault(uid, owner) == owner
        assert self.active.setdefault(name, uid) == uid
        return name

    @rule(name=names)
    def retire(self, name: str) -> None:
        if self.active.pop(name, None) is not None:
            self.registry.retire(name)
            self.life[name] = self.life.get(name, 0) + 1

    @invariant()
    def every_number_is_kept(self) -> None:
        assert {entry.id for entry in self.registry.entries()} == set(self.given)


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)


def _assign_many(path: Path, worker: int, results: multiprocessing.Queue[object]) -> None:
    users = EmbeddedRegistry(path, taken=nobody_else)
    names = ["shared", *(f"w{worker}-{index}" for index in range(8))]
    results.put({name: users.assign(name).uid for name in names})


def test_processes_that_assign_at_once_never_meet(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[dict[str, int]] = context.Queue()
    workers = [
        context.Process(target=_assign_many, args=(path, number, results)) for number in range(4)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert len({answer["shared"] for answer in answers}) == 1
    everyone = {name: uid for answer in answers for name, uid in answer.items()}
    assert len(everyone) == 4 * 8 + 1
    assert len(set(everyone.values())) == len(everyone)
    assert {name: registry(path).assign(name).uid for name in everyone} == everyone


def test_a_process_killed_while_it_writes_leaves_a_whole_registry(path: Path) -> None:
    before = registry(path).assign("rachel")
    code = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "database.execute(\"INSERT INTO identities VALUES (5001,'user','x','x','now',NULL)\")\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -9
    users = registry(path)
    assert users.assign("rachel") == before
    assert users.assign("monica").uid == 5001
    users.verify()


def test_a_damaged_registry_is_told_and_kept(path: Path) -> None:
    path.write_bytes(b"this is no database, but it was one" * 100)
    content = path.read_bytes()
    with pytest.raises(RegistryError, match="restore the file from the backup"):
        registry(path).assign("rachel")
    assert path.read_bytes() == content


def test_damage_inside_is_found_by_verify(path: Path) -> None:
    users = registry(path)
    for index in range(40):
        users.assign(f"user-{index:0250}")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 4096)
    with pytest.raises(RegistryError, match="damaged"):
        users.verify()


def test_a_foreign_or_newer_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (x)")
    with pytest.raises(RegistryError, match="not a registry of UIDs"):
        registry(path).assign("rachel")
    path.unlink()
    registry(path).assign("rachel")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(RegistryError, match="newer version"):
        registry(path).assign("rachel")


def test_a_locked_registry_serves_known_users_and_tells_new_ones(path: Path) -> None:
    known = registry(path).assign("rachel")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert registry(path).assign("rachel") == known
        with pytest.raises(RegistryError, match="locked by another process"):
            registry(path).assign("monica")
    finally:
        holder.close()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="folder exists"):
        registry(tmp_path / "gone" / "r.sqlite").assign("rachel")


@pytest.mark.root
def test_a_read_only_registry_serves_known_users_and_tells_new_ones() -> None:
    # Root may write anywhere, so another user looks at it, outside pytest's closed folder.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        registry(path).assign("rachel")
        Path(folder).chmod(0o755)
        path.chmod(0o444)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.setuid(65534)
                known = registry(path).assign("rachel").uid == 5000
                try:
                    registry(path).assign("monica")
                except RegistryError as error:
                    status = 0 if known and "read-only" in str(error) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_only_its_owner_can_read_the_registry(path: Path) -> None:
    registry(path).assign("rachel")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_preview_keeps_nothing(path: Path) -> None:
    assert registry(path).would_assign("rachel").uid == 5000
    assert not path.exists()
    registry(path).assign("monica")
    assert registry(path).would_assign("rachel").uid == 5001
    assert [entry.name for entry in registry(path).entries()] == ["monica"]
