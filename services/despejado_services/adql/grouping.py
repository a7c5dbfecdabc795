"""Which columns a GROUP BY determines.

ADQL wants every selected column grouped or aggregated. Astronomers leave out those that the key
determines (their databases allowed it); we do so where it is certain: the grouped columns, or
what is equal to them, hold the key of the column's table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from despejado_services.adql.names import Scope


@dataclass(frozen=True)
class Grouping:
    """``keys``: SQL of the grouped expressions. ``determined``: SQL of columns that follow."""

    keys: frozenset[str]
    determined: frozenset[str]


def grouping(
    keys: Iterable[str], equal: Iterable[tuple[str, str]], fixed: Iterable[str], scope: Scope
) -> Grouping:
    """``equal`` are pairs of columns that inner conditions equate, ``fixed`` equal a constant."""
    keys, equal = frozenset(keys), list(equal)
    known = set(keys) | set(fixed)
    size = -1
    while size != len(known):
        size = len(known)
        for a, b in equal:
            if a in known or b in known:
                known |= {a, b}
        for source in scope.sources:
            if source.table is None or not source.table.primary_key:
                continue
            if all(source.reference(name) in known for name in source.table.primary_key):
                known |= {source.reference(c.physical) for c in source.columns}
    return Grouping(keys, frozenset(known))
