"""Which format a request asks for (TAP 1.1 §2.7.3, RESPONSEFORMAT and its old name FORMAT)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from despejado_services.errors import ParameterError
from despejado_services.formats import fits, parquet, text, votable
from despejado_services.models import ResultStream

Writer = Callable[[ResultStream, str], Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """A way to write a result. ``aliases`` are short names a request may use instead."""

    content_type: str
    aliases: tuple[str, ...]
    extension: str
    write: Writer
    error_inside: bool = False
    """Whether a document can say in itself that its query failed on the way."""


BINARY2 = Format(
    votable.CONTENT_TYPE,
    ("votable", "votable/b2"),
    "vot",
    lambda stream, query: votable.write(stream, query, binary=True),
    error_inside=True,
)
TABLEDATA = Format(
    f"{votable.CONTENT_TYPE};serialization=TABLEDATA",
    ("votable/td",),
    "vot",
    lambda stream, query: votable.write(stream, query, binary=False),
    error_inside=True,
)
CSV = Format(
    "text/csv;header=present", ("csv",), "csv", lambda stream, _: text.write(stream, delimiter=",")
)
TSV = Format(
    "text/tab-separated-values",
    ("tsv",),
    "tsv",
    lambda stream, _: text.write(stream, delimiter="\t"),
)
PARQUET = Format("application/vnd.apache.parquet", ("parquet",), "parquet", parquet.write)
FITS = Format("application/fits", ("fits",), "fits", lambda stream, _: fits.write(stream))

FORMATS = (BINARY2, TABLEDATA, CSV, TSV, PARQUET, FITS)

_OTHER_NAMES = {
    "text/xml": BINARY2,
    "application/xml": BINARY2,
    f"{votable.CONTENT_TYPE};serialization=binary2": BINARY2,
    "text/xml;serialization=tabledata": TABLEDATA,
    "text/csv": CSV,
    "application/x-parquet": PARQUET,
    "application/parquet": PARQUET,
    "image/fits": FITS,
}


def _normalised(value: str) -> str:
    """A media type in lower case, without blanks, quotes, and parameters that change nothing."""
    kind, *options = value.replace(" ", "").replace('"', "").lower().split(";")
    kept = [option for option in options if not option.startswith(("charset=", "version="))]
    return ";".join([kind, *kept])


_NAMES: dict[str, Format] = {
    **{alias: known for known in FORMATS for alias in known.aliases},
    **{_normalised(known.content_type): known for known in FORMATS},
    **_OTHER_NAMES,
}


def choose_format(value: str | None) -> Format:
    """The format for a RESPONSEFORMAT value; VOTable BINARY2 without one.

    The answer's content type is the one that was asked for where that is a media type. Raises
    :class:`ParameterError` for an unknown one.
    """
    if value is None or not value.strip():
        return BINARY2
    name = _normalised(value.strip())
    found = _NAMES.get(name)
    if found is None:
        offered = ", ".join(alias for known in FORMATS for alias in known.aliases)
        raise ParameterError("RESPONSEFORMAT", value, f"one of {offered}, or their media types")
    if name in ("text/xml", "application/xml"):
        return replace(found, content_type=name)
    return found
