"""The phases that a waiting user reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from despejado_spawner.history import StartHistory
from despejado_spawner.pods.spawner import LabSpawner
from despejado_spawner.progress import POD_SCALE, PROCESS_SCALE, Phase, Scale, SpawnProgress
from hypothesis import given
from hypothesis import strategies as st


def test_every_phase_has_its_words() -> None:
    for words in ([phase.step for phase in Phase], [phase.waiting for phase in Phase]):
        assert all(words) and len(set(words)) == len(Phase)
    assert LabSpawner.phases == tuple(POD_SCALE) == ("queued", *list(POD_SCALE)[1:])


async def listened(progress: SpawnProgress) -> list[tuple[int, str]]:
    return [(event.progress, event.message) async for event in progress.listen()]


@pytest.mark.parametrize("scale", [PROCESS_SCALE, POD_SCALE], ids=["process", "pod"])
@given(told=st.lists(st.tuples(st.integers(0, 99), st.text(max_size=3), st.floats(-1, 2))))
def test_progress_never_runs_backwards(scale: Scale, told: list[tuple[int, str, float]]) -> None:
    order = list(scale)

    async def run() -> None:
        progress = SpawnProgress(scale)
        for number, message, fraction in told:
            progress.tell(order[number % len(order)], message, fraction=fraction)
        percentages = [event.progress for event in progress.events]
        phases = [order.index(event.phase) for event in progress.events]
        assert percentages == sorted(percentages) and phases == sorted(phases)
        assert all(0 <= percent < 100 for percent in percentages)

    asyncio.run(run())


async def test_early_and_late_listeners_get_the_same_list() -> None:
    progress = SpawnProgress()
    early = asyncio.ensure_future(listened(progress))
    progress.tell(Phase.QUEUED, "queued")
    await asyncio.sleep(0)
    middle = asyncio.ensure_future(listened(progress))
    progress.tell(Phase.ENVIRONMENT, "building", fraction=0.5)
    progress.tell(Phase.HOME, "home")
    progress.close()
    late = await listened(progress)
    assert [message for _, message in late] == ["queued", "building", "home"]
    assert await early == await middle == late


async def test_a_listener_that_leaves_takes_nothing_from_others() -> None:
    progress = SpawnProgress()
    progress.tell(Phase.QUEUED, "queued")
    leaving = asyncio.ensure_future(listened(progress))
    await asyncio.sleep(0)
    leaving.cancel()
    progress.tell(Phase.HOME, "home")
    progress.close()
    assert len(await listened(progress)) == 2


async def test_the_same_words_at_the_same_place_are_said_once() -> None:
    progress = SpawnProgress()
    for _ in range(3):
        progress.tell(Phase.ENVIRONMENT, "downloading", fraction=0.3)
    assert len(progress.events) == 1


def test_the_expected_time_is_the_usual_one_and_survives_rubbish(tmp_path: Path) -> None:
    history = StartHistory(tmp_path / "starts.json")
    assert history.expected() is None
    for seconds in (1.0, 2.0, 60.0):
        history.add(seconds)
    assert history.expected() == 2.0
    (tmp_path / "starts.json").write_text('{"half": ')
    assert history.expected() is None
    history.add(3.0)
    assert history.expected() == 3.0


async def test_a_progress_is_unused_until_something_was_told_or_it_ended() -> None:
    assert SpawnProgress(POD_SCALE).unused
    told = SpawnProgress(POD_SCALE)
    told.tell(Phase.QUEUED, "queued")
    assert not told.unused
    ended = SpawnProgress(POD_SCALE)
    ended.close()
    assert not ended.unused
