"""How one spawn option is read, whatever it is for: a choice, a flag or a number. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import NOTHING

_SHOWN = 60


def shown(value: object) -> str:
    """A value for a message: its type if it is a container, else its text, shortened."""
    if isinstance(value, dict | list):
        return f"a JSON {'object' if isinstance(value, dict) else 'list'}"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _nobody_knows(_: str) -> None:
    return None


@dataclass(frozen=True)
class Choice:
    """One of several names.

    ``names`` are what may be chosen, ``titles`` their words for people where they have some,
    ``helps`` a sentence on each. ``default`` is None where nothing can be chosen at present.
    ``any_case`` takes names in other letter cases, too; ``why_not`` has a sentence on a name that
    is there and cannot be chosen.
    """

    name: str
    label: str
    help: str
    names: tuple[str, ...]
    default: str | None
    titles: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    helps: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    any_case: bool = False
    why_not: Callable[[str], str | None] = _nobody_knows

    kind = "choice"

    def unsaid(self) -> str:
        """What is taken when nothing is said.

        Raises
        ------
        OptionsError
            If there is nothing to choose from.
        """
        if not self.default:
            raise OptionsError(self.name, f"No {self.name} is available at the moment.")
        return self.default

    def parse(self, value: object) -> str:
        """The chosen name, spelled as it is offered."""
        if not isinstance(value, str):
            raise OptionsError(self.name, f"{shown(value)} is not a name.", self.names)
        for spelled in (value, value.lower()) if self.any_case else (value,):
            if spelled in self.names:
                return spelled
        why_not = self.why_not(value) or f"There is no {self.name} {shown(value)}."
        raise OptionsError(self.name, why_not, self.names)

    def title(self, name: str) -> str:
        """A name in words for people."""
        return self.titles.get(name, name)


@dataclass(frozen=True)
class Flag:
    """Yes or no, no if nothing is said; in forms and links the words ``true`` and ``false``."""

    name: str
    label: str
    help: str

    kind = "flag"

    def unsaid(self) -> bool:
        """What is taken when nothing is said."""
        return False

    def parse(self, value: object) -> bool:
        """The value as a bool."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value in ("true", "false"):
            return value == "true"
        raise OptionsError(self.name, f"{shown(value)} is neither yes nor no.", ("true", "false"))


@dataclass(frozen=True)
class Number:
    """A number from ``minimum`` to ``maximum``, both included, in steps from the minimum."""

    name: str
    label: str
    help: str
    minimum: float
    maximum: float
    default: float
    step: float = 1
    unit: str = ""

    kind = "number"

    def unsaid(self) -> float:
        """What is taken when nothing is said."""
        return self.default

    def parse(self, value: object) -> float:
        """The number; forms and links send it as text."""
        number = _number(value)
        if number is None:
            raise OptionsError(self.name, f"{shown(value)} is not a number.", (self.bounds,))
        if not self.minimum <= number <= self.maximum or not self._on_a_step(number):
            raise OptionsError(self.name, f"{plain(number)} is not possible.", (self.bounds,))
        return number

    @property
    def bounds(self) -> str:
        """What is allowed, in words."""
        unit = f" {self.unit}" if self.unit else ""
        whole = self.step == 1 and self.minimum == int(self.minimum)
        steps = "" if whole else f" in steps of {plain(self.step)}"
        return f"{plain(self.minimum)} to {plain(self.maximum)}{unit}{steps}"

    def _on_a_step(self, number: float) -> bool:
        # As decimals: 0.3 is three steps of 0.1 for people.
        above = Decimal(str(number)) - Decimal(str(self.minimum))
        return above % Decimal(str(self.step)) == 0


Input = Choice | Flag | Number


def plain(number: float) -> str:
    """A number as one writes it: 4 and not 4.0."""
    return str(int(number)) if number == int(number) else str(number)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    # What a computer has counted out as 0.30000000000000004 is three tenths.
    text = f"{value:.12g}" if isinstance(value, float) else str(value).strip()
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return None
    if not exact.is_finite() or not math.isfinite(float(exact)):
        return None
    return int(exact) if exact == exact.to_integral_value() else float(exact)
