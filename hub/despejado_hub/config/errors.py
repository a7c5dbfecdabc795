"""What is wrong with a platform file, said to the person who wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A position in a file; line and column count from 1, as editors do."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake: where (key path and place), what, which value, what would be right."""

    key: str
    message: str
    value: str | None = None
    allowed: str | None = None
    advice: str | None = None
    place: Place | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain data for ``--json``."""
        plain: dict[str, object] = {
            name: value for name, value in asdict(self).items() if name != "place"
        }
        plain["file"] = None if self.place is None else str(self.place.file)
        plain["line"] = None if self.place is None else self.place.line
        plain["column"] = None if self.place is None else self.place.column
        return plain

    def __str__(self) -> str:
        head = f"{self.place}: " if self.place else ""
        lines = [f"{head}{self.key}: {self.message}" if self.key else f"{head}{self.message}"]
        for label, text in (
            ("value", self.value),
            ("allowed", self.allowed),
            ("do", self.advice),
        ):
            if text is not None:
                lines.append(f"    {label + ':':<9}{text}")
        return "\n".join(lines)


class PlatformError(Exception):
    """A platform file that cannot be used; ``problems`` holds every mistake in it."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        listed = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{file} has {count} {noun}:\n{listed}")
