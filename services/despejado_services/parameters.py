"""What a TAP request says (TAP 1.1 §2.7, DALI 1.1 §3.4), checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from despejado_services.config import Limits
from despejado_services.errors import MissingParameter, NotOffered, ParameterError
from despejado_services.formats.choice import Format, FormatTable

LANGUAGES = ("ADQL", "ADQL-2.0", "ADQL-2.1")
UPLOAD_TEXT = (
    "UPLOAD is not offered yet: this service cannot take tables along with a query. "
    "Put short lists of identifiers into the query (WHERE id IN (...))."
)
KNOWN = ("QUERY", "LANG", "FORMAT", "RESPONSEFORMAT", "MAXREC", "REQUEST", "RUNID", "UPLOAD")
"""TAP's parameters; others are ignored (DALI 1.1 §3.4)."""


class Parameters:
    """Parameters by name without regard to case; a name may have several values."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.upper(), []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value, in order."""
        return list(self._values.get(name, ()))

    def one(self, name: str) -> str | None:
        """The only value or None. Raises :class:`ParameterError` for several different ones."""
        values = self._values.get(name, [])
        if len(set(values)) > 1:
            raise ParameterError(name, " and ".join(values), "one value only")
        return values[0] if values else None

    def known(self) -> dict[str, str]:
        """TAP's own parameters that are present."""
        found = {name: self.one(name) for name in KNOWN}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class TapRequest:
    """A query as asked, all values checked but the ADQL itself."""

    query: str
    maxrec: int
    format: Format


def maxrec_of(value: str | None, limits: Limits) -> int:
    """Rows to deliver at most."""
    if value is None or not value.strip():
        return limits.maxrec
    text = value.strip()
    if not (text.isascii() and text.isdigit()):
        raise ParameterError("MAXREC", value, "a whole number of rows, 0 or more")
    return limits.maxrec if len(text) > 18 else min(int(text), limits.maxrec)


def check(parameters: Mapping[str, str], limits: Limits, formats: FormatTable) -> Format:
    """Check what is present, but for the language and the query itself.

    A job with a wrong query or language is made all the same and ends in ERROR, as validators of
    TAP expect; mistakes that no run could turn into a result are refused at once.
    """
    if "UPLOAD" in parameters:
        raise NotOffered(UPLOAD_TEXT)
    request = parameters.get("REQUEST", "doQuery")
    if request.lower() != "doquery":
        raise ParameterError("REQUEST", request, "doQuery, or leave it out")
    maxrec_of(parameters.get("MAXREC"), limits)
    if "RESPONSEFORMAT" in parameters:  # the name of TAP 1.1 goes before that of TAP 1.0
        return formats.choose(parameters["RESPONSEFORMAT"])
    return formats.choose(parameters.get("FORMAT"))


def tap_request(parameters: Mapping[str, str], limits: Limits, formats: FormatTable) -> TapRequest:
    """The whole request. Raises a :class:`ServiceError` that names the parameter."""
    chosen = check(parameters, limits, formats)
    lang = parameters.get("LANG", "ADQL")
    if lang.upper() not in LANGUAGES:
        raise ParameterError("LANG", lang, " or ".join(LANGUAGES))
    query = parameters.get("QUERY", "")
    if not query.strip():
        raise MissingParameter("QUERY", "give the ADQL to run")
    return TapRequest(query, maxrec_of(parameters.get("MAXREC"), limits), chosen)
