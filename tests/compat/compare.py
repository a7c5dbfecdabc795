"""Outcomes of one test-suite for two classes: what differs, and what of that is meant (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

MISSING = "missing"
Kind = Literal["same", "regression", "intended", "better", "other"]


@dataclass(frozen=True)
class Outcome:
    """What became of a test; ``reason`` is the last line of what it said, if it did not pass."""

    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """A test, its outcomes, and what they mean together."""

    test: str
    stock: Outcome
    ours: Outcome
    kind: Kind
    why: str = ""


def compare(
    stock: Mapping[str, Outcome], ours: Mapping[str, Outcome], intended: Mapping[str, str]
) -> tuple[Row, ...]:
    """One row a test, in the order of the suite.

    A test that passes for stock and not for ours is a regression unless a pattern of ``intended``
    names it with its reason.
    """
    rows = []
    for test in dict.fromkeys([*stock, *ours]):
        left = stock.get(test, Outcome(MISSING))
        right = ours.get(test, Outcome(MISSING))
        kind: Kind = "other"
        why = ""
        if left.outcome == right.outcome:
            kind = "same"
        elif right.outcome == "passed":
            kind = "better"
        elif left.outcome == "passed":
            patterns = [each for each in intended if _matches(test, each)]
            kind = "intended" if patterns else "regression"
            why = intended[patterns[0]] if patterns else right.reason
        rows.append(Row(test, left, right, kind, why))
    return tuple(rows)


def stale(rows: tuple[Row, ...], intended: Mapping[str, str]) -> tuple[str, ...]:
    """Patterns of intended differences all of whose tests pass for both."""
    found = []
    for pattern in intended:
        outcomes = [(r.stock.outcome, r.ours.outcome) for r in rows if _matches(r.test, pattern)]
        if outcomes and all(each == ("passed", "passed") for each in outcomes):
            found.append(pattern)
    return tuple(found)


def table(rows: tuple[Row, ...]) -> str:
    """A summary of both sides by file, and each test that differs."""
    files = dict.fromkeys(row.test.partition("::")[0] for row in rows)
    lines = [f"{'file':<36} {'stock':<44} {'ours':<44}".rstrip()]
    for name in [*files, "all"]:
        here = [row for row in rows if name in ("all", row.test.partition("::")[0])]
        sides = (_counts([row.stock for row in here]), _counts([row.ours for row in here]))
        lines.append(f"{name:<36} {sides[0]:<44} {sides[1]:<44}".rstrip())
    for kind in ("regression", "intended", "better", "other"):
        for row in rows:
            if row.kind == kind:
                change = f"{row.stock.outcome} -> {row.ours.outcome}"
                lines.append(f"{kind}: {row.test}: {change}" + (f": {row.why}" if row.why else ""))
    return "\n".join(lines)


def _counts(outcomes: list[Outcome]) -> str:
    counted = Counter(each.outcome for each in outcomes)
    order = ("passed", "skipped", "failed", "error", MISSING)
    return ", ".join(f"{counted[name]} {name}" for name in order if counted[name])


def _matches(test: str, pattern: str) -> bool:
    # Ids of parametrised tests have brackets, which fnmatch would read as sets of characters.
    return fnmatchcase(test, pattern.replace("[", "[[]"))
