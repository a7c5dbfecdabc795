"""The text of a query, and errors that point into it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sqlglot import exp

from despejado_services.models import AdqlError


class QueryText:
    """Turns offsets and syntax nodes into lines and columns, counted from 1."""

    def __init__(self, text: str) -> None:
        self.text = text

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset."""
        before = self.text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

    def error_at(
        self, offset: int, message: str, token: str | None = None, suggestions: Iterable[str] = ()
    ) -> AdqlError:
        """An error at an offset of the query."""
        line, column = self.place(offset)
        return AdqlError(
            message, token=token, line=line, column=column, suggestions=tuple(suggestions)
        )

    def error(self, node: exp.Expr, message: str, suggestions: Iterable[str] = ()) -> AdqlError:
        """An error at the first token of ``node`` whose place is known."""
        starts = [
            (n.meta["start"], n.meta["end"]) for n in node.walk() if n.meta.get("start") is not None
        ]
        if not starts:
            return AdqlError(message, suggestions=tuple(suggestions))
        start, end = min(starts)
        return self.error_at(start, message, self.text[start : end + 1], suggestions)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """At most three known names that look like ``name``, best first, compared without case.

    After those that are spelt alike come those of three letters or more that ``name`` begins
    with, or that begin with it (``magnitude`` for ``mag``).
    """
    folded, by_folded = name.lower(), {k.lower(): k for k in known}
    close = difflib.get_close_matches(folded, list(by_folded), n=3, cutoff=0.6)
    for one in by_folded:
        short, long = sorted((folded, one), key=len)
        if len(short) >= 3 and long.startswith(short) and one not in close:
            close.append(one)
    return [by_folded[c] for c in close[:3]]
