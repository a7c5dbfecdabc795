"""Records what a real API server answers to a lab that it does not take.

``python -m tests.spawner.pods.record_refusals KUBECONFIG [NAME ...]`` makes a namespace for
each refusal, tries, and writes status and body into ``data/refusals/<name>.json``.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.kube import GROUPS, Kube, Manifest, fresh_namespace
from tests.spawner.pods.situations import pod

FOLDER = Path(__file__).parent / "data" / "refusals"
_ADMISSION = "apis/admissionregistration.k8s.io/v1"
GROUPS |= {
    "ValidatingWebhookConfiguration": f"{_ADMISSION}/validatingwebhookconfigurations",
    "ValidatingAdmissionPolicy": f"{_ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{_ADMISSION}/validatingadmissionpolicybindings",
}
OURS = "despejado.dev/refusal"
Send = Callable[[Kube, str, Manifest], httpx.Response]


def post(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    plural = f"{manifest['kind'].lower()}s"
    return kube.call("POST", f"/api/v1/namespaces/{namespace}/{plural}", json=manifest)


def post_twice(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    post(kube, namespace, manifest)
    return post(kube, namespace, manifest)


def post_elsewhere(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    return post(kube, "not-there", manifest)


def post_too_late(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    """Into a namespace that a finalizer keeps from being gone."""
    held = copy.deepcopy(manifest) | {"kind": "Secret", "stringData": {}}
    del held["spec"]
    held["metadata"] = {
        "name": "held",
        "namespace": namespace,
        "finalizers": ["despejado.dev/held"],
    }
    kube.create(held)
    kube.delete("Namespace", namespace)
    answer = post(kube, namespace, manifest)
    kube.patch("Secret", "held", {"metadata": {"finalizers": None}}, namespace)
    return answer


def post_as_nobody(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    """As a service account without any right."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    kube.create(account | {"metadata": {"name": "hub", "namespace": namespace}})
    with tempfile.TemporaryDirectory() as folder:
        return post(Kube(kube.as_account("hub", namespace, Path(folder))), namespace, manifest)


def post_with_a_bad_token(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    path = f"/api/v1/namespaces/{namespace}/pods"
    return kube.call("POST", path, json=manifest, headers={"Authorization": "Bearer wrong"})


def post_until_refused(kube: Kube, namespace: str, manifest: Manifest) -> httpx.Response:
    """A rule of admission is not in force at once."""
    deadline = time.monotonic() + 30
    while True:
        answer = kube.call(
            "POST",
            f"/api/v1/namespaces/{namespace}/pods",
            json=manifest,
            params={"dryRun": "All"},
        )
        if answer.is_error or time.monotonic() > deadline:
            return answer
        time.sleep(0.5)


@dataclass(frozen=True)
class Attempt:
    """An object, what stands in the namespace before, and how it is sent."""

    manifest: Manifest
    before: tuple[Manifest, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    send: Send = post


def lab(**resources: Any) -> Manifest:
    return pod("lab:1", container={"resources": resources})


def quota(**hard: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "labs"},
        "spec": {"hard": {key.replace("_", "."): value for key, value in hard.items()}},
    }


def limits(kind: str = "Container", **bounds: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "sizes"},
        "spec": {"limits": [{"type": kind, **bounds}]},
    }


def hook() -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "refusal.despejado.dev"},
        "webhooks": [
            {
                "name": "images.example.org",
                "clientConfig": {"url": "https://127.0.0.1:9/check"},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
                "namespaceSelector": {"matchLabels": {OURS: "hook"}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 2,
            }
        ],
    }


def policy() -> tuple[Manifest, Manifest]:
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    check = {
        "expression": "object.spec.containers.all(c, c.image.startsWith('images.example.org/'))",
        "message": "images must come from images.example.org",
    }
    return (
        {
            **api,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "own-images.example.org"},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [check],
            },
        },
        {
            **api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "own-images.example.org"},
            "spec": {
                "policyName": "own-images.example.org",
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {OURS: "policy"}}},
            },
        },
    )


def attempts() -> Mapping[str, Attempt]:
    big = {"memory": "16Gi", "cpu": "4"}
    claim: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "home-rachel"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "50Gi"}},
        },
    }
    secret: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "lab"},
        "stringData": {"token": "x" * 1_100_000},
    }
    wrong = pod("lab:1")
    wrong["metadata"]["name"] = "Jupyter_Rachel"
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    other = {"limits": {"memory": "2Gi", "cpu": "1"}}
    return {
        "quota": Attempt(
            lab(limits=big),
            (quota(limits_memory="20Gi", limits_cpu="3", requests_cpu="10"),),
        ),
        "quota_of_labs": Attempt(lab(), (quota(pods="0"),)),
        "quota_of_gpus": Attempt(
            lab(limits={"nvidia.com/gpu": "2"}),
            (quota() | {"spec": {"hard": {"requests.nvidia.com/gpu": "1"}}},),
        ),
        "quota_unspecified": Attempt(lab(), (quota(limits_memory="20Gi"),)),
        "quota_of_volumes": Attempt(claim, (quota(requests_storage="10Gi"),)),
        "limit_of_a_lab": Attempt(lab(limits=big), (limits(max={"memory": "4Gi", "cpu": "2"}),)),
        "least_of_a_lab": Attempt(
            lab(limits=other["limits"], requests={"memory": "1Gi", "cpu": "10m"}),
            (limits(min={"cpu": "100m"}),),
        ),
        "limit_of_pods": Attempt(lab(limits=big), (limits("Pod", max={"memory": "4Gi"}),)),
        "limit_ratio": Attempt(
            lab(limits=other["limits"], requests={"memory": "512Mi", "cpu": "1"}),
            (limits(maxLimitRequestRatio={"memory": "2"}),),
        ),
        "limit_of_volumes": Attempt(
            claim, (limits("PersistentVolumeClaim", max={"storage": "10Gi"}),)
        ),
        "pod_security": Attempt(lab(), labels=enforce),
        "name": Attempt(wrong),
        "fields": Attempt(
            pod("", container={"volumeMounts": [{"name": "home", "mountPath": "/home"}]})
        ),
        "no_quantity": Attempt(lab(limits={"memory": "much"})),
        "too_large": Attempt(secret),
        "there_already": Attempt(lab(), send=post_twice),
        "no_namespace": Attempt(lab(), send=post_elsewhere),
        "ending_namespace": Attempt(lab(), send=post_too_late),
        "no_right": Attempt(lab(), send=post_as_nobody),
        "no_identity": Attempt(lab(), send=post_with_a_bad_token),
        "no_priority_class": Attempt(pod("lab:1", priorityClassName="labs")),
        "no_runtime_class": Attempt(pod("lab:1", runtimeClassName="sandboxed")),
        "no_account": Attempt(pod("lab:1", serviceAccountName="labs")),
        "hook_away": Attempt(lab(), (hook(),), {OURS: "hook"}, post_until_refused),
        "policy": Attempt(lab(), policy(), {OURS: "policy"}, post_until_refused),
    }


@contextmanager
def made(kube: Kube, before: tuple[Manifest, ...], namespace: str) -> Iterator[None]:
    """What stands before the attempt; what is not of the namespace is removed again."""
    of_the_cluster = [each for each in before if each["kind"].startswith("Validating")]
    try:
        for each in before:
            wanted = copy.deepcopy(each)
            if each not in of_the_cluster:
                wanted["metadata"]["namespace"] = namespace
            kube.create(wanted)
            if each["kind"] == "ResourceQuota":
                kube.namespace = namespace
                kube.wait("ResourceQuota", "labs", lambda found: bool(found and found["status"]))
        yield
    finally:
        for each in of_the_cluster:
            kube.delete(each["kind"], each["metadata"]["name"])


def answered(kube: Kube, name: str, attempt: Attempt) -> tuple[int, Manifest]:
    """Status and body of the refusal, as if the namespace were called ``labs``."""
    with fresh_namespace(kube, "refusal", **attempt.labels) as namespace:
        manifest = copy.deepcopy(attempt.manifest)
        manifest["metadata"]["namespace"] = namespace
        if attempt.send is post_elsewhere:
            manifest["metadata"]["namespace"] = "not-there"
        with made(kube, attempt.before, namespace):
            answer = attempt.send(kube, namespace, manifest)
    assert answer.is_error, f"{name}: {answer.text}"
    return answer.status_code, json.loads(answer.text.replace(namespace, "labs"))


def record(kube: Kube, name: str, attempt: Attempt) -> None:
    status, body = answered(kube, name, attempt)
    text = json.dumps({"status": status, "body": body}, indent=1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(f"{text}\n")


def main() -> None:
    kubeconfig, *only = sys.argv[1:]
    kube = Kube(Path(kubeconfig))
    for name, attempt in attempts().items():
        if not only or name in only:
            record(kube, name, attempt)
            print(name, flush=True)


if __name__ == "__main__":
    main()
