"""How long a build still takes, as the person who waits reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from despejado_spawner.processes.environment_steps import time_left


@pytest.mark.parametrize(
    ("expected", "gone", "words"),
    [
        (None, 5, ""),
        (17, 0, " (about 20 s left)"),
        (17, 9, " (nearly done)"),
        (17, 18, ""),
        (240, 60, " (about 3 min left)"),
    ],
)
def test_nearly_done_is_said_near_the_end_only(
    expected: float | None, gone: float, words: str
) -> None:
    started = datetime(2026, 11, 21, tzinfo=UTC)
    assert time_left(expected, started, started + timedelta(seconds=gone)) == words
