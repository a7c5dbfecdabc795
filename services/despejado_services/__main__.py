"""``python -m despejado_services --config FILE``: the service as a process of its own."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn

from despejado_services.app import create_app
from despejado_services.config import ConfigError, ServiceConfig, load_config
from despejado_services.engine import Engine
from despejado_services.handlers.context import Services
from despejado_services.language import FUNCTIONS, GEOMETRY, OPTIONAL
from despejado_services.querying import QueryEngine
from despejado_services.vosi.capabilities import Language

_GRACE_SECONDS = 5
"""How long running answers may take to end after SIGTERM."""


class _Server(uvicorn.Server):
    """Says when it listens, and lets waiting requests go as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, services: Services, address: str) -> None:
        super().__init__(config)
        self._services = services
        self._address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"despejado-services: ready at {self._address}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.changes.close()
        await super().shutdown(sockets)


def _listen(config: ServiceConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
    except OSError as problem:
        listening.close()
        raise ConfigError(
            f"host = {config.host!r}, port = {config.port}: cannot listen there: "
            f"{problem.strerror}. Is another process using the port?"
        ) from problem
    return listening


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def serve(config: ServiceConfig, engine: QueryEngine, language: Language) -> None:
    """Answer requests until SIGTERM or SIGINT. Raises :class:`ConfigError`."""
    # uvicorn raises the signal again when it has shut down; a stop on request is no failure
    signal.signal(signal.SIGTERM, _exit)
    listening = _listen(config)
    try:
        app = create_app(config, engine, language)
    except OSError as problem:
        raise ConfigError(f"state = {str(config.state)!r}: {problem}") from problem
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("Server", "despejado-services")],
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        app.state.services,
        f"http://{config.host}:{listening.getsockname()[1]}{config.prefix}",
    )
    server.run(sockets=[listening])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop. Returns 2 for a configuration that cannot be used."""
    parser = argparse.ArgumentParser(prog="despejado-services", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        config = load_config(options.config)
        engine = Engine(config.data)
        try:
            serve(config, engine, Language(GEOMETRY, FUNCTIONS, OPTIONAL))
        finally:
            engine.close()
    except ConfigError as problem:
        print(f"despejado-services: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
