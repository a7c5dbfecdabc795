"""What people read when the API server says no, of answers recorded from a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from despejado_spawner.pods.diagnosis.refusals import refusal
from despejado_spawner.reasons import REASONS

FOLDER = Path(__file__).parent / "data" / "refusals"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
CREATE = "create the Pod jupyter-rachel in namespace labs"

MEANINGS = {
    "ending_namespace": "invalid",
    "fields": "invalid",
    "hook_away": "api",
    "least_of_a_lab": "limit_range",
    "limit_of_a_lab": "limit_range",
    "limit_of_pods": "limit_range",
    "limit_of_volumes": "limit_range",
    "limit_ratio": "limit_range",
    "name": "invalid",
    "no_account": "invalid",
    "no_identity": "permission",
    "no_namespace": "invalid",
    "no_priority_class": "invalid",
    "no_quantity": "invalid",
    "no_right": "permission",
    "no_runtime_class": "invalid",
    "pod_security": "pod_security",
    "policy": "admission",
    "quota": "quota",
    "quota_of_gpus": "quota",
    "quota_of_labs": "quota",
    "quota_of_volumes": "quota",
    "quota_unspecified": "quota",
    "there_already": "api",
    "too_large": "invalid",
}


def test_every_recording_has_its_meaning() -> None:
    assert set(MEANINGS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_has_its_reason_and_what_was_tried(name: str) -> None:
    document = json.loads((FOLDER / f"{name}.json").read_text())
    for body in (document["body"], json.dumps(document["body"])):
        failure = refusal(document["status"], document["body"]["reason"], body, CREATE)
        assert failure.reason == MEANINGS[name]
        assert failure.advice
        assert CREATE in failure.details[0]
        assert document["body"]["message"][:100] in failure.details[0]


def test_the_words_are_those_of_the_last_review(golden: Callable[[str, str], None]) -> None:
    lines = []
    for name in NAMES:
        document = json.loads((FOLDER / f"{name}.json").read_text())
        failure = refusal(document["status"], None, document["body"], CREATE)
        lines += [f"{name} ({failure.reason})", f"  {failure.message}", f"  do: {failure.advice}"]
    golden("refusals.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("status", "said", "reason", "words"),
    [
        (
            403,
            # resourcequota, apiserver 0.36: several resources, some in use
            'pods "jupyter-rachel" is forbidden: exceeded quota: labs, requested: '
            "limits.memory=16Gi,pods=1, used: limits.memory=8Gi,pods=3, limited: "
            "limits.memory=20Gi,pods=3",
            "quota",
            "allows 20 GiB of memory in all; 8 GiB are in use, and 16 GiB more are needed. "
            "It allows 3 labs in all; 3 are in use, and 1 more is needed.",
        ),
        (
            400,
            'admission webhook "images.example.org" denied the request: unsigned image',
            "admission",
            "'images.example.org' refuses the lab: unsigned image.",
        ),
        (
            403,
            'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource '
            "Pod/labs/jupyter-rachel was blocked due to the following policies \n\nrequire-labels: "
            "check-team: 'validation error: The label `team` is required.'",
            "admission",
            "The label `team` is required.",
        ),
        (403, 'pods "x" is forbidden: PodNodeSelector conflict', "admission", "PodNodeSelector"),
        (503, "etcdserver: leader changed", "api", "leader changed"),
        (429, "too many requests", "api", "too much to do"),
        (504, "TimeoutError", "api", "TimeoutError"),
        (413, "Request entity too large: limit is 3145728", "invalid", "too large"),
    ],
)
def test_a_refusal_says_what_and_why(status: int, said: str, reason: str, words: str) -> None:
    failure = refusal(status, None, json.dumps({"kind": "Status", "message": said}), CREATE)
    assert failure.reason == reason
    assert words in failure.message
    assert failure.advice


@pytest.mark.parametrize(
    ("wanted", "advice"),
    [("4Gi", REASONS["quota"].advice), ("40Gi", "Choose a smaller size.")],
)
def test_what_a_quota_can_never_hold_is_told_from_what_is_in_use(wanted: str, advice: str) -> None:
    said = (
        f'pods "x" is forbidden: exceeded quota: labs, requested: limits.memory={wanted}, '
        "used: limits.memory=18Gi, limited: limits.memory=20Gi"
    )
    assert refusal(403, "Forbidden", {"message": said}, CREATE).advice == advice


def test_a_right_that_is_missing_is_told_as_the_rule_that_gives_it() -> None:
    said = (
        'jobs.batch is forbidden: User "system:serviceaccount:hub:hub" cannot create resource '
        '"jobs" in API group "batch" in the namespace "homes"'
    )
    failure = refusal(403, "Forbidden", {"message": said}, "create the Job home-rachel")
    assert failure.reason == "permission"
    assert failure.message == "The hub may not create the Job home-rachel."
    assert "system:serviceaccount:hub:hub needs a Role in the namespace 'homes'" in failure.advice
    assert 'apiGroups ["batch"], resources ["jobs"], verbs ["create"]' in failure.advice


@pytest.mark.parametrize("body", [None, "", "<html>", "[1]", {"details": None}, {"message": 7}])
@pytest.mark.parametrize("status", [0, 400, 403, 404, 422, 500, 502])
def test_rubbish_in_an_answer_is_no_error(status: int, body: object) -> None:
    failure = refusal(status, None, body, CREATE)  # type: ignore[arg-type]
    assert failure.reason in REASONS
    assert "<html>" not in failure.message
