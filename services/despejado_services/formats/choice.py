"""Which format a request asks for (TAP 1.1 §2.7.3, RESPONSEFORMAT and its old name FORMAT)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from despejado_services.errors import ParameterError
from despejado_services.formats import votable
from despejado_services.models import ResultStream

Writer = Callable[[ResultStream, str], Iterator[bytes]]
"""Writes a result; the second argument is its query. Raises QueryError when the query fails."""


# The writers load numpy and pyarrow (40 MB), which a service that nobody asks shall not need.


def _binary2(stream: ResultStream, query: str) -> Iterator[bytes]:
    from despejado_services.formats.votable_rows import write

    return write(stream, query, binary=True)


def _tabledata(stream: ResultStream, query: str) -> Iterator[bytes]:
    from despejado_services.formats.votable_rows import write

    return write(stream, query, binary=False)


def _csv(stream: ResultStream, query: str) -> Iterator[bytes]:
    from despejado_services.formats.text import write

    return write(stream, delimiter=",")


def _tsv(stream: ResultStream, query: str) -> Iterator[bytes]:
    from despejado_services.formats.text import write

    return write(stream, delimiter="\t")


def _parquet(stream: ResultStream, query: str) -> Iterator[bytes]:
    from despejado_services.formats.parquet import write

    return write(stream, query)


def _fits(stream: ResultStream, query: str) -> Iterator[bytes]:
    from despejado_services.formats.fits import write

    return write(stream)


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
    votable.CONTENT_TYPE, ("votable", "votable/b2"), "vot", _binary2, error_inside=True
)
TABLEDATA = Format(
    f"{votable.CONTENT_TYPE};serialization=TABLEDATA",
    ("votable/td",),
    "vot",
    _tabledata,
    error_inside=True,
)
CSV = Format("text/csv;header=present", ("csv",), "csv", _csv)
TSV = Format("text/tab-separated-values", ("tsv",), "tsv", _tsv)
PARQUET = Format("application/vnd.apache.parquet", ("parquet",), "parquet", _parquet)
FITS = Format("application/fits", ("fits",), "fits", _fits)

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
