"""The address under which a request reached us, for links and redirects.

A lab reaches the service as ``localhost``, a browser on the same machine as ``127.0.0.1``; each
shall get links on its own name, or its client would not send its token there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
"""host[:port] as RFC 3986 allows it for names and literal addresses, and nothing else."""


def _first(value: str | None) -> str:
    """The client's end of a list that proxies have added to."""
    return (value or "").split(",")[0].strip()


def base_url(headers: Mapping[str, str], *, prefix: str, fallback: str) -> str:
    """The service's root as the client sees it, without a slash at the end.

    ``headers`` are looked up in lower case. Anything odd in them gives ``fallback``: the value
    ends up in documents and in Location.
    """
    host = _first(headers.get("x-forwarded-host")) or _first(headers.get("host"))
    scheme = _first(headers.get("x-forwarded-proto")).lower() or "http"
    if not _HOST.fullmatch(host) or scheme not in ("http", "https"):
        return fallback
    return f"{scheme}://{host}{prefix}"
