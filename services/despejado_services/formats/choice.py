"""Which format a request asks for (TAP 1.1 §2.7.3, RESPONSEFORMAT and its old name FORMAT)."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from despejado_services.errors import FormatBroken, ParameterError
from despejado_services.models import ResultStream

Writer = Callable[[ResultStream, str], Iterator[bytes]]
"""Writes a result; the second argument is its query. Raises QueryError when the query fails."""

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*", re.ASCII)
_ALIAS = re.compile(r"[a-z0-9][a-z0-9.+_/-]*")
_EXTENSION = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)*")


class FormatError(ValueError):
    """A format that cannot be offered; the message says what is wrong with it."""


@dataclass(frozen=True)
class Format:
    """A way to write a result: one line of the table of formats.

    Parameters
    ----------
    content_type
        Media type of the answer.
    aliases
        Short names, in lower case, that a request may use instead.
    extension
        Ending of a result's file name, without the dot.
    writer
        ``module:function`` of a :data:`Writer`, loaded by the first result that is written:
        listing formats loads none of the libraries that write them. Its batches are canonical
        (:func:`~despejado_services.formats.cells.canonical`).
    media_types
        Other media types that ask for this format.
    ivo_id
        Its identifier in the capabilities, where it has one (TAPRegExt 1.0 §2.4).
    error_inside
        Whether a document can say in itself that its query failed on the way.

    Raises
    ------
    FormatError
        For names that cannot stand in a request, a header or a file name.
    """

    content_type: str
    aliases: tuple[str, ...]
    extension: str
    writer: str
    media_types: tuple[str, ...] = ()
    ivo_id: str | None = None
    error_inside: bool = False

    def __post_init__(self) -> None:
        checks = [
            *((_MEDIA_TYPE, "media type", kind) for kind in (self.content_type, *self.media_types)),
            *((_ALIAS, "alias", alias) for alias in self.aliases),
            (_EXTENSION, "extension", self.extension),
        ]
        for allowed, what, value in checks:
            if allowed.fullmatch(value) is None:
                raise FormatError(f"{value!r} is no {what} that can be used")

    def names(self) -> set[str]:
        """All that asks for this format, as requests are compared with it."""
        kinds = (self.content_type, *self.media_types)
        return {*self.aliases, *(_normalised(kind) for kind in kinds)}

    def write(self, stream: ResultStream, query: str) -> Iterator[bytes]:
        """The result in pieces. Raises :class:`FormatBroken` where the writer cannot be loaded."""
        try:
            writer: Writer = pkgutil.resolve_name(self.writer)
        except (ImportError, AttributeError, ValueError) as problem:
            raise FormatBroken(self.content_type, f"{self.writer}: {problem}") from problem
        return writer(stream, query)


def _normalised(value: str) -> str:
    """A media type in lower case, without blanks, quotes, and parameters that change nothing."""
    kind, *options = value.replace(" ", "").replace('"', "").lower().split(";")
    kept = [option for option in options if not option.startswith(("charset=", "version="))]
    return ";".join([kind, *kept])


class FormatTable:
    """The formats of one service, in the order in which it offers them; the first is the usual one.

    Raises :class:`FormatError` where two have a name in common.
    """

    def __init__(self, formats: Iterable[Format]) -> None:
        self._formats: list[Format] = []
        self._names: dict[str, Format] = {}
        for known in formats:
            self.add(known)

    def __iter__(self) -> Iterator[Format]:
        return iter(self._formats)

    def add(self, new: Format) -> None:
        """Offer one more. Raises :class:`FormatError` if one of its names is another's."""
        names = new.names()
        taken = sorted(names & self._names.keys())
        if taken:
            owner = self._names[taken[0]]
            raise FormatError(
                f"its name {taken[0]!r} is already that of {owner.content_type} ({owner.writer})"
            )
        self._formats.append(new)
        self._names |= dict.fromkeys(names, new)

    def choose(self, value: str | None) -> Format:
        """The format for a RESPONSEFORMAT value; the usual one without one.

        The answer's content type is the one that was asked for where that is plain XML. Raises
        :class:`ParameterError` for an unknown one.
        """
        if value is None or not value.strip():
            return self._formats[0]
        name = _normalised(value.strip())
        found = self._names.get(name)
        if found is None:
            offered = ", ".join(alias for known in self for alias in known.aliases)
            raise ParameterError("RESPONSEFORMAT", value, f"one of {offered}, or their media types")
        if name in ("text/xml", "application/xml"):
            return replace(found, content_type=name)
        return found

    def file_name(self, stem: str, content_type: str) -> str:
        """The name of a result's file, without an ending where its format is no longer offered."""
        found = self._names.get(_normalised(content_type))
        return stem if found is None else f"{stem}.{found.extension}"
