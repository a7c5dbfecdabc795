"""What people read for each situation, of pods and events recorded from a real cluster."""

from __future__ import annotations

import copy
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from despejado_spawner.kubernetes.diagnosis import (
    Ended,
    Failed,
    Running,
    Settings,
    Waiting,
    diagnose,
)
from despejado_spawner.kubernetes.reasons import REASONS
from despejado_spawner.kubernetes.told import event_lines, is_harmless, moment
from despejado_spawner.progress import Phase
from hypothesis import given, settings
from hypothesis import strategies as st

FOLDER = Path(__file__).parent / "data" / "situations"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
SITE = Settings(bigger_size="large")


def recorded(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    document = json.loads((FOLDER / f"{name}.json").read_text())
    return document["pod"], document["events"]


def after(events: list[dict[str, Any]], seconds: float) -> datetime:
    """A moment after the last event."""
    times = [found for found in map(moment, events) if found is not None]
    return max(times, default=datetime.now(UTC)) + timedelta(seconds=seconds)


def look(name: str, seconds: float = 1.0, site: Settings = SITE) -> Any:
    pod, events = recorded(name)
    return diagnose(pod, events, now=after(events, seconds), settings=site)


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("image_not_found", "image_not_found", "no/such:w_2026_43 does not exist"),
        ("image_backing_off", "image_not_found", "busybox:w_2026_43 does not exist"),
        ("image_name", "image_name", "'No Image' is no name of an image"),
        ("image_never", "image_not_found", "may not be downloaded"),
        ("command", "command", "jupyterhub-singleuser: executable file not found"),
        ("root_image", "container_config", "runs as root"),
        ("crashed", "crashed", "ended with exit code 3"),
        ("crashed_with_words", "crashed", "exit code 1. It said: The port is taken."),
        ("init_failed", "crashed", "container 'prepare' ended with exit code 2"),
        ("out_of_memory", "out_of_memory", "more memory than its limit of 32 MiB"),
        ("selector", "unschedulable", "not of the kind that labs are set to"),
        ("affinity", "unschedulable", "The cluster's only machine may not run this lab"),
        ("evicted", "evicted", "wrote more than 16 MiB to its machine's disk"),
    ],
)
def test_what_will_not_come_fails_at_the_first_sign(name: str, reason: str, words: str) -> None:
    found = look(name)
    assert isinstance(found, Failed | Ended), found
    assert found.failure.reason == reason
    assert words in found.failure.message
    assert found.failure.advice


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("secret_missing", "container_config", 'secret "not-there" not found'),
        ("claim_missing", "volume", "volume 'not-there' does not exist"),
        ("config_map_missing", "volume", 'configmap "not-there" not found'),
        ("folder_missing", "volume", "/not/there is not a directory"),
    ],
)
def test_what_may_only_be_late_has_three_seconds(name: str, reason: str, words: str) -> None:
    pod, events = recorded(name)
    first = min(
        datetime.fromisoformat(each["firstTimestamp"] or each["eventTime"])
        for each in events
        if each["reason"].startswith("Failed")
    )

    def at(seconds: float) -> Any:
        now = first + timedelta(seconds=seconds)
        return diagnose(pod, events, now=now, settings=SITE)

    assert isinstance(at(1), Waiting)
    found = at(3.5)
    assert isinstance(found, Failed) and found.failure.reason == reason, found
    assert words in found.failure.message


def test_a_registry_that_does_not_answer_is_waited_for_and_then_named() -> None:
    found = look("registry_away")
    assert isinstance(found, Waiting) and found.phase is Phase.PULLING
    assert "127.0.0.1:9 does not answer" in found.message
    late = look("registry_away", seconds=121)
    assert isinstance(late, Failed) and late.failure.reason == "image_pull"
    assert "connection refused" in late.failure.message


def test_a_full_cluster_is_hopeful_and_says_what_is_lacking() -> None:
    pod, events = recorded("too_big")
    for each in pod["status"]["conditions"]:
        each["message"] = each["message"].replace(
            "Preemption is not helpful for scheduling",
            "No preemption victims found for incoming pod",
        )
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Waiting) and found.phase is Phase.SCHEDULING
    assert "not enough memory" in found.message


def test_a_lab_bigger_than_every_machine_fails_at_once() -> None:
    found = look("too_big")
    assert isinstance(found, Failed) and found.failure.reason == "unschedulable"
    assert "No machine of the cluster is big enough" in found.failure.message
    assert isinstance(look("too_big", site=Settings(autoscaler=True)), Waiting)


def scaled(reason: str, message: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """``too_big`` with the word of a cluster autoscaler (its 1.34 sources' wording)."""
    pod, events = recorded("too_big")
    word = copy.deepcopy(events[-1]) | {"reason": reason, "message": message}
    return pod, [*events, word]


def test_the_autoscaler_s_word_counts() -> None:
    pod, events = scaled("TriggeredScaleUp", "pod triggered scale-up: [{pool 3->4 (max: 9)}]")
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Waiting) and "adds a machine" in found.message
    pod, events = scaled("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 Insufficient memory")
    final = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(final, Failed) and final.failure.reason == "unschedulable"
    assert final.failure.advice == "Choose a smaller size."
    pod, events = scaled(
        "NotTriggerScaleUp", "pod didn't trigger scale-up: 2 max node group size reached"
    )
    assert isinstance(
        diagnose(pod, events, now=after(events, 1), settings=Settings(autoscaler=True)), Waiting
    )


def test_with_an_autoscaler_a_selector_may_still_get_its_node() -> None:
    assert isinstance(look("selector", site=Settings(autoscaler=True)), Waiting)


def test_a_running_container_is_to_be_asked_at_its_address() -> None:
    found = look("running")
    assert isinstance(found, Running) and found.ip and found.node == "node-1"


def test_the_gate_is_the_home_phase() -> None:
    found = look("home_gate")
    assert isinstance(found, Waiting) and found.phase is Phase.HOME


def test_a_bigger_size_is_offered_only_where_there_is_one() -> None:
    assert "(large)" in look("out_of_memory").failure.advice
    assert "no bigger size" in look("out_of_memory", site=Settings()).failure.advice


def test_a_lost_node_is_told_from_a_deletion() -> None:
    pod, events = recorded("running")
    pod["metadata"]["deletionTimestamp"] = "2026-11-25T22:00:00Z"
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == "deleted"
    pod["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
    )
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == "node_lost"
    assert "node-1" in found.failure.message


def test_harmless_warnings_are_muted() -> None:
    _, events = recorded("running")
    noise = copy.deepcopy(events[0]) | {
        "reason": "FailedMount",
        "message": "MountVolume.SetUp failed: failed to sync configmap cache: timed out",
        "type": "Warning",
    }
    assert is_harmless(noise)
    assert event_lines([*events, noise]) == event_lines(events)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        # containerd 2 (its error texts), CRI-O, Docker Hub, quay.io, ghcr.io as users report them
        ("failed to resolve reference: docker.io/no/such:1: not found", "image_not_found"),
        ("reading manifest w_9 in quay.io/despejado/lab: manifest unknown", "image_not_found"),
        (
            "pull access denied, repository does not exist or may require authorization: "
            "server message: insufficient_scope: authorization failed",
            "image_refused",
        ),
        (
            "unexpected status from HEAD request to https://ghcr.io/v2/x: 403 Forbidden",
            "image_refused",
        ),
        ("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", "image_refused"),
    ],
)
def test_registries_say_no_in_many_ways(said: str, reason: str) -> None:
    pod, events = recorded("image_not_found")
    status = pod["status"]["containerStatuses"][0]
    status["state"]["waiting"]["message"] = said
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Failed) and found.failure.reason == reason, found


@pytest.mark.parametrize(
    "said",
    [
        "dial tcp: lookup registry.example.org: no such host",
        "net/http: TLS handshake timeout",
        "toomanyrequests: You have reached your pull rate limit",
        "unexpected status code 503 Service Unavailable",
    ],
)
def test_troubles_of_a_registry_are_hopeful(said: str) -> None:
    pod, events = recorded("image_not_found")
    pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = said
    for event in events:
        event["message"] = said
    assert isinstance(diagnose(pod, events, now=after(events, 1), settings=SITE), Waiting)


def test_every_reason_has_advice() -> None:
    for name in NAMES:
        found = look(name, seconds=200)
        if isinstance(found, Failed | Ended):
            assert found.failure.reason in REASONS


def thinned(value: Any, draw: random.Random) -> Any:
    """A copy with parts left out or replaced by null."""
    if isinstance(value, dict):
        return {
            key: None if draw.random() < 0.05 else thinned(each, draw)
            for key, each in value.items()
            if draw.random() > 0.1
        }
    if isinstance(value, list):
        return [thinned(each, draw) for each in value if draw.random() > 0.1]
    return value


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_no_missing_part_of_a_pod_or_event_is_an_error(name: str, draw: random.Random) -> None:
    pod, events = recorded(name)
    draw.shuffle(events)
    found = diagnose(
        thinned(pod, draw),
        [event for event in thinned(events, draw) if event],
        now=datetime.now(UTC),
        settings=SITE,
    )
    assert isinstance(found, Waiting | Running | Failed | Ended)
