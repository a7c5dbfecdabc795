"""The functions that can be called, and what they are in the store (ADQL 2.1 §2.3, §4).

Geometry has its own place (:mod:`.shapes`); CAST, COUNT and IN_UNIT are written in
:mod:`.expressions`. Nothing outside these tables can be called.
``despejado_services.language`` tells clients of those that go beyond the core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "any"]


@dataclass(frozen=True)
class Function:
    """``template`` has {0}, {1}, ... for the arguments; ``templates`` by number of arguments."""

    templates: dict[int, str]
    takes: Kind = "number"
    keeps_unit: bool = False
    unit: str | None = None

    @property
    def counts(self) -> str:
        """How many arguments it takes, for people: ``1 or 2``."""
        return " or ".join(map(str, sorted(self.templates)))


def _one(template: str, *, keeps: bool = False, unit: str | None = None) -> Function:
    return Function({1: template}, keeps_unit=keeps, unit=unit)


def _two(template: str) -> Function:
    return Function({2: template})


SCALARS: dict[str, Function] = {
    "ABS": _one("abs({0})", keeps=True),
    "CEILING": _one("ceil({0})", keeps=True),
    "DEGREES": _one("degrees({0})", unit="deg"),
    "EXP": _one("exp({0})"),
    "FLOOR": _one("floor({0})", keeps=True),
    "LOG": _one("adql_ln({0})"),  # natural, LOG10 is the decimal one
    "LOG10": _one("adql_log10({0})"),
    "MOD": _two("({0} % {1})"),
    "PI": Function({0: "pi()"}),
    "POWER": _two("pow({0}, {1})"),
    "RADIANS": _one("radians({0})", unit="rad"),
    "RAND": Function({0: "random()"}),
    "ROUND": Function({1: "round({0})", 2: "round({0}, CAST({1} AS INTEGER))"}, keeps_unit=True),
    "SQRT": _one("adql_sqrt({0})"),
    "TRUNCATE": Function({1: "trunc({0})", 2: "adql_truncate({0}, {1})"}, keeps_unit=True),
    "ACOS": _one("adql_acos({0})", unit="rad"),
    "ASIN": _one("adql_asin({0})", unit="rad"),
    "ATAN": _one("atan({0})", unit="rad"),
    "ATAN2": _two("atan2({0}, {1})"),
    "COS": _one("cos({0})"),
    "COT": _one("adql_cot({0})"),
    "SIN": _one("sin({0})"),
    "TAN": _one("tan({0})"),
    "LOWER": Function({1: "lower({0})"}, takes="text"),
    "UPPER": Function({1: "upper({0})"}, takes="text"),
    # as in Rubin's Qserv: AB magnitude of a flux in nJy
    "SCISQL_NANOJANSKYTOABMAG": Function(
        {1: "(31.4 - 2.5 * adql_log10({0}))"},
        unit="mag",
    ),
    "SCISQL_NANOJANSKYTOABMAGSIGMA": Function(
        {2: "(2.5 / ln(10) * {1} / nullif({0}, 0))"},
        unit="mag",
    ),
}

AGGREGATES: dict[str, Function] = {
    "AVG": Function({1: "avg({0})"}, keeps_unit=True),
    "MAX": Function({1: "max({0})"}, takes="any", keeps_unit=True),
    "MIN": Function({1: "min({0})"}, takes="any", keeps_unit=True),
    "SUM": Function({1: "sum({0})"}, keeps_unit=True),
}

SHAPES = frozenset({"POINT", "CIRCLE", "BOX", "POLYGON", "REGION", "CENTROID"})
PREDICATES = frozenset({"CONTAINS", "INTERSECTS"})
GEOMETRIC_NUMBERS = frozenset({"DISTANCE", "AREA", "COORD1", "COORD2"})
OTHERS = frozenset({"COUNT", "COALESCE", "IN_UNIT", "COORDSYS", "IVO_HEALPIX_INDEX", "CAST"})

ALL = frozenset(SCALARS) | frozenset(AGGREGATES) | SHAPES | PREDICATES | GEOMETRIC_NUMBERS | OTHERS
