"""Text of ADQL queries: variables put in as literals, and places marked in the writer's own text.

A query is split only as far as is needed to know where strings, delimited identifiers and
comments are (ADQL 2.1 §2.1); its grammar is the service's affair.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import DespejadoError, UnknownName, did_you_mean

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^']|'')*(?:'|\Z))
      | (?P<delimited>"(?:[^"]|"")*(?:"|\Z))
      | (?P<comment>--[^\n]*)
      | (?P<variable>\{\s*[A-Za-z_]\w*\s*\})
      | (?P<brace>[{}])
    """,
    re.VERBOSE,
)
_INSIDE = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
_PLACE = re.compile(r"\bline\s+(\d+)\s*,?\s+col(?:umn)?\.?\s*(\d+)", re.IGNORECASE)


class BadVariable(DespejadoError):
    """What stands in braces cannot become part of a query."""


@dataclass(frozen=True)
class _Piece:
    """From ``filled`` in the query that is sent on stands what was at ``source``."""

    filled: int
    source: int
    verbatim: bool


@dataclass(frozen=True)
class Query:
    """A query as it is sent, and what its writer wrote."""

    text: str
    source: str
    pieces: tuple[_Piece, ...]

    def source_offset(self, offset: int) -> int:
        """Where in the source stands what the query has at ``offset`` (both from 0)."""
        piece = max(
            (each for each in self.pieces if each.filled <= offset), key=lambda each: each.filled
        )
        return piece.source + (offset - piece.filled if piece.verbatim else 0)


def fill(source: str, variables: Mapping[str, object]) -> Query:
    """Put variables into a query: ``{name}`` becomes an ADQL literal (ADQL 2.1 §2.1).

    Numbers and strings become literals, one-dimensional sequences of them lists separated by
    commas (for ``IN ({ids})``). Nothing is evaluated. Raises `UnknownName` if there is no such
    variable, `BadVariable` if its value has no literal or the braces stand in quotes.
    """
    parts: list[str] = []
    pieces = [_Piece(0, 0, verbatim=True)]
    done = length = 0
    for token in _TOKEN.finditer(source):
        kind = token.lastgroup
        if kind in ("string", "delimited"):
            _refuse_quoted(token.group())
        elif kind == "brace":
            raise BadVariable(
                f"{_line_of(source, token.start())}: braces hold the name of one variable, such as"
                " {radius}. Expressions are not evaluated: give the result a name first."
            )
        if kind != "variable":
            continue
        name = token.group().strip("{} \t\n")
        value = literal(name, _look_up(name, variables))
        before = source[done : token.start()]
        parts += [before, value]
        length += len(before)
        pieces.append(_Piece(length, token.start(), verbatim=False))
        length += len(value)
        done = token.end()
        pieces.append(_Piece(length, done, verbatim=True))
    parts.append(source[done:])
    return Query("".join(parts), source, tuple(pieces))


def literal(name: str, value: object) -> str:
    """The ADQL literal of a Python value; ``name`` is for the message of `BadVariable`."""
    if isinstance(value, str):
        if "\0" in value:
            raise BadVariable(f"{{{name}}} holds a NUL character, which no query can carry.")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        raise BadVariable(
            f"{{{name}}} is {value}: ADQL has no literal for it that all services know. Use 1 or 0."
        )
    if isinstance(value, numbers.Integral):
        return _signed(str(int(value)))
    if isinstance(value, numbers.Real):
        number = float(value)
        if math.isfinite(number):
            return _signed(repr(number))
        raise BadVariable(f"{{{name}}} is {number}, which ADQL cannot write.")
    items = _items(value)
    if items is not None and len(items) > 0:
        return ", ".join(literal(name, item) for item in items)
    raise BadVariable(
        f"{{{name}}} is {_described(value)}. Only numbers, strings and lists of them can be put"
        " into a query; of a quantity take the value in the unit of the column, such as"
        f" {name}.to_value('deg')."
    )


def _signed(number: str) -> str:
    """A space before a minus, so that ``x -{y}`` can never begin a comment."""
    return f" {number}" if number.startswith("-") else number


def _items(value: object) -> Sequence[object] | None:
    if isinstance(value, list | tuple):
        return value
    tolist = getattr(value, "tolist", None)  # arrays and table columns
    if callable(tolist) and getattr(value, "ndim", None) == 1:
        listed = tolist()
        return listed if isinstance(listed, list) else None
    return None


def _described(value: object) -> str:
    if isinstance(value, list | tuple):
        return "empty"
    return f"of type {type(value).__name__}"


def _look_up(name: str, variables: Mapping[str, object]) -> object:
    if name in variables:
        return variables[name]
    known = [each for each in variables if not each.startswith("_")]
    hint = did_you_mean(name, known) if len(known) > 0 else ""
    raise UnknownName(
        f"There is no variable {name!r} to put into the query.{hint} Run the cell that makes it."
    )


def _refuse_quoted(token: str) -> None:
    found = _INSIDE.search(token)
    if found:
        raise BadVariable(
            f"{found.group()} stands inside quotes. Write it without them: a string gets its own,"
            f" as in name = {found.group()}."
        )


def _line_of(source: str, offset: int) -> str:
    return f"Line {source.count(chr(10), 0, offset) + 1}"


def place_in(message: str) -> tuple[int, int] | None:
    """The line and column (from 1) that an error message names, if it names one."""
    found = _PLACE.search(message)
    return (int(found.group(1)), int(found.group(2))) if found else None


def marked(query: Query, message: str) -> str:
    """The writer's own line with a caret under the place that the message names, or nothing."""
    place = place_in(message)
    if place is None:
        return ""
    line, column = place
    lines = query.text.splitlines(keepends=True)
    if not 1 <= line <= len(lines):
        return ""
    inside = min(max(column, 1) - 1, len(lines[line - 1]))
    offset = query.source_offset(sum(map(len, lines[: line - 1])) + inside)
    start = query.source.rfind("\n", 0, offset) + 1
    text = query.source[start:].split("\n", 1)[0]
    number = query.source.count("\n", 0, start) + 1
    pad = "".join(char if char == "\t" else " " for char in query.source[start:offset])
    return f"{number:>4} | {text}\n     | {pad}^"
