"""Calls that fail: what passes is tried again in time, the rest is told, without secrets."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.cluster.own_waiting import UNDER_WAY
from despejado_spawner.pods.names import START_LABEL

from tests.spawner.pods.fake_api import FakeApi, Manifest, pod, running_api

POD = "jupyter-rachel"
TOKEN = "s3cr3t-t0k3n-of-rachel"
FORBIDDEN = 'pods is forbidden: User "hub" cannot create resource "pods" in API group ""'


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with running_api() as found:
        yield found


def lab_api(**settings: Any) -> LabApi:
    defaults: dict[str, Any] = {
        "deadline": Deadline.after(20),
        "request_timeout": 3.0,
        "retry_timeout": 10.0,
        "log": logging.getLogger("despejado.tests"),
    }
    return LabApi("labs", **{**defaults, **settings})


def lab_pod(start: str = "s1") -> Manifest:
    return pod(POD, labels={START_LABEL: start})


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"status": 500, "reason": "InternalError", "message": "etcdserver: leader changed"},
        {"status": 502, "reason": "BadGateway"},
        {"status": 503, "reason": "ServiceUnavailable"},
        {"status": 504, "reason": "Timeout"},
        {"status": 429, "reason": "TooManyRequests"},
        {"status": 409, "reason": "Conflict", "message": "resourcequotas: has been modified"},
    ],
    ids=["dropped", "leader", "gateway", "away", "slow", "busy", "quota in change"],
)
@pytest.mark.parametrize("after", [False, True], ids=["not done", "done, answer lost"])
async def test_a_hiccup_is_not_noticed(api: FakeApi, fault: dict[str, Any], after: bool) -> None:
    api.fail("POST", "pods", after=after, **fault)
    created = await lab_api().create_pod(lab_pod())
    assert created is not None
    assert created == api.objects["pods", "labs", POD]


async def test_an_answer_that_does_not_come_is_asked_for_again(api: FakeApi) -> None:
    api.fail("POST", "pods", hang=True)
    assert await lab_api(request_timeout=0.2).create_pod(lab_pod()) is not None


async def test_a_server_that_restarts_is_waited_for(api: FakeApi) -> None:
    await api.stop()
    lab = lab_api()
    create = asyncio.create_task(lab.create_pod(lab_pod()))
    while lab.calls["POST pods"] < 2:  # the first try has failed
        await asyncio.sleep(0.01)
    assert not create.done()
    # Its roles are not read yet in the first moment: everybody is refused.
    api.fail("POST", "pods", status=403, reason="Forbidden", message=FORBIDDEN, times=2)
    await api.start()
    assert await create is not None


async def test_the_time_that_a_busy_server_asks_for_is_given(api: FakeApi) -> None:
    api.fail("POST", "pods", status=429, reason="TooManyRequests", headers={"Retry-After": "1"})
    began = time.monotonic()
    assert await lab_api().create_pod(lab_pod()) is not None
    assert time.monotonic() - began >= 1.0


async def test_a_time_longer_than_there_is_is_not_waited_for(api: FakeApi) -> None:
    headers = {"Retry-After": "600"}
    api.fail("POST", "pods", status=429, reason="TooManyRequests", headers=headers, times=-1)
    lab = lab_api()
    async with asyncio.timeout(2):
        with pytest.raises(SpawnerError) as caught:
            await lab.create_pod(lab_pod())
    assert caught.value.reason == "api"
    assert lab.calls["POST pods"] == 1


async def test_the_deadline_of_the_whole_ends_the_tries_of_a_part(api: FakeApi) -> None:
    await api.stop()
    lab = lab_api(deadline=Deadline.after(0.5))
    with pytest.raises(SpawnerError) as caught:
        await lab.create_pod(lab_pod())
    assert caught.value.reason == "api"
    assert lab.calls["POST pods"] > 1
    calls = lab.calls["POST pods"]
    with pytest.raises(SpawnerError):
        await lab.create_pod(lab_pod())
    assert lab.calls["POST pods"] == calls  # no time: not even tried


async def test_a_hanging_server_does_not_outlast_the_deadline(api: FakeApi) -> None:
    api.fail("POST", "pods", hang=True, times=-1)
    lab = lab_api(deadline=Deadline.after(0.3), request_timeout=60.0)
    async with asyncio.timeout(5):
        with pytest.raises(SpawnerError):
            await lab.create_pod(lab_pod())


async def test_a_refusal_is_told_at_once(api: FakeApi) -> None:
    api.fail("POST", "pods", status=403, reason="Forbidden", message=FORBIDDEN, times=-1)
    lab = lab_api()
    with pytest.raises(SpawnerError) as caught:
        await lab.create_pod(lab_pod())
    assert caught.value.reason == "permission"
    assert lab.calls["POST pods"] == 1


async def test_a_lasting_internal_error_is_told_in_seconds_not_in_half_a_minute(
    api: FakeApi,
) -> None:
    message = 'Internal error occurred: failed calling webhook "check.example.org"'
    api.fail("POST", "pods", status=500, reason="InternalError", message=message, times=-1)
    lab = lab_api()
    with pytest.raises(SpawnerError):
        await lab.create_pod(lab_pod())
    assert lab.calls["POST pods"] == 4


async def test_another_object_of_the_name_is_a_refusal(api: FakeApi) -> None:
    claim = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    await lab_api().create(claim)
    with pytest.raises(SpawnerError, match="x"):
        await lab_api().create(claim)


async def test_values_of_a_secret_are_in_no_error_and_no_log(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    encoded = base64.b64encode(TOKEN.encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token"},
        "stringData": {"token": TOKEN},
        "data": {"other": encoded},
    }
    message = f"admission webhook denied: [{TOKEN}] and [{encoded}] look like passwords"
    api.fail("POST", "secrets", status=503, reason="ServiceUnavailable", message=message, times=2)
    api.fail("POST", "secrets", status=422, reason="Invalid", message=message, times=2)
    with pytest.raises(SpawnerError) as caught:
        await lab_api().create(secret)
    api.fail("PATCH", "secrets", status=422, reason="Invalid", message=message)
    with pytest.raises(SpawnerError) as patched:
        await lab_api().patch_secret("token", {"token": TOKEN})
    for error in (caught.value, patched.value):
        shown = f"{error} {error!r} {vars(error)}"
        assert TOKEN not in shown
        assert encoded not in shown
        assert "look like passwords" in shown
    text = caplog.text + "".join(str(record.args) for record in caplog.records)
    assert TOKEN not in text
    assert encoded not in text


async def hold_the_line(api: FakeApi, seconds: float) -> list[asyncio.Future[Any]]:
    """As many requests as may be under way, none of which is answered for so long."""
    api.fail("POST", "pods", hang=True, times=UNDER_WAY)
    slow = lab_api(request_timeout=seconds, retry_timeout=seconds)
    held: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(slow.create_pod(pod(f"jupyter-{number}")))
        for number in range(UNDER_WAY)
    ]
    await api.until(lambda: api.made("POST", "pods") == UNDER_WAY)
    return held


async def test_time_in_line_is_not_held_against_the_api_server(api: FakeApi) -> None:
    """With 500 labs at once requests were given up, and made anew, that nobody had sent yet."""
    held = await hold_the_line(api, 0.6)
    hurried = lab_api(request_timeout=0.3, retry_timeout=0.3)
    names = [f"jupyter-late-{number}" for number in range(UNDER_WAY * 3)]
    created = await asyncio.gather(*(hurried.create_pod(pod(name)) for name in names))
    assert all(created)
    assert hurried.calls["POST pods"] == len(names)
    await asyncio.gather(*held, return_exceptions=True)


async def test_an_answer_counts_though_the_hub_was_too_busy_to_read_it(api: FakeApi) -> None:
    hub = lab_api(request_timeout=1.0)
    create = asyncio.create_task(hub.create_pod(lab_pod()))
    while not hub.calls["POST pods"]:
        await asyncio.sleep(0)
    time.sleep(1.5)  # the event loop does something else: 500 users' requests, say
    assert await create is not None
    assert hub.calls["POST pods"] == 1


async def test_a_request_whose_turn_does_not_come_ends_with_the_deadline(api: FakeApi) -> None:
    held = await hold_the_line(api, 20)
    with pytest.raises(SpawnerError):
        await lab_api(deadline=Deadline.after(0.2)).create_pod(lab_pod())
    assert api.made("POST", "pods") == UNDER_WAY
    for each in held:
        each.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert await lab_api().create_pod(lab_pod()) is not None  # the places are free again
