"""Small XML documents, built as text.

The standard library's ElementTree keeps namespace prefixes in a global table; clients of UWS look
for the literal prefix ``uws:`` (seen in ``lsst.rsp``), so documents are written as they shall be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 does not allow in a document, not even as a character reference."""


@dataclass(frozen=True)
class Markup:
    """Text that is XML already."""

    text: str


Content = str | Markup | None


def text(value: str) -> str:
    """``value`` as element content; characters that XML cannot carry become U+FFFD."""
    return escape(_ILLEGAL.sub("\ufffd", value), {"\r": "&#13;"})


def attribute(value: str) -> str:
    """``value`` as the content of a double-quoted attribute; line ends and tabs survive."""
    return escape(
        _ILLEGAL.sub("\ufffd", value),
        {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"},
    )


def start_tag(name: str, attributes: Mapping[str, str | None] | None = None) -> str:
    """``<name a="b">``; attributes that are None are left out."""
    written = "".join(
        f' {key}="{attribute(value)}"'
        for key, value in (attributes or {}).items()
        if value is not None
    )
    return f"<{name}{written}>"


def element(
    name: str, attributes: Mapping[str, str | None] | None = None, *content: Content
) -> Markup:
    """An element with its content; plain strings are escaped, None is left out."""
    inner = "".join(
        item.text if isinstance(item, Markup) else text(item)
        for item in content
        if item is not None
    )
    opening = start_tag(name, attributes)
    if not inner:
        return Markup(f"{opening[:-1]}/>")
    return Markup(f"{opening}{inner}</{name}>")


def lines(*elements: Markup | None) -> Markup:
    """Elements one below the other, for documents that people read too."""
    return Markup("".join(f"\n{item.text}" for item in elements if item is not None) + "\n")
