"""What an operator is told of a lab that can be built and will not be what was meant."""

from __future__ import annotations

from dataclasses import replace

from despejado_spawner.models import Group
from despejado_spawner.pods.models import ClaimMount
from despejado_spawner.pods.plan.build import plan_warnings
from despejado_spawner.site.storage import Temporary

from tests.spawner.pods.example_labs import (
    GIB,
    RACHEL,
    SITE,
    as_configured,
    lab_plan,
    observatory,
    odd_identity,
    own_claim,
    site_pod,
    with_settings,
)


async def test_an_ordinary_lab_has_none() -> None:
    assert plan_warnings(await observatory()) == ()


async def test_groups_beyond_what_nfs_carries_are_named() -> None:
    [warning, _] = plan_warnings(await odd_identity())
    assert "21 groups" in warning and "7015, 7016, 7017, 7018, 7019" in warning


async def test_sixteen_groups_with_the_primary_one_are_no_trouble() -> None:
    groups = tuple(Group(f"g{number}", 7000 + number) for number in range(15))
    lab = lab_plan(replace(RACHEL, groups=groups))
    assert plan_warnings(replace(await observatory(), lab=lab)) == ()


async def test_a_name_that_passwd_cannot_hold_is_told() -> None:
    assert "'ra_chel'" in plan_warnings(await odd_identity())[1]


async def test_tmp_in_memory_without_a_smaller_size_is_told() -> None:
    plan = await observatory()
    unlimited = with_settings(plan, temporary=Temporary(in_memory=True))
    assert "memory limit" in plan_warnings(unlimited)[0]
    small = with_settings(plan, temporary=Temporary(size=GIB, in_memory=True))
    assert plan_warnings(small) == ()


async def test_an_fs_group_that_would_reach_shared_claims_is_told() -> None:
    plan = await own_claim()
    assert plan_warnings(plan) == ()
    shared = replace(plan, mounts=(ClaimMount("project", "/project"),))
    assert "(project)" in plan_warnings(shared)[0]


async def test_an_fs_gid_that_is_left_out_is_told() -> None:
    plan = replace(await observatory(), base=await site_pod(fs_gid=100, **SITE))
    assert "fs_gid is not used" in plan_warnings(plan)[0]


async def test_what_restricted_refuses_all_the_same_is_told() -> None:
    nfs = {"name": "nfs", "nfs": {"server": "192.0.2.1", "path": "/"}}
    base = await site_pod(volumes=[nfs], extra_pod_config={"host_network": True}, **SITE)
    found = plan_warnings(replace(await observatory(), base=base))
    assert ["hostNetwork" in found[0], "volume nfs is of the kind nfs" in found[1]] == [True, True]


async def test_a_site_that_writes_its_own_contexts_is_not_told_of_restricted() -> None:
    assert plan_warnings(await as_configured()) == ()
