"""What every handler works with, and where it finds it in a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from despejado_services.address import base_url
from despejado_services.auth import HubTokens, User
from despejado_services.config import ServiceConfig
from despejado_services.formats.choice import FormatTable
from despejado_services.querying import QueryEngine
from despejado_services.uws.changes import Changes
from despejado_services.uws.results import ResultFiles
from despejado_services.uws.runner import JobRunner
from despejado_services.uws.store import JobStore
from despejado_services.vosi.capabilities import Language


@dataclass(frozen=True)
class Services:
    """The parts of one running service."""

    config: ServiceConfig
    engine: QueryEngine
    language: Language
    formats: FormatTable
    tokens: HubTokens
    store: JobStore
    results: ResultFiles
    runner: JobRunner
    changes: Changes
    sync_slots: asyncio.Semaphore
    """A place for each sync query that may run at one time."""
    started: datetime
    destruction_changed: Callable[[], None]


def services_of(request: Request) -> Services:
    """The parts, from the application's state."""
    found = request.app.state.services
    if not isinstance(found, Services):
        raise TypeError("the application was not built by create_app")
    return found


def user_of(request: Request) -> User:
    """Who asks; ``RequireToken`` has checked."""
    user = request.state.user
    if not isinstance(user, User):
        raise TypeError("this path is not behind RequireToken")
    return user


def url_of(request: Request) -> str:
    """The service's root as this client sees it."""
    config = services_of(request).config
    return base_url(request.headers, prefix=config.prefix, fallback=config.public_url)
