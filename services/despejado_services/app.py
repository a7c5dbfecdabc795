"""The web application: which path leads where, and what lives as long as the process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from despejado_services.auth import HubTokens
from despejado_services.catalog.store import StoreError
from despejado_services.config import ServiceConfig
from despejado_services.errors import ServiceError
from despejado_services.formats.table import installed_formats
from despejado_services.handlers import home, jobs, problems, query, vosi
from despejado_services.handlers.context import Services
from despejado_services.models import AdqlError, QueryError
from despejado_services.querying import QueryEngine
from despejado_services.uws.changes import Changes
from despejado_services.uws.models import now
from despejado_services.uws.results import ResultFiles
from despejado_services.uws.runner import JobRunner
from despejado_services.uws.store import JobStore
from despejado_services.uws.work import QueryWork
from despejado_services.vosi.capabilities import Language

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0
_LONGEST_SLEEP = 3600.0


def _routes(prefix: str) -> list[Route]:
    job = f"{prefix}/async/{{job}}"
    return [
        Route(prefix or "/", home.home),
        Route(f"{prefix}/", home.home),
        Route(f"{prefix}/availability", vosi.availability),
        Route(f"{prefix}/capabilities", vosi.capabilities),
        Route(f"{prefix}/tables", vosi.tables),
        Route(f"{prefix}/tables/{{name}}", vosi.table),
        Route(f"{prefix}/examples", vosi.examples),
        Route(f"{prefix}/sync", query.sync, methods=["GET", "POST"]),
        Route(f"{prefix}/async", jobs.job_list),
        Route(f"{prefix}/async", jobs.create, methods=["POST"]),
        Route(job, jobs.show),
        Route(job, jobs.act, methods=["POST"]),
        Route(job, jobs.delete, methods=["DELETE"]),
        Route(f"{job}/parameters", jobs.parameters),
        Route(f"{job}/results", jobs.results),
        Route(f"{job}/results/result", jobs.result),
        Route(f"{job}/error", jobs.error),
        *(Route(f"{job}/{name}", handler) for name, handler in jobs.ATTRIBUTES.items()),
        *(Route(f"{job}/{name}", jobs.set_attribute, methods=["POST"]) for name in jobs.CHANGEABLE),
    ]


async def _keep_house(runner: JobRunner, store: JobStore, woken: asyncio.Event) -> None:
    """Destroy jobs when their time comes, and record what a full disk kept from the store."""
    while True:
        woken.clear()
        left = _LONGEST_SLEEP
        try:
            await asyncio.to_thread(runner.destroy_expired)
            if await asyncio.to_thread(runner.save_again):
                left = _RETRY_SECONDS
            following = store.next_destruction()
        except sqlite3.OperationalError as problem:
            log.warning("the job store cannot be written now: %s", problem)
            following, left = None, _RETRY_SECONDS
        if following is not None:
            left = max(0.0, min(left, (following - now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), left)


def build_services(
    config: ServiceConfig, engine: QueryEngine, language: Language, client: httpx.AsyncClient
) -> tuple[Services, asyncio.Event]:
    """The parts of a service and the event that wakes its housekeeping.

    Makes the state folder; raises OSError when it cannot.
    """
    config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = JobStore(config.state / "jobs.sqlite")
    results = ResultFiles(config.state / "results")
    changes = Changes()
    woken = asyncio.Event()
    limits = config.limits
    formats = installed_formats()
    runner = JobRunner(
        store,
        results,
        QueryWork(engine, results, limits, formats),
        workers=limits.async_workers,
        per_user=limits.async_per_user,
        jobs_per_user=limits.jobs_per_user,
        changed=changes.changed,
        unsaved=lambda: changes.call(woken.set),
    )
    services = Services(
        config=config,
        engine=engine,
        language=language,
        formats=formats,
        tokens=HubTokens(client, config.hub_api_url, config.scope),
        store=store,
        results=results,
        runner=runner,
        changes=changes,
        sync_slots=asyncio.Semaphore(limits.sync_queries),
        started=datetime.now(UTC),
        destruction_changed=woken.set,
    )
    return services, woken


def create_app(config: ServiceConfig, engine: QueryEngine, language: Language) -> Starlette:
    """The application; its lifespan recovers jobs at start and stops queries at the end."""
    client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
    services, woken = build_services(config, engine, language, client)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        services.changes.attach(asyncio.get_running_loop())
        await asyncio.to_thread(services.runner.recover)
        housekeeping = asyncio.create_task(
            _keep_house(services.runner, services.store, woken), name="housekeeping"
        )
        try:
            yield
        finally:
            housekeeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await housekeeping
            await asyncio.to_thread(services.runner.stop)
            services.store.close()
            await client.aclose()

    app = Starlette(
        routes=_routes(config.prefix),
        middleware=[Middleware(problems.RequireToken, services=services)],
        exception_handlers={
            ServiceError: problems.on_service_error,
            AdqlError: problems.on_query_error,
            QueryError: problems.on_query_error,
            HTTPException: problems.on_http_error,
            StoreError: problems.on_store_error,
            OSError: problems.on_storage_error,
            sqlite3.OperationalError: problems.on_storage_error,
            Exception: problems.on_unexpected,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.services = services
    return app
