"""What the hub does not import at its start, beside what labs do not."""

from __future__ import annotations

from despejado_hub import fast_start
from despejado_lab import launch_imports


def test_the_hub_leaves_out_what_labs_leave_out() -> None:
    # jsonschema asks the hub, which has schemas of events, for one more.
    assert {*launch_imports._SLOW_AND_OPTIONAL, "isoduration"} == set(fast_start.UNUSED)
