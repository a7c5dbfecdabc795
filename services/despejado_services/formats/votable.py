"""VOTable documents: what stands around the rows, and errors (VOTable 1.4, DALI 1.1 §4.4)."""

from __future__ import annotations

from despejado_services.models import Column
from despejado_services.xml import DECLARATION, Markup, element, start_tag

CONTENT_TYPE = "application/x-votable+xml"

_ROOT = start_tag("VOTABLE", {"version": "1.4", "xmlns": "http://www.ivoa.net/xml/VOTable/v1.3"})


def _info(name: str, value: str, content: str | None = None) -> Markup:
    return element("INFO", {"name": name, "value": value}, content)


def _field(column: Column) -> Markup:
    description = column.description
    return element(
        "FIELD",
        {
            "name": column.name,
            "datatype": column.datatype,
            "arraysize": column.arraysize,
            "xtype": column.xtype,
            "unit": column.unit,
            "ucd": column.ucd,
            "utype": column.utype,
        },
        element("DESCRIPTION", None, description) if description else None,
    )


def header(columns: tuple[Column, ...], query: str, *, status: str = "OK") -> str:
    """The document up to and with the table's fields."""
    fields = "\n".join(_field(column).text for column in columns)
    return (
        f"{DECLARATION}{_ROOT}\n"
        f'<RESOURCE type="results">\n'
        f"{_info('QUERY_STATUS', status).text}\n"
        f"{_info('QUERY', query).text}\n"
        f'<TABLE name="results">\n{fields}\n'
    )


def footer(*, overflow: bool = False, error: str | None = None) -> str:
    """The document after the table's data.

    What is known only at the end stands here (DALI 1.1 §4.4.1): more rows than MAXREC, or a
    failure that came after the first rows. Clients take the last QUERY_STATUS as the valid one.
    """
    infos = ""
    if error is not None:
        infos = _info("QUERY_STATUS", "ERROR", error).text + "\n"
    elif overflow:
        infos = _info("QUERY_STATUS", "OVERFLOW").text + "\n"
    return f"</TABLE>\n{infos}</RESOURCE>\n</VOTABLE>\n"


def metadata_document(columns: tuple[Column, ...], query: str, *, overflow: bool) -> str:
    """A document without data, for the head of other formats (VOParquet)."""
    return header(columns, query) + footer(overflow=overflow)


def error_document(message: str) -> str:
    """The answer to a request that failed (DALI 1.1 §4.2)."""
    return (
        f"{DECLARATION}{_ROOT}\n"
        f'<RESOURCE type="results">\n'
        f"{_info('QUERY_STATUS', 'ERROR', message).text}\n"
        "</RESOURCE>\n</VOTABLE>\n"
    )
