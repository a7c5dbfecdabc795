"""What ``despejado explain`` says of a lab in a cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from despejado_spawner.pods.diagnosis.explanation import LINES, explain_pod
from despejado_spawner.progress import Phase
from despejado_spawner.reasons import REASONS

from tests.spawner.pods.readings import NAMES, SITE, after, recorded


def test_every_situation_is_explained(golden: Callable[[str, str], None]) -> None:
    lines = []
    for name in NAMES:
        pod, events = recorded(name)
        found = explain_pod(pod, events, now=after(events, 130, pod), settings=SITE)
        lines += [name, f"  {found.title} ({found.reason or found.phase})", f"  {found.message}"]
        lines.append(f"  do: {found.advice}")
        assert len(found.lines) <= LINES + 5
    golden("explanations.txt", "\n".join(lines) + "\n")


def test_a_lab_that_runs_is_up() -> None:
    pod, events = recorded("running")
    found = explain_pod(pod, events, now=after(events, 1))
    assert found.up and found.reason is None
    assert "Weekly 2026_43" in found.message and "node-1" in found.message
    assert found.since == datetime.fromisoformat(
        pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    )


def test_a_lab_whose_machine_is_away_is_not_up() -> None:
    pod, events = recorded("machine_away")
    found = explain_pod(pod, events, now=after(events, 1))
    assert not found.up
    assert "does not answer at present" in found.message


def test_a_failure_has_its_title_and_the_last_events() -> None:
    pod, events = recorded("image_not_found")
    found = explain_pod(pod, events, now=after(events, 1))
    assert found.title == REASONS["image_not_found"].title
    assert any("manifests" in line or "not found" in line for line in found.lines)


def test_waiting_says_for_how_long() -> None:
    pod, events = recorded("full")
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    found = explain_pod(pod, events, now=created + timedelta(minutes=7))
    assert found.phase is Phase.SCHEDULING and found.since == created
    assert found.message.endswith("It has been so for 7 min.")


def test_an_image_is_waited_for_since_the_pod_has_its_machine() -> None:
    pod, events = recorded("image_coming")
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "PodScheduled":
            condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    found = explain_pod(pod, events, now=after(events, 1))
    assert found.since == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["deleted", "crashed", "machine_lost", "evicted"])
def test_an_end_has_its_time(name: str) -> None:
    pod, events = recorded(name)
    found = explain_pod(pod, events, now=after(events, 1))
    created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    assert found.since is not None
    assert created <= found.since <= after(events, 60)


def test_without_a_pod_the_events_of_the_last_one_are_shown() -> None:
    _, events = recorded("out_of_memory")
    found = explain_pod(None, events, now=after(events, 60))
    assert not found.up and found.lines and found.since is not None
    nothing = explain_pod(None, [], now=datetime.now(UTC))
    assert "no event" in nothing.message and not nothing.lines
