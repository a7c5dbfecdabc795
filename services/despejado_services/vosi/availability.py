"""VOSI availability (VOSI 1.1 §2.3)."""

from __future__ import annotations

from datetime import datetime

from despejado_services.uws.models import iso
from despejado_services.xml import DECLARATION, element, lines


def availability_document(*, available: bool, up_since: datetime, note: str) -> str:
    """Whether queries would be answered now."""
    document = element(
        "vosi:availability",
        {"xmlns:vosi": "http://www.ivoa.net/xml/VOSIAvailability/v1.0"},
        lines(
            element("vosi:available", None, "true" if available else "false"),
            element("vosi:upSince", None, iso(up_since)),
            element("vosi:note", None, note),
        ),
    )
    return f"{DECLARATION}{document.text}\n"
