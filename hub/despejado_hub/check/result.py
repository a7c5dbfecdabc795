"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Result:
    """One line of the report; ``advice`` says what to do about a warning or failure."""

    name: str
    state: State
    message: str
    advice: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The fields, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        line = f"{self.state:<4}  {self.name}: {self.message}"
        return line if self.advice is None else f"{line}\n      do: {self.advice}"


def exit_code(results: Iterable[Result]) -> int:
    """0 if nothing failed (warnings pass), else 1. A file that is no platform is 2."""
    return 1 if any(result.state == "fail" for result in results) else 0
