"""The page for people who open the service's address in a browser."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from starlette.requests import Request
from starlette.responses import Response

from despejado_services.handlers.context import services_of, url_of

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem;
  color: #1d2733; background: #fbfcfd; }
a { color: #0b5cad; }
a:focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px; }
pre { padding: .8rem 1rem; overflow-x: auto; border: 1px solid #b9c3cd; border-radius: 4px; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { color: #dbe4ec; background: #131a21; }
  a { color: #8cc4ff; }
  a:focus-visible { outline-color: #8cc4ff; }
  pre { border-color: #46525d; }
}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


_PROGRAM = """import pyvo, requests

session = requests.Session()
session.headers["Authorization"] = "Bearer YOUR-TOKEN"
tap = pyvo.dal.TAPService("ADDRESS", session=session)
print(tap.search("SELECT TOP 5 * FROM TAP_SCHEMA.tables").to_table())"""


def home_page(url: str, *, hub: str, scope: str) -> str:
    """The page; ``url`` is the service's root, ``hub`` the path of the hub's pages."""
    address, token_page, wanted = escape(url), escape(f"{hub}/token"), escape(scope)
    program = escape(_PROGRAM.replace("ADDRESS", url), quote=False)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TAP service</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>TAP service</h1>
<p>Here programs query astronomical catalogues in ADQL, by the IVOA's Table Access Protocol.
Its address is</p>
<p><code>{address}</code></p>
<h2>In a notebook of this platform</h2>
<p>Nothing to set up:</p>
<pre><code>import despejado
tap = despejado.tap()</code></pre>
<h2>From your own computer</h2>
<p>Make a token with the scope <code>{wanted}</code> on the
<a href="{token_page}">hub's token page</a>, then</p>
<pre><code>{program}</code></pre>
<p>TOPCAT and other programs ask for a user name and a password: give your name and the token.</p>
<h2>What it says of itself</h2>
<ul>
<li><a href="{address}/capabilities">Capabilities</a>: languages, formats, limits (XML)</li>
<li><a href="{address}/availability">Availability</a> (XML)</li>
</ul>
</main>
</body>
</html>
"""


async def home(request: Request) -> Response:
    """``GET /``, without a token."""
    config = services_of(request).config
    hub = config.prefix.partition("/services/")[0] + "/hub"
    page = home_page(url_of(request), hub=hub, scope=config.scope)
    return Response(page, media_type="text/html", headers=_HEADERS)
