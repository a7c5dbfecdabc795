"""The supervisor's side of ``despejado_hub.supervisor.prepare``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from despejado_hub.supervisor.errors import SupervisorError
from despejado_hub.supervisor.settings import Draft, Settings


class Preparation:
    """A process that has read the platform file and waits for the ports."""

    def __init__(self, process: subprocess.Popen[str], file: Path) -> None:
        self._process = process
        self._file = file

    def _line(self) -> str:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            problem = "" if self._process.stderr is None else self._process.stderr.read()
            raise SupervisorError(problem.strip() or f"{self._file} could not be read.")
        return line

    def draft(self) -> Draft:
        """What the file says; raises ``SupervisorError`` with everything that is wrong with it."""
        return Draft.from_json(self._line())

    def finish(self, ports: Mapping[str, int]) -> Settings:
        """Have the configuration written for these ports."""
        output, problem = self._process.communicate(json.dumps(dict(ports)) + "\n")
        if self._process.returncode != 0:
            raise SupervisorError(problem.strip())
        return Settings.from_json(output)


@contextmanager
def preparation(file: Path, state: Path | None) -> Iterator[Preparation]:
    """Read a platform file in a process of its own."""
    command = [sys.executable, "-P", "-m", "despejado_hub.supervisor.prepare", str(file)]
    if state is not None:
        command.append(str(state))
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Preparation(process, file)
    finally:
        if process.returncode is None:
            process.communicate()
