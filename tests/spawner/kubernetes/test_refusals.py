"""What people read when the API server says no."""

from __future__ import annotations

import json

import pytest
from despejado_spawner.kubernetes.refusals import refusal

CREATE = "create the Pod jupyter-rachel in namespace labs"


@pytest.mark.parametrize(
    ("status", "said", "reason", "words"),
    [
        (
            403,
            'pods "jupyter-rachel" is forbidden: exceeded quota: labs, requested: '
            "limits.memory=16Gi, used: limits.memory=8Gi, limited: limits.memory=20Gi",
            "quota",
            "allows 20 GiB memory for all labs together, of which 8 GiB are in use; this lab needs 16 GiB",
        ),
        (
            403,
            'pods "jupyter-rachel" is forbidden: violates PodSecurity "restricted:latest": '
            "unrestricted capabilities (container must set capabilities.drop)",
            "pod_security",
            "unrestricted capabilities",
        ),
        (
            403,
            'pods "jupyter-rachel" is forbidden: maximum memory usage per Container is 4Gi, but '
            "limit is 8Gi",
            "limit_range",
            "allows a lab at most 4 GiB memory, and 8 GiB were asked for",
        ),
        (
            400,
            'admission webhook "images.example.org" denied the request: unsigned image',
            "admission",
            "'images.example.org' refuses the lab: unsigned image",
        ),
        (
            403,
            'pods is forbidden: User "system:serviceaccount:hub:hub" cannot create resource '
            '"pods" in API group "" in the namespace "labs"',
            "permission",
            "may not create the Pod",
        ),
        (503, "etcdserver: leader changed", "api", "leader changed"),
        (429, "too many requests", "api", "too much to do"),
    ],
)
def test_a_refusal_says_what_and_why(status: int, said: str, reason: str, words: str) -> None:
    body = json.dumps({"kind": "Status", "message": said})
    failure = refusal(status, None, body, CREATE)
    assert failure.reason == reason
    assert words in failure.message
    assert failure.advice and CREATE in failure.details[0]


def test_an_invalid_object_names_its_field() -> None:
    causes = [{"field": "spec.containers[0].image", "message": "Required value"}]
    body = {"message": "Pod is invalid", "details": {"causes": causes}}
    failure = refusal(422, "Unprocessable Entity", body, CREATE)
    assert failure.reason == "invalid"
    assert "spec.containers[0].image: Required value" in failure.message


@pytest.mark.parametrize("body", [None, "", "<html>", "[1]", {"details": None}])
def test_rubbish_in_an_answer_is_no_error(body: object) -> None:
    assert refusal(500, None, body, CREATE).reason == "api"  # type: ignore[arg-type]
