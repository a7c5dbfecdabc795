"""Checks of a platform whose labs are pods: the cluster, the hub's rights in it, claims, images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.inquiry import ClusterUnknown, Inquiry, Question

from despejado_hub.check.result import Result
from despejado_hub.config import Platform
from despejado_hub.config.kubernetes import KubernetesLabs
from despejado_hub.kubernetes_role import LABS, PLATFORM
from despejado_hub.labs.interface import Labs
from despejado_hub.labs.pods.images import image_catalogue
from despejado_hub.labs.pods.preview import preview_lab
from despejado_hub.labs.pods.settings import kubernetes_of

SOMEBODY = "somebody"
"""A user whose lab is shown to the API server and not made."""
ROLE_ADVICE = "despejado render role | kubectl apply -f -"


def check_cluster(labs: Labs, site: KubernetesLabs, state: Path) -> Iterator[Result]:
    """The cluster, what the hub may do there, and whether it would take a lab."""
    yield from asyncio.run(_all(labs, site, state))


async def _all(labs: Labs, site: KubernetesLabs, state: Path) -> list[Result]:
    try:
        inquiry = Inquiry()
    except ClusterUnknown as error:
        return [_failed("cluster", error)]
    try:
        version = await inquiry.version()
        results = [Result("cluster", "ok", f"Kubernetes {version} at {inquiry.host}")]
        results.append(await _rights(site, inquiry))
        results += [result async for result in _claims(site, inquiry)]
        results.append(await _lab(labs, state, inquiry))
        return results
    except ClusterUnknown as error:
        return [_failed("cluster", error)]
    finally:
        await inquiry.close()


def _failed(name: str, error: SpawnerError) -> Result:
    message, _, advice = str(error).partition(". ")
    return Result(name, "fail", message.rstrip("."), advice.strip() or None)


def check_images(platform: Platform) -> Iterator[Result]:
    """Whether the registry offers what the menu wants."""
    yield asyncio.run(look_at_images(platform))


async def look_at_images(platform: Platform) -> Result:
    """What the registry offers now, and what is wrong with it."""
    name = kubernetes_of(platform).images.repository
    catalogue = image_catalogue(platform)
    await catalogue.refresh()
    if catalogue.problem is not None:
        message, _, advice = catalogue.problem.partition(". ")
        return Result("images", "fail", message.rstrip("."), advice or "see that it runs")
    tags = [image.tag for image in catalogue.choices() if image.can_start]
    if not tags:
        advice = "despejado images build TAG --push REGISTRY, or change labs.images"
        message = " ".join(catalogue.warnings).rstrip(".")
        return Result(
            "images", "fail", message or f"{name} has no image that the menu offers", advice
        )
    if catalogue.warnings:
        message = " ".join(catalogue.warnings).rstrip(".")
        return Result("images", "warn", message, "despejado images list; see labs.images")
    return Result("images", "ok", f"{name} offers {', '.join(tags)}")


def questions(labs: KubernetesLabs) -> list[Question]:
    """Every right of the hub's Roles, as the API server is asked for it."""
    wanted = [(labs.namespace, right) for right in LABS]
    if labs.homes is not None and labs.homes.provisioner is not None:
        wanted += [(labs.homes.provisioner.namespace, right) for right in PLATFORM]
    return [
        Question(namespace, right.group, right.resource, verb)
        for namespace, right in wanted
        for verb in right.verbs
    ]


async def _rights(site: KubernetesLabs, inquiry: Inquiry) -> Result:
    asked = questions(site)
    answers = await asyncio.gather(*(inquiry.allowed(question) for question in asked))
    missing = [each for each, allowed in zip(asked, answers, strict=True) if not allowed]
    if missing:
        first = missing[0]
        what = f"{first.verb} {first.resource} in namespace {first.namespace}"
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Result("rights", "fail", f"this account may not {what}{more}", ROLE_ADVICE)
    return Result("rights", "ok", f"all {len(asked)} that a hub needs")


async def _claims(site: KubernetesLabs, inquiry: Inquiry) -> AsyncIterator[Result]:
    api = inquiry.api(site.namespace)
    for key, claim in claims_of(site).items():
        name = f"claim {claim}"
        try:
            found = await api.read("PersistentVolumeClaim", claim)
        except SpawnerError as error:
            yield _failed(name, error)
            continue
        if found is None:
            advice = f"make it, or correct {key}"
            message = f"there is none in namespace {api.namespace}"
            yield Result(name, "fail", message, advice)
            continue
        phase = found.get("status", {}).get("phase", "unknown")
        modes = ", ".join(found.get("spec", {}).get("accessModes", ()))
        if phase == "Bound":
            yield Result(name, "ok", f"bound ({modes})")
        elif phase == "Lost":
            yield Result(name, "fail", "its volume is gone", f"restore it; {key} needs it")
        else:
            advice = "see kubectl describe; it may be bound when the first lab needs it"
            yield Result(name, "warn", f"not bound ({phase})", advice)


def claims_of(labs: KubernetesLabs) -> dict[str, str]:
    """Key of the file to claim, of every claim that labs mount; each claim once."""
    found: dict[str, str] = {}
    if labs.homes is not None and labs.homes.claim is not None:
        found["labs.kubernetes.homes.claim"] = labs.homes.claim
    for number, mount in enumerate(labs.mounts):
        found[f"labs.kubernetes.mounts[{number}].claim"] = mount.claim
    if labs.scratch is not None:
        found["labs.kubernetes.scratch.claim"] = labs.scratch.claim
    if labs.data is not None:
        found["labs.kubernetes.data.claim"] = labs.data.claim
    first: dict[str, str] = {}
    for key, claim in found.items():
        if "{" not in claim:  # a template: one of each user's own
            first.setdefault(claim, key)
    return {key: claim for claim, key in first.items()}


async def _lab(labs: Labs, state: Path, inquiry: Inquiry) -> Result:
    """Show the API server a lab: it names what it would refuse, and keeps nothing."""
    name = "a lab"
    namespace = labs.namespace or ""
    try:
        preview = await preview_lab(labs, state, SOMEBODY, {})
        for manifest in (*preview.dependents, preview.pod):
            await inquiry.api(namespace).try_create(manifest)
        if preview.home_job is not None:
            where = preview.home_job["metadata"]["namespace"]
            await inquiry.api(where).try_create(preview.home_job)
    except SpawnerError as error:
        # What is said to users of a hub ("Tell the administrator.") is no advice for operators.
        advice = f"see docs/kubernetes.md; kubectl get namespace {namespace} --show-labels"
        return Result(name, "fail", getattr(error, "message", str(error)), advice)
    image = preview.pod["spec"]["containers"][0]["image"]
    return Result(name, "ok", f"the cluster would take it (image {image}); nothing was made")
