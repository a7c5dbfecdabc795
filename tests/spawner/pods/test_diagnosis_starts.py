"""Starts from created to running: recorded ones, and any that a cluster might have."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from despejado_spawner.pods.diagnosis.diagnose import (
    Ended,
    Failed,
    Running,
    Waiting,
    diagnose,
)
from despejado_spawner.pods.diagnosis.explanation import explain_pod
from despejado_spawner.progress import POD_SCALE, Phase
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spawner.pods.readings import (
    NAMES,
    SITE,
    STARTS,
    Json,
    after,
    in_words,
    recorded,
    recorded_start,
)

ORDER = list(POD_SCALE)
RUNNING = ORDER.index(Phase.STARTING)


def read(pod: Json, events: list[Json]) -> Any:
    return diagnose(pod, events, now=after(events, 0.5), settings=SITE)


def place(found: object) -> int:
    return ORDER.index(found.phase) if isinstance(found, Waiting) else RUNNING


@pytest.mark.parametrize("name", STARTS)
def test_phases_of_a_real_start_never_run_backwards(name: str) -> None:
    found = [read(pod, events) for pod, events in recorded_start(name)]
    assert all(isinstance(each, Waiting | Running) for each in found), found
    places = [place(each) for each in found]
    assert places == sorted(places)
    assert isinstance(found[-1], Running)


@pytest.mark.parametrize("name", STARTS)
def test_a_start_reads_as_at_the_last_review(name: str, golden: Callable[[str, str], None]) -> None:
    lines: list[str] = []
    for pod, events in recorded_start(name):
        line = in_words(read(pod, events))
        if not lines or lines[-1] != line:
            lines.append(line)
    golden(f"start_{name}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", STARTS)
def test_events_that_come_before_or_after_their_pod_do_not_matter(name: str) -> None:
    """Two watches: one may be ahead of the other by any number of steps."""
    steps = recorded_start(name)
    draw = random.Random(name)
    for _ in range(200):
        pods = sorted(draw.sample(range(len(steps)), min(5, len(steps))))
        seen = sorted(draw.sample(range(len(steps)), len(pods)))
        places = []
        for at, told in zip(pods, seen, strict=True):
            found = read(steps[at][0], steps[told][1])
            assert isinstance(found, Waiting | Running), found
            places.append(place(found))
        assert places == sorted(places)


def test_a_mount_that_healed_is_no_failure_while_the_image_comes() -> None:
    """The first try is long ago when the image is still coming."""
    steps = recorded_start("late_config_map")
    mounted = [
        (pod, events)
        for pod, events in steps
        if any(each["reason"] in ("Pulling", "Pulled") for each in events)
        and any(each["reason"] == "FailedMount" for each in events)
    ]
    assert mounted
    for pod, events in mounted:
        late = after(events, 600)
        found = diagnose(pod, events, now=late, settings=SITE)
        assert isinstance(found, Waiting | Running), found


def test_a_lab_whose_machine_is_away_during_the_start_is_told_so() -> None:
    pod, events = recorded("image_coming")
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.pop("reason", None)
    found = read(pod, events)
    assert isinstance(found, Waiting) and "does not answer at present" in found.message


def thinned(value: Any, draw: random.Random) -> Any:
    """A copy with parts left out, replaced by null or by something else."""
    chance = draw.random()
    if chance < 0.04:
        return None
    if chance < 0.06:
        return draw.choice(["", "x", 7, [], {}, [None], True])
    if isinstance(value, dict):
        return {key: thinned(each, draw) for key, each in value.items() if draw.random() > 0.1}
    if isinstance(value, list):
        return [thinned(each, draw) for each in value if draw.random() > 0.1]
    return value


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False), st.integers(0, 300))
def test_nothing_that_is_missing_or_odd_is_an_error(
    name: str, draw: random.Random, seconds: int
) -> None:
    pod, events = recorded(name)
    draw.shuffle(events)
    odd = thinned(pod, draw)
    odd = odd if isinstance(odd, dict) else {}
    told = thinned(events, draw)
    told = told if isinstance(told, list) else []
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    found = diagnose(odd, told, now=now, settings=SITE)
    assert isinstance(found, Waiting | Running | Failed | Ended)
    assert explain_pod(odd, told, now=now).message


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_the_order_in_which_events_arrive_does_not_matter(name: str, draw: random.Random) -> None:
    pod, events = recorded(name)
    now = after(events, 1)
    expected = diagnose(pod, events, now=now, settings=SITE)
    draw.shuffle(events)
    assert in_words(diagnose(pod, events, now=now, settings=SITE)) == in_words(expected)
