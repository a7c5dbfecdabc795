"""passwd and group files: names that cannot break a line, the primary group always there."""

from __future__ import annotations

import pytest
from despejado_spawner.errors import IdentityError
from despejado_spawner.identity import check_identity, group_file, passwd_file
from despejado_spawner.models import Group, Identity
from hypothesis import given
from hypothesis import strategies as st

RACHEL = Identity(
    "rachel", 1101, 1101, (Group("rachel", 1101), Group("lunatics", 2028)), "Rachel (?)"
)
BASE_PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin"
BASE_GROUP = "root:x:0:\nlunatics:x:2028:igor\n"


def test_passwd_is_the_base_and_one_line() -> None:
    text = passwd_file(RACHEL, "/home/rachel", BASE_PASSWD)
    assert text == f"{BASE_PASSWD}\nrachel:x:1101:1101:Rachel (?):/home/rachel:/bin/bash\n"


def test_a_missing_full_name_is_empty() -> None:
    nameless = Identity("rachel", 1101, 1101)
    assert passwd_file(nameless, "/h") == "rachel:x:1101:1101::/h:/bin/bash\n"


@pytest.mark.parametrize(
    ("full_name", "field"),
    [
        ("Zoë  Ångström ", "Zoë Ångström"),
        ("a:b\nroot::0:0", "a b root 0 0"),
        ("tab\there\x00\x7f\u2028end", "tab here end"),
    ],
)
def test_a_full_name_cannot_leave_its_field(full_name: str, field: str) -> None:
    identity = Identity("rachel", 1101, 1101, (), full_name)
    assert passwd_file(identity, "/h") == f"rachel:x:1101:1101:{field}:/h:/bin/bash\n"


def test_groups_have_their_member_and_the_primary_has_none() -> None:
    assert group_file(RACHEL) == "rachel:x:1101:\nlunatics:x:2028:rachel\n"


def test_the_primary_group_is_there_without_being_listed() -> None:
    assert group_file(Identity("rachel", 1101, 1105)) == "rachel:x:1105:\n"


def test_an_entry_of_the_base_file_wins_and_gains_the_member() -> None:
    text = group_file(RACHEL, BASE_GROUP)
    assert text == "root:x:0:\nlunatics:x:2028:igor,rachel\nrachel:x:1101:\n"
    base = "rachel:x:7:7::/:/bin/sh\n"
    assert passwd_file(RACHEL, "/h", base) == base


def test_duplicate_groups_are_written_once() -> None:
    twice = Identity("rachel", 1101, 1101, (Group("a", 5), Group("a", 5), Group("a", 6)))
    assert group_file(twice) == "rachel:x:1101:\na:x:5:rachel\n"


@given(
    name=st.text(min_size=1),
    full_name=st.text(),
    groups=st.lists(st.builds(Group, st.text(min_size=1), st.integers(1000, 2**31)), max_size=4),
)
def test_no_name_makes_another_line_or_field(
    name: str, full_name: str, groups: list[Group]
) -> None:
    identity = Identity(name, 1101, 1101, tuple(groups), full_name)
    passwd, group = passwd_file(identity, "/h"), group_file(identity)
    assert passwd.count("\n") == 1 and len(passwd.split(":")) == 7
    assert 1 <= group.count("\n") <= len(groups) + 1
    assert all(line.count(":") == 3 for line in group.splitlines())
    assert passwd.split(":")[2:4] == ["1101", "1101"]


@pytest.mark.parametrize(("uid", "gid"), [(0, 1101), (999, 1101), (1101, 0), (1101, 999)])
def test_system_ids_are_refused(uid: int, gid: int) -> None:
    with pytest.raises(IdentityError, match="1000"):
        check_identity(Identity("rachel", uid, gid))


@pytest.mark.parametrize("number", [-1, 2**32 - 1, 2**40])
def test_ids_that_mean_nobody_are_refused(number: int) -> None:
    with pytest.raises(IdentityError):
        check_identity(Identity("rachel", number, 1101))
    with pytest.raises(IdentityError):
        check_identity(Identity("rachel", 1101, 1101, (Group("g", number),)))


def test_a_group_of_root_is_refused_and_an_ordinary_one_is_not() -> None:
    with pytest.raises(IdentityError, match="'wheel'"):
        check_identity(Identity("rachel", 1101, 1101, (Group("wheel", 0),)))
    assert check_identity(RACHEL) is RACHEL
