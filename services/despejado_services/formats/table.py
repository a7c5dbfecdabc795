"""The formats that are offered: a line for each of ours, and those of other packages.

A new one is a module with its writer and a line here. A package outside offers its own without a
change here: an entry point of the group ``despejado.result_formats`` that is a
:class:`~despejado_services.formats.Format`.
"""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

from despejado_services.formats import votable
from despejado_services.formats.choice import Format, FormatError, FormatTable

log = logging.getLogger(__name__)

GROUP = "despejado.result_formats"

_HERE = "despejado_services.formats"
_REGEXT = "ivo://ivoa.net/std/TAPRegExt"

BINARY2 = Format(
    votable.CONTENT_TYPE,
    ("votable", "votable/b2"),
    "vot",
    f"{_HERE}.votable_rows:write_binary2",
    ("text/xml", "application/xml", f"{votable.CONTENT_TYPE};serialization=binary2"),
    ivo_id=f"{_REGEXT}#output-votable-binary2",
    error_inside=True,
)
TABLEDATA = Format(
    f"{votable.CONTENT_TYPE};serialization=TABLEDATA",
    ("votable/td",),
    "vot",
    f"{_HERE}.votable_rows:write_tabledata",
    ("text/xml;serialization=tabledata",),
    ivo_id=f"{_REGEXT}#output-votable-td",
    error_inside=True,
)
CSV = Format("text/csv;header=present", ("csv",), "csv", f"{_HERE}.text:write_csv", ("text/csv",))
TSV = Format("text/tab-separated-values", ("tsv",), "tsv", f"{_HERE}.text:write_tsv")
PARQUET = Format(
    "application/vnd.apache.parquet",
    ("parquet",),
    "parquet",
    f"{_HERE}.parquet:write",
    ("application/x-parquet", "application/parquet"),
)
FITS = Format("application/fits", ("fits",), "fits", f"{_HERE}.fits:write", ("image/fits",))

FORMATS = (BINARY2, TABLEDATA, CSV, TSV, PARQUET, FITS)


def installed_formats() -> FormatTable:
    """Our formats, then those of other packages by the names of their entry points.

    One that cannot be loaded, or whose name is taken, is told in the log and left out.
    """
    table = FormatTable(FORMATS)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            table.add(_load(point))
        except FormatError as problem:
            package = "?" if point.dist is None else point.dist.name
            log.warning(
                "the result format %r (entry point %s = %s of the package %s) is left out: %s",
                point.name, GROUP, point.value, package, problem,
            )  # fmt: skip
    return table


def _load(point: EntryPoint) -> Format:
    try:
        found = point.load()
    except Exception as problem:
        raise FormatError(f"{type(problem).__name__}: {problem}") from problem
    if not isinstance(found, Format):
        raise FormatError(f"it is {type(found).__name__}, not a {Format.__name__}")
    return found
