"""DALI examples (DALI 1.1 §2.3): queries to start from, as a page for people and programs."""

from __future__ import annotations

from dataclasses import dataclass

from despejado_services.xml import element


@dataclass(frozen=True)
class Example:
    """One query with a title and a sentence on what it is good for."""

    key: str
    title: str
    text: str
    query: str


EXAMPLES = (
    Example(
        "tables",
        "Which tables are here",
        "Every table with its description. Read TAP_SCHEMA.columns for the columns.",
        "SELECT table_name, description FROM TAP_SCHEMA.tables ORDER BY table_name",
    ),
    Example(
        "pleiades",
        "The Pleiades",
        "Stars within one degree of the cluster's centre, the brightest (Alcyone) first.",
        "SELECT TOP 20 hip, ra, dec, mag, bv FROM sample.stars\n"
        "WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 56.75, 24.12, 1.0))\n"
        "ORDER BY mag",
    ),
    Example(
        "nearest",
        "The nearest stars",
        "By parallax (mas): distance in parsec is 1000 divided by it.",
        "SELECT TOP 10 hip, parallax, 1000 / parallax AS distance_pc FROM sample.stars\n"
        "WHERE parallax > 100 ORDER BY parallax DESC",
    ),
    Example(
        "images",
        "Images that show a position",
        "ObsCore rows whose outline contains the place in the sky.",
        "SELECT obs_id, access_url, t_min, em_min FROM ivoa.ObsCore\n"
        "WHERE 1 = CONTAINS(POINT('ICRS', 56.75, 24.12), s_region)",
    ),
)


def examples_document() -> str:
    """XHTML with RDFa in the vocabulary of DALI."""
    parts = []
    for example in EXAMPLES:
        parts.append(
            element(
                "div",
                {"typeof": "example", "id": example.key, "resource": f"#{example.key}"},
                element("h2", {"property": "name"}, example.title),
                element("p", None, example.text),
                element("pre", {"property": "query"}, example.query),
            ).text
        )
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">\n'
        '<head><meta charset="utf-8"/><title>TAP examples</title></head>\n'
        '<body vocab="http://www.ivoa.net/rdf/examples#">\n<h1>TAP examples</h1>\n'
        f"{body}\n</body>\n</html>\n"
    )
