"""What can go wrong, in words for the person who reads it: what happened, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DespejadoError(Exception):
    """Base of all errors of this package.

    Notebooks show the message alone: the reader's code is not at fault in the way that a
    traceback through this package suggests.
    """

    def _render_traceback_(self) -> list[str]:
        """IPython's hook for exceptions that draw themselves."""
        return [f"{type(self).__name__}: {self}"]


class NoPlatform(DespejadoError):
    """Neither a lab's runtime folder nor ``DESPEJADO_URL`` says where the platform is."""


class BadDiscovery(DespejadoError):
    """The discovery document cannot be read or is not one."""


class NoToken(DespejadoError):
    """No token was found in any of the places where one may be."""


class UnknownName(DespejadoError):
    """A data set, service, table or variable of that name does not exist."""


class ButlerMissing(DespejadoError):
    """The environment has no ``lsst.daf.butler``."""


class RepositoryMissing(DespejadoError):
    """The data set has no Butler repository, or it has not been built yet."""


class CannotShow(DespejadoError):
    """The object is neither an image nor a table that can be drawn."""


class QueryError(DespejadoError):
    """The service refused the query or failed on it."""


class QueryAborted(QueryError):
    """The query was aborted by the person who sent it."""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """At most three of ``known`` that look like ``name``, best first, compared without case."""
    by_folded = {item.casefold(): item for item in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.6)
    return [by_folded[item] for item in close]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean a or b?`` with a leading space, or what there is, or nothing."""
    known = sorted(set(known))
    close = nearest(name, known)
    if close:
        return f" Did you mean {' or '.join(close)}?"
    if 0 < len(known) <= 12:
        return f" There is: {', '.join(known)}."
    return ""
