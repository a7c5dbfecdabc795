"""What people read for each situation, of pods and events recorded from a real cluster."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from despejado_spawner.pods.diagnosis.diagnose import (
    Diagnosis,
    Ended,
    Failed,
    Running,
    Settings,
    Waiting,
    diagnose,
)
from despejado_spawner.pods.diagnosis.events import event_lines, is_harmless
from despejado_spawner.progress import Phase
from despejado_spawner.reasons import REASONS

from tests.spawner.pods.readings import (
    NAMES,
    SITE,
    after,
    in_words,
    look,
    recorded,
    with_event,
)

AT_ONCE = {
    "affinity": "unschedulable",
    "command": "command",
    "command_folder": "command",
    "crash_loop": "crashed",
    "crashed": "crashed",
    "crashed_with_log": "crashed",
    "crashed_with_words": "crashed",
    "deleted": "deleted",
    "deleted_and_over": "deleted",
    "drained": "evicted",
    "ended_by_itself": "ended",
    "evicted": "evicted",
    "evicted_folder": "evicted",
    "folder_in_a_file": "container_config",
    "hook_failed": "container_config",
    "image_backing_off": "image_not_found",
    "image_forbidden": "image_refused",
    "image_hidden": "image_refused",
    "image_name": "image_name",
    "image_never": "image_not_found",
    "image_not_found": "image_not_found",
    "image_processor": "image_not_found",
    "image_unauthorized": "image_refused",
    "init_failed": "crashed",
    "init_image": "image_not_found",
    "killed": "crashed",
    "machine_lost": "node_lost",
    "machine_removed": "node_lost",
    "no_gpu": "unschedulable",
    "out_of_memory": "out_of_memory",
    "out_of_memory_again": "out_of_memory",
    "out_of_memory_later": "out_of_memory",
    "preempted": "evicted",
    "refused_by_the_node": "unschedulable",
    "root_image": "container_config",
    "runtime_missing": "container_config",
    "segmentation_fault": "crashed",
    "selector": "unschedulable",
    "too_big": "unschedulable",
    "too_long": "ended",
}
"""What will not come, or is over, by the first sign of it."""
LATE = {
    "claim_missing": (3, "volume"),
    "config_map_missing": (3, "volume"),
    "folder_missing": (3, "volume"),
    "secret_missing": (3, "container_config"),
    "taint": (120, "unschedulable"),
    "registry_away": (120, "image_pull"),
    "registry_busy": (120, "image_pull"),
    "registry_fault": (120, "image_pull"),
    "registry_unknown": (15, "image_pull"),
}
"""What may only be late, for so many seconds from its first sign."""
ON_ITS_WAY = {
    "claim_unbound": Phase.SCHEDULING,
    "cordoned": Phase.SCHEDULING,
    "full": Phase.SCHEDULING,
    "home_gate": Phase.HOME,
    "image_coming": Phase.PULLING,
    "init_running": Phase.PULLING,
}
"""What is slow and hopeful, for as long as it takes."""
RUNNING = {"running", "machine_away", "native_sidecar", "sidecar_failed"}


def test_every_recording_has_its_meaning() -> None:
    assert {*AT_ONCE, *LATE, *ON_ITS_WAY, *RUNNING} == set(NAMES)


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_will_not_come_fails_at_the_first_sign(name: str) -> None:
    found = look(name, seconds=0.0)
    assert isinstance(found, Failed | Ended), found
    assert found.failure.reason == AT_ONCE[name]
    assert found.failure.reason in REASONS
    assert found.failure.advice


@pytest.mark.parametrize("name", LATE)
def test_what_may_only_be_late_has_its_time(name: str) -> None:
    seconds, reason = LATE[name]
    pod, events = recorded(name)
    first = min(
        datetime.fromisoformat(each.get("firstTimestamp") or each["eventTime"])
        for each in events
        if each["reason"].startswith("Failed")
    )

    def at(passed: float) -> Diagnosis:
        now = first + timedelta(seconds=passed)
        return diagnose(pod, events, now=now, settings=SITE)

    assert isinstance(at(seconds - 1), Waiting)
    found = at(seconds + 0.1)
    assert isinstance(found, Failed), found
    assert found.failure.reason == reason


@pytest.mark.parametrize("name", ON_ITS_WAY)
def test_what_is_hopeful_is_waited_for(name: str) -> None:
    found = look(name, seconds=3600)
    assert isinstance(found, Waiting), found
    assert found.phase is ON_ITS_WAY[name]


@pytest.mark.parametrize("name", sorted(RUNNING))
def test_a_running_container_is_to_be_asked_at_its_address(name: str) -> None:
    found = look(name)
    assert isinstance(found, Running) and found.ip and found.node
    assert (found.warning is not None) == (name == "machine_away")


def test_the_words_are_those_of_the_last_review(golden: Callable[[str, str], None]) -> None:
    lines = []
    for name in NAMES:
        early, late = (in_words(look(name, seconds)) for seconds in (1.0, 130.0))
        lines.append(f"{name}\n  {early}")
        if late != early:
            lines.append(f"  after 130 s: {late}")
    golden("readings.txt", "\n".join(lines) + "\n")


def test_a_bigger_size_is_offered_only_where_there_is_one() -> None:
    def advice(site: Settings) -> str:
        found = look("out_of_memory", site=site)
        assert isinstance(found, Ended)
        return found.failure.advice

    assert "(large)" in advice(SITE)
    assert "no bigger size" in advice(Settings())


def test_a_lab_that_crashed_before_it_was_deleted_has_crashed() -> None:
    pod, events = recorded("crashed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
    asked = datetime.fromisoformat(ended) + timedelta(seconds=10)
    pod["metadata"]["deletionGracePeriodSeconds"] = 30
    pod["metadata"]["deletionTimestamp"] = (asked + timedelta(seconds=30)).isoformat()
    found = diagnose(pod, events, now=after(events, 20), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == "crashed"


def test_the_last_lines_of_a_crashed_lab_are_in_the_details() -> None:
    found = look("crashed_with_log")
    assert isinstance(found, Ended)
    assert "ValueError: no such port" in found.failure.message
    assert "line 1" not in found.failure.message
    assert found.failure.details[-4:-1] == ("line 1", "line 2", "line 3")


def test_a_health_check_that_killed_the_lab_is_told() -> None:
    pod, events = recorded("killed")
    said = "Container notebook failed liveness probe, will be restarted"
    events = with_event(events, "Killing", said)
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and "health check" in found.failure.message


@pytest.mark.parametrize("name", ["out_of_memory", "crashed"])
def test_what_a_container_ended_with_counts_more_than_that_it_was_killed(name: str) -> None:
    pod, events = recorded(name)
    events = with_event(events, "FailedPostStartHook", "PostStartHook failed")
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == name


def test_the_size_of_a_download_is_told_where_it_is_known() -> None:
    found = look("image_coming", site=Settings(image_bytes=1_230_000_000))
    assert isinstance(found, Waiting)
    assert found.message == "Downloading Weekly 2026_43 (about 1.2 GB) to node-1."


def test_an_image_that_backs_off_is_read_without_events_too() -> None:
    pod, _ = recorded("image_backing_off")
    # Kubernetes 1.32 and later repeat the cause in the state
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    found = diagnose(pod, [], now=after([], 1, pod), settings=SITE)
    assert isinstance(found, Failed) and found.failure.reason == "image_not_found"


def test_an_image_that_backs_off_has_its_cause_in_the_events_of_older_clusters() -> None:
    pod, events = recorded("image_backing_off")
    status = pod["status"]["containerStatuses"][0]
    status["state"]["waiting"]["message"] = f'Back-off pulling image "{status["image"]}"'
    other = with_event(events, "Failed", 'Failed to pull image "other:1": 401 Unauthorized')
    for told in (events, other):
        found = diagnose(pod, told, now=after(told, 1), settings=SITE)
        assert isinstance(found, Failed) and found.failure.reason == "image_not_found"


def test_without_events_the_pod_s_own_times_count() -> None:
    """A hub may be configured not to watch events."""

    def at(name: str, seconds: float) -> Diagnosis:
        pod, _ = recorded(name)
        return diagnose(pod, [], now=after([], seconds, pod), settings=SITE)

    for name, seconds in (("registry_away", 120), ("claim_missing", 3)):
        assert isinstance(at(name, seconds - 2), Waiting)
        assert isinstance(at(name, seconds + 2), Failed)


def test_a_container_beside_the_lab_may_fail_before_the_lab_runs() -> None:
    pod, events = recorded("sidecar_failed")
    for status in pod["status"]["containerStatuses"]:
        if status["name"] == "notebook":
            status["state"] = {"waiting": {"reason": "ContainerCreating"}}
    found = diagnose(pod, events, now=after(events, 300), settings=SITE)
    assert isinstance(found, Waiting)
    assert "trying again" not in found.message


def test_a_name_is_not_taken_for_an_answer() -> None:
    pod, events = recorded("registry_away")
    status = pod["status"]["containerStatuses"][0]
    status["image"] = "127.0.0.1:9/denied/not-found:404"
    waiting = status["state"]["waiting"]
    waiting["message"] = waiting["message"].replace(
        "127.0.0.1:9/despejado/lab:w_2026_43", status["image"]
    )
    assert isinstance(diagnose(pod, events, now=after(events, 1), settings=SITE), Waiting)


def test_the_scheduler_s_event_counts_before_the_pod_has_it() -> None:
    pod, events = recorded("too_big")
    pod["status"].pop("conditions")
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Failed) and found.failure.reason == "unschedulable"
    assert isinstance(diagnose(pod, [], now=after(events, 1), settings=SITE), Waiting)


def test_karpenter_s_event_is_not_the_scheduler_s() -> None:
    pod, events = recorded("too_big")
    pod["status"].pop("conditions")
    told = with_event(events, "FailedScheduling", "no instance type has enough", "karpenter")[-1:]
    found = diagnose(pod, told, now=after(told, 1), settings=SITE)
    assert isinstance(found, Waiting) and found.message.startswith("Looking for a place")


def test_harmless_warnings_are_muted() -> None:
    _, events = recorded("running")
    said = "MountVolume.SetUp failed: failed to sync configmap cache: timed out"
    noisy = with_event(events, "FailedMount", said)
    assert is_harmless(noisy[-1])
    assert event_lines(noisy) == event_lines(events)


def test_a_trouble_that_is_over_is_muted() -> None:
    _, events = recorded("running")
    early = copy.deepcopy(events[0]) | {
        "reason": "FailedMount",
        "message": "MountVolume.SetUp failed for volume x: configmap x not found",
    }
    assert event_lines([early, *events]) == event_lines(events)
    assert len(event_lines([events[0], early])) == 2


def test_repeated_events_say_how_often() -> None:
    _, events = recorded("running")
    events[-1]["count"] = 4
    assert event_lines(events)[-1].endswith("Started: Container started (4 times)")


def test_a_foreign_gate_is_told() -> None:
    pod, events = recorded("home_gate")
    pod["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Waiting) and found.phase is Phase.QUEUED
    assert "kueue.x-k8s.io/admission" in found.message


def test_events_of_an_earlier_pod_of_the_same_name_do_not_count() -> None:
    pod, events = recorded("image_coming")
    _, earlier = recorded("folder_missing")
    for each in earlier:
        each["involvedObject"] = {"kind": "Pod", "name": "jupyter-rachel", "uid": "another"}
    now = after([*events, *earlier], 10)
    found = diagnose(pod, [*earlier, *events], now=now, settings=SITE)
    assert isinstance(found, Waiting) and found.message.startswith("Downloading")
    assert not any("FailedMount" in line for line in found.details)


def test_a_claim_that_cannot_be_made_counts_though_it_is_no_pod() -> None:
    pod, events = recorded("claim_unbound")
    events = with_event(events, "ProvisioningFailed", 'storageclass "fast" not found')
    events[-1]["involvedObject"] = {"kind": "PersistentVolumeClaim", "uid": "of-the-claim"}
    found = diagnose(pod, events, now=after(events, 10), settings=SITE)
    assert isinstance(found, Failed) and found.failure.reason == "volume"


@pytest.mark.parametrize(
    ("disruption", "reason", "words"),
    [
        ("TerminationByKubelet", "node_lost", "shut down"),
        ("DeletionByDeviceTaintManager", "evicted", "takes your lab away: A device is broken."),
    ],
)
def test_other_ways_of_taking_a_lab_away_are_told(disruption: str, reason: str, words: str) -> None:
    pod, events = recorded("drained")
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "DisruptionTarget":
            condition |= {"reason": disruption, "message": "A device is broken"}
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == reason
    assert words in found.failure.message


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_disruption_that_did_not_come_is_none(status: str) -> None:
    pod, events = recorded("running")
    pod["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": status, "reason": "EvictionByEvictionAPI"}
    )
    assert isinstance(diagnose(pod, events, now=after(events, 1), settings=SITE), Running)


def test_a_shell_that_does_not_find_its_program_is_a_missing_command() -> None:
    """What a quick start of an image without JupyterHub ends with."""
    pod, events = recorded("crashed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    ended |= {"exitCode": 127, "message": "sh: exec: line 0: jupyterhub-singleuser: not found\n"}
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == "command"
    assert "jupyterhub-singleuser: not found" in str((found.failure, found.failure.details))
