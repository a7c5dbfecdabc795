"""What a start consists of, planned from plain values."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from despejado_images.configured import ConfiguredImages
from despejado_spawner.errors import IdentityError, OptionsError
from despejado_spawner.models import Identity
from despejado_spawner.pods.homes import LabHomes
from despejado_spawner.pods.kubespawner.planner import StockPlanner
from despejado_spawner.pods.models import Manifest, PodPlan
from despejado_spawner.pods.options import MenuOptions
from despejado_spawner.pods.planner import LabPlanner
from despejado_spawner.site.model import Site

from tests.spawner.pods.plain_labs import SIZES, PlainLab, PlainSource

IMAGES = {"w_2026_43": "registry.example.org/lab:w_2026_43", "plain": "site/plain:1"}
HOMES = {
    "claim": "homes",
    "provisioner": {"namespace": "makers", "claim": "h", "image": "r.example.org/lab:1"},
}


def planner(lab: PlainLab, source: PlainSource | None = None) -> tuple[LabPlanner, LabHomes]:
    homes = LabHomes(lab)
    options = MenuOptions(lab, ConfiguredImages(IMAGES))
    return LabPlanner(lab, source or PlainSource(lab), options, homes), homes


def site(**settings: Any) -> Site:
    return Site(sizes=SIZES, default_size="small", **settings)


async def plan_of(lab: PlainLab) -> PodPlan:
    return await planner(lab)[0].pod_plan("start1")


async def test_what_was_chosen_is_in_the_plan() -> None:
    plan = await plan_of(PlainLab(user_options={"image": "plain", "size": "large"}))
    assert plan.image_reference == "site/plain:1"
    assert (plan.lab.size.name, plan.lab.bigger_sizes) == ("large", ())
    assert (plan.lab.identity.uid, plan.lab.identity.username) == (5001, "rachel")
    assert plan.base["spec"]["nodeSelector"] == {"pool": "labs"}


async def test_variables_of_the_site_are_told_from_those_of_the_hub() -> None:
    lab = (await plan_of(PlainLab())).lab
    assert lab.environment == {"SITE": "cerro"}
    assert lab.hub_environment["JUPYTERHUB_USER"] == "rachel"
    assert "SITE" not in lab.hub_environment
    assert lab.bigger_sizes == ("large",)


async def test_what_is_not_offered_is_refused() -> None:
    with pytest.raises(OptionsError, match="There is no image 'w_1999_01'"):
        await plan_of(PlainLab(user_options={"image": "w_1999_01"}))


async def test_the_site_s_hook_says_who_the_lab_runs_as() -> None:
    lab = PlainLab(identity_hook=lambda lab: Identity(lab.user.name, 6001, 6001))
    assert (await plan_of(lab)).lab.identity.uid == 6001
    lab.identity_hook = lambda lab: Identity(lab.user.name, 999, 6001)
    with pytest.raises(IdentityError, match="UID 999"):
        await plan_of(lab)


async def test_numbers_of_kubespawner_may_be_asked_of_a_function() -> None:
    async def number(lab: Any) -> int:
        return 7001

    lab = PlainLab(uid=number, gid=None)
    identity = (await plan_of(lab)).lab.identity
    assert (identity.uid, identity.gid) == (7001, 100)


async def test_a_home_is_made_once() -> None:
    lab = PlainLab(site=site(homes=HOMES))
    plans, homes = planner(lab)
    first = await plans.plan("start1")
    assert first.home_job is not None
    assert homes.job(first.pod) == first.home_job
    assert homes.job_namespace == "makers"
    homes.note(first.pod)
    assert (await plans.plan("start2")).home_job is None
    lab.uid = 5002  # another user of this name: the folder must be looked at again
    assert (await plans.plan("start3")).home_job is not None


async def test_an_own_claim_needs_nobody_to_make_a_folder() -> None:
    plan = await plan_of(PlainLab(site=site(homes={"own_claim": True})))
    assert plan.home is not None and plan.home.own_claim
    assert plan.home.mount.claim == "claim-rachel"


async def test_templates_in_mounts_are_filled_in() -> None:
    mounts = [{"claim": "group", "path": "/group", "sub_path": "of/{username}", "read_only": True}]
    (mount,) = (await plan_of(PlainLab(site=site(mounts=mounts)))).mounts
    assert (mount.sub_path, mount.read_only) == ("of/rachel", True)


async def test_the_site_s_hook_has_the_last_word_on_the_pod() -> None:
    def hook(pod: Manifest) -> Manifest:
        pod["metadata"]["annotations"]["seen"] = "yes"
        return pod

    lab = PlainLab()
    source = PlainSource(lab)
    source.hook = hook
    planned = await planner(lab, source)[0].plan("start1")
    assert planned.pod["metadata"]["annotations"]["seen"] == "yes"
    assert [each["kind"] for each in planned.dependents] == ["Secret", "ConfigMap"]


async def test_a_start_is_planned_anew_each_time() -> None:
    """Nothing of one start is left for the next one."""
    plans, _ = planner(PlainLab())
    first, second = await plans.plan("start1"), await plans.plan("start2")
    names = {each["metadata"]["name"] for each in (*first.dependents, *second.dependents)}
    assert names == {"jupyter-rachel-start1", "jupyter-rachel-start2"}


async def test_a_site_without_a_menu_keeps_its_pod_and_gives_no_token_away() -> None:
    lab = PlainLab(site=Site())
    planned = await StockPlanner(lab, PlainSource(lab)).plan("start1")
    (container,) = planned.pod["spec"]["containers"]
    assert container["image"] == "site:1"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    secret = next(each for each in planned.dependents if each["kind"] == "Secret")
    assert base64.b64decode(secret["data"]["token"]) == b"data-token"
    assert "data-token" not in str(planned.pod)
