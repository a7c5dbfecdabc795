"""Pod Security *restricted*: what is put right, what stays, what can only be told."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.plan.security import restrict, run_as, still_refused

from tests.spawner.pods.example_labs import RACHEL

DEMANDED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod(
    container: Manifest | None = None, context: Manifest | None = None, **spec: Any
) -> Manifest:
    notebook: Manifest = {"name": "notebook"}
    if container is not None:
        notebook["securityContext"] = container
    found: Manifest = {"metadata": {}, "spec": {"containers": [notebook], **spec}}
    if context is not None:
        found["spec"]["securityContext"] = context
    return found


def container_context(manifest: Manifest) -> Manifest:
    found: Manifest = manifest["spec"]["containers"][0]["securityContext"]
    return found


def test_every_container_is_restricted_and_runs_as_the_user() -> None:
    manifest = pod(
        initContainers=[{"name": "first"}], containers=[{"name": "notebook"}, {"name": "sidecar"}]
    )
    restrict(manifest, RACHEL)
    assert manifest["spec"]["securityContext"] == {
        "runAsUser": 5001,
        "runAsGroup": 5001,
        "supplementalGroups": [5001, 6100],
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    everyone = manifest["spec"]["containers"] + manifest["spec"]["initContainers"]
    assert [each["securityContext"] for each in everyone] == [DEMANDED] * 3


@pytest.mark.parametrize(
    "forbidden",
    [
        {"privileged": True},
        {"allowPrivilegeEscalation": True},
        {"runAsUser": 0},
        {"runAsNonRoot": False},
        {"procMount": "Unmasked"},
        {"capabilities": {"add": ["SYS_ADMIN"], "drop": ["NET_RAW"]}},
        {"seccompProfile": {"type": "Unconfined"}},
        {"appArmorProfile": {"type": "Unconfined"}},
    ],
)
def test_what_restricted_forbids_is_taken_away(forbidden: Manifest) -> None:
    manifest = pod(copy.deepcopy(forbidden))
    restrict(manifest, RACHEL)
    assert container_context(manifest) == DEMANDED


@pytest.mark.parametrize(
    "allowed",
    [
        {"readOnlyRootFilesystem": True},
        {"runAsNonRoot": True},
        {"seccompProfile": {"type": "Localhost", "localhostProfile": "labs.json"}},
        {"appArmorProfile": {"type": "RuntimeDefault"}},
        {"seLinuxOptions": {"type": "container_t", "level": "s0:c1"}},
    ],
)
def test_what_restricted_allows_stays(allowed: Manifest) -> None:
    manifest = pod(copy.deepcopy(allowed))
    restrict(manifest, RACHEL)
    kept = {key: value for key, value in allowed.items() if key != "runAsNonRoot"}
    assert container_context(manifest) == DEMANDED | kept
    assert manifest["spec"]["securityContext"]["runAsNonRoot"] is True


def test_the_one_capability_that_restricted_allows_stays() -> None:
    manifest = pod({"capabilities": {"add": ["NET_ADMIN", "NET_BIND_SERVICE"]}})
    restrict(manifest, RACHEL)
    assert container_context(manifest)["capabilities"] == {
        "drop": ["ALL"],
        "add": ["NET_BIND_SERVICE"],
    }


def test_the_pod_s_own_profile_stays_if_it_is_one() -> None:
    localhost = {"type": "Localhost", "localhostProfile": "labs.json"}
    for given, kept in (
        (localhost, localhost),
        ({"type": "Unconfined"}, {"type": "RuntimeDefault"}),
    ):
        manifest = pod(context={"seccompProfile": given})
        restrict(manifest, RACHEL)
        assert manifest["spec"]["securityContext"]["seccompProfile"] == kept


def test_selinux_options_lose_what_is_forbidden_only() -> None:
    options = {"user": "u", "role": "r", "type": "spc_t", "level": "s0"}
    manifest = pod(context={"seLinuxOptions": options})
    restrict(manifest, RACHEL)
    assert manifest["spec"]["securityContext"]["seLinuxOptions"] == {"level": "s0"}


def test_old_apparmor_annotations_that_unconfine_are_taken_away() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/notebook"
    manifest = pod()
    manifest["metadata"]["annotations"] = {key: "unconfined", "note": "unconfined"}
    restrict(manifest, RACHEL)
    assert manifest["metadata"]["annotations"] == {"note": "unconfined"}


def test_the_user_s_identity_replaces_the_site_s_but_not_that_of_a_sidecar() -> None:
    sidecar: Manifest = {"name": "sync", "securityContext": {"runAsUser": 65532}}
    manifest = pod({"runAsUser": 1000, "runAsGroup": 100}, {"runAsUser": 0})
    manifest["spec"]["containers"].append(sidecar)
    restrict(manifest, RACHEL)
    assert manifest["spec"]["securityContext"]["runAsUser"] == 5001
    assert not {"runAsUser", "runAsGroup"} & set(container_context(manifest))
    assert sidecar["securityContext"]["runAsUser"] == 65532


def test_a_default_identity_fills_what_the_site_leaves_open() -> None:
    manifest = pod({"runAsGroup": 7}, {"runAsUser": 2000, "supplementalGroups": [9]})
    restrict(manifest, RACHEL, own_identity=False)
    context = manifest["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (2000, 5001)
    assert context["supplementalGroups"] == [9]
    assert container_context(manifest)["runAsGroup"] == 7


def test_a_root_user_is_replaced_by_a_default_identity_too() -> None:
    manifest = pod({"runAsUser": 0}, {"runAsUser": 0})
    restrict(manifest, RACHEL, own_identity=False)
    assert manifest["spec"]["securityContext"]["runAsUser"] == 5001
    assert "runAsUser" not in container_context(manifest)


def test_restricting_twice_changes_nothing_more() -> None:
    manifest = pod({"privileged": True}, initContainers=[{"name": "first"}])
    restrict(manifest, RACHEL)
    once = copy.deepcopy(manifest)
    restrict(manifest, RACHEL)
    assert manifest == once


def test_an_identity_alone_restricts_nothing() -> None:
    manifest = pod({"privileged": True})
    run_as(manifest, RACHEL, own_identity=True)
    assert container_context(manifest) == {"privileged": True}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"hostNetwork": True}, "hostNetwork is true"),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
            "volume v is of the kind hostPath",
        ),
        ({"volumes": [{"name": "v", "nfs": {}}]}, "volume v is of the kind nfs"),
        (
            {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
            "sysctl kernel.msgmax is set",
        ),
        (
            {"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 2}]}]},
            "container c has the host port 2",
        ),
        (
            {"containers": [{"name": "c", "livenessProbe": {"tcpSocket": {"host": "h"}}}]},
            "container c has a probe or lifecycle hook with a host",
        ),
    ],
)
def test_what_cannot_be_put_right_is_told(spec: Manifest, sentence: str) -> None:
    manifest: Manifest = {"metadata": {}, "spec": {"containers": [], **spec}}
    assert still_refused(manifest) == (sentence,)


def test_an_ordinary_pod_has_nothing_to_tell() -> None:
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {}}]
    ports = [{"containerPort": 8888}]
    manifest = pod(volumes=volumes)
    manifest["spec"]["containers"][0] |= {"ports": ports, "livenessProbe": {"httpGet": {}}}
    assert still_refused(manifest) == ()
