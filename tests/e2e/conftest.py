from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.demo import Demo, running_demo, shared_folder

OUTPUT = Path(__file__).parents[2] / "test-output" / "e2e"


@pytest.fixture(scope="session")
def output() -> Path:
    """Where screenshots and logs are kept for a person to look at."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return OUTPUT


@pytest.fixture(scope="session")
def demo(output: Path) -> Iterator[Demo]:
    """One demo for all end-to-end tests."""
    command = [str(Path(sys.executable).parent / "despejado")]
    with shared_folder() as state, running_demo(command, state, output) as found:
        yield found
