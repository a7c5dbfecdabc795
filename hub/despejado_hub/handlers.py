"""What the hub answers beside JupyterHub's own pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from tornado import web


class MenuHandler(BaseHandler):
    """``GET /hub/despejado/menu``: the images of the spawn page as they stand now."""

    @web.authenticated
    async def get(self) -> None:
        """Answer with the menu; 404 where the spawn page has all of it."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        menu = self.settings["despejado_menu"]
        if menu is None:
            raise web.HTTPError(404, "Labs are pods here: their menu stands in the spawn page.")
        self.finish(menu())


class DiscoveryHandler(BaseHandler):
    """``GET /hub/despejado/discovery``: the services, for clients outside a lab; no secret."""

    def get(self) -> None:
        """Answer with the discovery document; no login is asked for."""
        self.set_header("Content-Type", "application/json")
        self.finish(self.settings["despejado_discovery"])


def handlers(static: Path) -> list[tuple[Any, ...]]:
    """``c.JupyterHub.extra_handlers``."""
    return [
        (r"/despejado/menu", MenuHandler),
        (r"/despejado/discovery", DiscoveryHandler),
        (r"/despejado/static/(.*)", CacheControlStaticFilesHandler, {"path": str(static)}),
    ]
