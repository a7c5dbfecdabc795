"""A lab's start and end with everything failing in turn: what people read, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.api_gate import Call, Gate, api_gate
from tests.cluster.clusters import Cluster
from tests.cluster.sites import Site, site

pytestmark = [pytest.mark.cluster, pytest.mark.root]


@pytest.fixture(scope="module")
def gated(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Gate]]:
    """A site whose hub reaches the API server through a door that can fail any call."""
    folder, homes = tmp_path_factory.mktemp("gate"), tmp_path_factory.mktemp("homes")
    for each in (homes, *homes.parents):
        each.chmod(each.stat().st_mode | 0o055)
    found: dict[str, Gate] = {}

    with site(cluster, folder, homes=homes, door=api_gate, doors=found, settings=SETTINGS) as here:
        here.hub.add_user("rachel")
        yield here, found["gate"]


SETTINGS = {
    "kubespawner": {"k8s_api_request_retry_timeout": 1, "k8s_api_request_timeout": 2},
    "lab": {"stop_timeout": 5.0},
}


def once(verb: str, kind: str, answer: int | str) -> Callable[[Call], int | str | None]:
    """Fail every call of a verb on a kind."""

    def fail(call: Call) -> int | str | None:
        return answer if (call.verb, call.kind) == (verb, kind) else None

    return fail


WALK = [
    ("create", "secrets", 403),
    ("create", "configmaps", 500),
    ("create", "networkpolicies", 422),
    ("create", "pods", 403),
    ("create", "pods", "drop"),
    ("patch", "secrets", 500),
    ("patch", "configmaps", 403),
    ("patch", "networkpolicies", "drop"),
    ("create", "jobs", 403),
    ("list", "pods", 403),
    ("patch", "pods", 403),
]


@pytest.mark.parametrize(("verb", "kind", "answer"), WALK)
def test_a_failed_call_is_told_and_leaves_nothing(
    gated: tuple[Site, Gate], verb: str, kind: str, answer: int | str
) -> None:
    here, gate = gated
    user = f"user-{verb}-{kind}-{answer}"
    here.hub.add_user(user)
    gate.fail = once(verb, kind, answer)
    gate.failed.clear()
    try:
        response = here.hub.ask(user, {"image": "plain"})
    finally:
        gate.fail = lambda call: None
    assert gate.failed, f"a start makes no call {verb} {kind}"
    assert response.status_code in (400, 500, 503), response.text
    message = response.json()["message"]
    assert "Traceback" not in message and len(message) > 20
    assert "Traceback" not in here.hub.log()
    left = [each for each in here.left() if user in each]
    if (verb, kind) == ("list", "pods"):
        return  # what is forbidden to be looked at cannot be removed; the next start does it
    here.hub.wait(lambda: not [each for each in here.left() if user in each], f"{left} to go")
    assert here.hub.ask(user, {"image": "plain"}).status_code == 201
    here.hub.end(user)


def test_a_lost_answer_makes_no_second_lab(gated: tuple[Site, Gate]) -> None:
    """Calls that time out may have been carried out."""
    here, gate = gated
    here.hub.add_user("lost")
    seen: list[Call] = []

    def fail_first(call: Call) -> int | str | None:
        if (call.verb, call.kind) == ("create", "pods") and not seen:
            seen.append(call)
            return "drop"
        return None

    gate.fail = fail_first
    try:
        assert here.hub.ask("lost", {"image": "plain"}).status_code == 201
    finally:
        gate.fail = lambda call: None
    assert seen
    here.hub.end("lost")


def test_the_calls_of_a_start_are_few(gated: tuple[Site, Gate]) -> None:
    here, gate = gated
    here.hub.add_user("counted")
    here.hub.ask("counted", {"image": "plain"})
    here.hub.end("counted")
    gate.calls.clear()
    assert here.hub.ask("counted", {"image": "plain"}).status_code == 201
    calls = gate.counted()
    here.hub.end("counted")
    # Secret, ConfigMap, NetworkPolicy, pod, and the first three given to the pod.
    assert sum(calls.values()) <= 7 + calls["watch pods"] + calls["watch events"], calls


@pytest.mark.parametrize(
    ("options", "images", "reason", "words"),
    [
        ({"image": "missing"}, {"missing": "no/such:1"}, "image_not_found", "does not exist"),
        (
            {"image": "busybox"},
            {"busybox": "library/busybox:latest"},
            "command",
            "cannot start a lab",
        ),
    ],
)
def test_an_image_that_is_no_lab_fails_within_seconds(
    cluster: Cluster,
    tmp_path: Path,
    options: dict[str, str],
    images: dict[str, str],
    reason: str,
    words: str,
) -> None:
    offered = {name: f"{cluster.registry}/{image}" for name, image in images.items()}
    settings = {"kubespawner": {"cmd": ["jupyterhub-singleuser"]}, "lab": {"images": offered}}
    with site(cluster, tmp_path, settings=settings) as here:
        here.hub.add_user("rachel")
        response = here.hub.ask("rachel", options)
        assert response.status_code in (400, 500)
        assert words in response.json()["message"]
        here.hub.wait(lambda: not here.left(), "nothing to be left")
        assert f"reason={reason}" in here.hub.log() or not here.hub.names_reasons


GREEDY = """
mkdir -p /tmp/www/user/rachel/api && echo ok > /tmp/www/user/rachel/api/index.html
httpd -p 8888 -h /tmp/www
while [ ! -e /tmp/eat ]; do sleep 0.2; [ $((n = n + 1)) -lt 20 ] || touch /tmp/eat; done
x=0123456789; while true; do x=$x$x; done
"""
"""A server that answers for four seconds and then takes all memory."""


def test_a_lab_killed_for_its_memory_is_told_with_the_bigger_size(
    cluster: Cluster, tmp_path: Path
) -> None:
    settings = {
        "kubespawner": {"cmd": ["sh", "-c", GREEDY]},
        "lab": {
            "images": {"greedy": f"{cluster.registry}/library/busybox:latest"},
            "sizes": {
                "small": {"cpu": 1.0, "memory": "32Mi", "cpu_guarantee": 0.05},
                "large": {"cpu": 1.0, "memory": "64Mi", "cpu_guarantee": 0.05},
            },
        },
    }
    with site(cluster, tmp_path, settings=settings) as here:
        here.hub.add_user("rachel")
        response = here.hub.ask("rachel", {"size": "small"})
        assert response.status_code == 201, response.text
        here.hub.wait(lambda: "last_end" in here.hub.state("rachel"), "the hub to notice")
        end = here.hub.state("rachel")["last_end"]
        assert (end["reason"], end["bigger_size"]) == ("out_of_memory", "large"), end
        here.hub.wait(lambda: not here.left(), "nothing to be left")


def test_a_hub_killed_while_a_lab_starts_goes_on_with_it(cluster: Cluster, tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    homes.mkdir()
    for each in (homes, *homes.parents):
        each.chmod(each.stat().st_mode | 0o055)
    with site(cluster, tmp_path, homes=homes, settings={"patience": 0}) as here:
        for phase in ("home", "starting"):
            user = f"in-{phase}"
            here.hub.add_user(user)
            assert here.hub.ask(user, {"image": "plain"}).status_code == 202
            assert any(event.get("phase") == phase for event in here.hub.events(user))
            here.hub.kill()
            here.hub.start()
            here.hub.wait(lambda u=user: here.hub.server(u).get("ready"), f"{user} to be ready")
            assert here.run(user, "whoami").strip() == user
            here.hub.end(user)
        here.hub.wait(lambda: not here.left(), "nothing to be left")


def test_a_running_lab_is_found_again_by_a_new_hub(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        before = here.pod("rachel")
        here.hub.kill()
        here.hub.start()
        here.hub.wait(lambda: here.hub.server("rachel").get("ready"), "the lab to be found")
        after = here.pod("rachel")
        assert before and after and before["metadata"]["uid"] == after["metadata"]["uid"]
        here.hub.end("rachel")


def test_a_start_can_be_cancelled(cluster: Cluster, tmp_path: Path) -> None:
    settings = {"patience": 0, "lab": {"images": {"away": "127.0.0.1:9/away:1"}}}
    with site(cluster, tmp_path, settings=settings) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "away"}).status_code == 202
        assert any("does not answer" in event["message"] for event in here.hub.events("rachel"))
        here.hub.end("rachel")
        here.hub.wait(lambda: not here.left(), "nothing to be left")
        assert not here.hub.server("rachel").get("pending")
