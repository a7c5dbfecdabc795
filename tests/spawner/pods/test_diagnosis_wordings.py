"""The same trouble in the words of other versions, runtimes, registries and autoscalers."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest
from despejado_spawner.pods.diagnosis.autoscaling import last_word
from despejado_spawner.pods.diagnosis.diagnose import Ended, Failed, Settings, Waiting, diagnose

from tests.spawner.pods.readings import SITE, after, recorded, with_event, wordings

Json = dict[str, Any]


def ids(wording: Json) -> str:
    return str(wording["source"])


@pytest.mark.parametrize("wording", wordings("registries"), ids=ids)
def test_registries_say_no_in_many_ways(wording: Json) -> None:
    pod, events = recorded("image_not_found")
    status = pod["status"]["containerStatuses"][0]
    reason = wording.get("reason", "ErrImagePull")
    status["state"]["waiting"] = {"reason": reason, "message": wording["said"]}
    for event in events:
        event["message"] = event["message"].partition(": ")[0]
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    late = diagnose(pod, events, now=after(events, 125), settings=SITE)
    assert isinstance(late, Failed)
    if wording["means"] == "waiting":
        assert isinstance(found, Waiting), found
        assert wording["words"] in found.message
        assert late.failure.reason == "image_pull"
    else:
        assert isinstance(found, Failed), found
        assert found.failure.reason == wording["means"]


@pytest.mark.parametrize("wording", wordings("places"), ids=ids)
def test_schedulers_say_no_in_many_ways(wording: Json) -> None:
    pod, events = recorded("selector")
    for condition in pod["status"]["conditions"]:
        condition["message"] = wording["said"]
    events[-1]["message"] = wording["said"]
    now = after(events, wording.get("after", 1))
    found = diagnose(pod, events, now=now, settings=SITE)
    if wording["means"] == "waiting":
        assert isinstance(found, Waiting), found
        assert wording["words"] in found.message
    else:
        assert isinstance(found, Failed), found
        assert found.failure.reason == wording["means"]
        assert wording["words"] in found.failure.message


@pytest.mark.parametrize("wording", wordings("autoscalers"), ids=ids)
def test_autoscalers_say_what_they_will_do(wording: Json) -> None:
    _, events = recorded("selector")
    events = with_event(
        events, wording["reason"], wording["said"], wording.get("component", "cluster-autoscaler")
    )
    word = last_word(events)
    assert (word.name if word else None) == wording["means"]


@pytest.mark.parametrize("wording", wordings("volumes"), ids=ids)
def test_volumes_that_heal_are_waited_for(wording: Json) -> None:
    pod, events = recorded("config_map_missing")
    trouble = next(each for each in events if each["reason"] == "FailedMount")
    trouble |= {"message": wording["said"], "reason": wording.get("reason", "FailedMount")}
    first = datetime.fromisoformat(trouble["firstTimestamp"])

    def at(seconds: float) -> Any:
        return diagnose(pod, events, now=first + timedelta(seconds=seconds), settings=SITE)

    limit = wording["final_after"]
    if limit is None:
        found = at(3600)
        assert isinstance(found, Waiting), found
        assert wording.get("words", "") in found.message
    else:
        assert isinstance(at(limit - 1), Waiting)
        found = at(limit + 0.1)
        assert isinstance(found, Failed) and found.failure.reason == "volume", found


@pytest.mark.parametrize("wording", wordings("evictions"), ids=ids)
def test_evictions_say_what_was_used_up(wording: Json) -> None:
    pod, events = recorded("evicted")
    pod["status"]["message"] = wording["said"]
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(found, Ended) and found.failure.reason == "evicted"
    assert wording["words"] in found.failure.message
    assert wording["advice"] in found.failure.advice


@pytest.mark.parametrize("wording", wordings("commands"), ids=ids)
def test_runtimes_say_why_a_container_cannot_start(wording: Json) -> None:
    pod, events = recorded("image_not_found")
    status = pod["status"]["containerStatuses"][0]
    status["state"]["waiting"] = {"reason": "CreateContainerError", "message": wording["said"]}
    found = diagnose(pod, events, now=after(events, 1), settings=SITE)
    if wording["means"] == "waiting":
        assert isinstance(found, Waiting), found
    else:
        assert isinstance(found, Failed), found
        assert found.failure.reason == wording["means"]
        assert wording["words"] in found.failure.message
    # The same, of a container that has come as far as to end
    pod, events = recorded("command")
    terminated = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    terminated |= {"reason": "StartError", "message": wording["said"]}
    ended = diagnose(pod, events, now=after(events, 1), settings=SITE)
    assert isinstance(ended, Ended), ended
    expected = "crashed" if wording["means"] == "waiting" else wording["means"]
    assert ended.failure.reason == expected


def scaled(name: str, reason: str, message: str, site: Settings = SITE) -> Any:
    pod, events = recorded(name)
    events = with_event(events, reason, message, "cluster-autoscaler")
    return diagnose(pod, events, now=after(events, 1), settings=site)


NO_GROUP = "pod didn't trigger scale-up: 1 Insufficient memory"
AT_MAXIMUM = "pod didn't trigger scale-up: 2 max node group size reached"
COMING = "pod triggered scale-up: [{pool 3->4 (max: 9)}]"


@pytest.mark.parametrize("name", ["too_big", "full", "selector", "taint"])
def test_a_machine_that_is_coming_is_waited_for(name: str) -> None:
    found = scaled(name, "TriggeredScaleUp", COMING)
    assert isinstance(found, Waiting) and "adds a machine" in found.message


@pytest.mark.parametrize("name", ["too_big", "full"])
def test_a_lab_that_no_machine_could_ever_hold_fails(name: str) -> None:
    found = scaled(name, "NotTriggerScaleUp", NO_GROUP)
    assert isinstance(found, Failed) and found.failure.reason == "unschedulable"
    assert "nor is any that it could add" in found.failure.message
    assert found.failure.advice == "Choose a smaller size."


@pytest.mark.parametrize("name", ["too_big", "full", "selector"])
def test_an_autoscaler_that_only_cannot_now_leaves_hope(name: str) -> None:
    assert isinstance(scaled(name, "NotTriggerScaleUp", AT_MAXIMUM), Waiting)


@pytest.mark.parametrize("name", ["too_big", "selector"])
def test_an_autoscaler_that_has_not_spoken_yet_is_waited_for(name: str) -> None:
    pod, events = recorded(name)
    with_one, without = (
        diagnose(pod, events, now=after(events, 1), settings=Settings(autoscaler=there))
        for there in (True, False)
    )
    assert isinstance(with_one, Waiting)
    assert isinstance(without, Failed)


def test_the_last_word_of_an_autoscaler_counts() -> None:
    pod, events = recorded("too_big")
    events = with_event(events, "NotTriggerScaleUp", NO_GROUP, "cluster-autoscaler")
    events = with_event(events, "TriggeredScaleUp", COMING, "cluster-autoscaler")
    shuffled = copy.deepcopy(events[::-1])
    assert isinstance(diagnose(pod, shuffled, now=after(events, 1), settings=SITE), Waiting)
