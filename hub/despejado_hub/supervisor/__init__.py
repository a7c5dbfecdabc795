"""The supervisor of one machine: the whole platform here, from one command.

``despejado demo`` is the command line of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SECRETS = ("proxy", "tap", "culler", "supervisor")
"""Tokens by which the parts of the platform know each other; ``run/<name>.token``."""


@dataclass(frozen=True)
class SupervisorArguments:
    """What a supervisor is started with; None is the platform file's own choice."""

    file: Path
    port: int | None = None
    browser: bool = True
    state: Path | None = None
    ready_file: Path | None = None
    build: bool = True


def make_secrets(run: Path) -> None:
    """The tokens that are missing; those that are there are kept, for running labs."""
    import secrets

    from despejado_hub.supervisor.state import write_secret

    for name in SECRETS:
        path = run / f"{name}.token"
        if not path.exists():
            write_secret(path, secrets.token_hex(32))
    cookie_secret = run.parent / "hub" / "cookie_secret"
    if not cookie_secret.exists():
        write_secret(cookie_secret, secrets.token_hex(32))


def ready_path(file: Path | None) -> Path | None:
    """The ready file as an absolute path, without what an earlier run left there.

    Raises ``SupervisorError`` if it cannot be written there.
    """
    from despejado_hub.supervisor.errors import SupervisorError

    if file is None:
        return None
    path = file.absolute()
    try:
        path.unlink(missing_ok=True)
        path.touch()
        path.unlink()
    except OSError as error:
        raise SupervisorError(
            f"The ready file {path} cannot be written: {error.strerror}. "
            "Name a file in a folder that exists with --ready-file."
        ) from error
    return path


async def run(arguments: SupervisorArguments) -> int:
    """Run a platform until it is told to stop; returns the exit status.

    Raises ``SupervisorError`` if it cannot start.
    """
    from despejado_hub.passwords import make_password, password_record
    from despejado_hub.supervisor import terminal
    from despejado_hub.supervisor.lifecycle import Supervisor, Wishes, clean_up, require_parts
    from despejado_hub.supervisor.ports import choose
    from despejado_hub.supervisor.preparation import preparation
    from despejado_hub.supervisor.state import StateFolder, locked, require_reachable, write_json

    require_parts()
    with preparation(arguments.file, arguments.state) as prepared:
        draft = prepared.draft()
        state = StateFolder(Path(draft.state))
        state.create()
        if os.geteuid() == 0:
            require_reachable(state)
        with locked(state):
            await clean_up(state, terminal.say)
            wanted = draft.port if arguments.port is None else arguments.port
            settings = prepared.finish(choose(state.run / "ports.json", wanted))
            make_secrets(state.run)
            password = draft.password or make_password()
            write_json(state.run / "password.json", password_record(password), mode=0o400)
            ready_file = ready_path(arguments.ready_file)
            wishes = Wishes(arguments.browser, ready_file, arguments.build)
            return await Supervisor(settings, state, password, wishes).run()


def main(arguments: SupervisorArguments) -> int:
    """Run a platform until Ctrl-C; returns the exit status."""
    import asyncio

    from despejado_hub.supervisor import terminal
    from despejado_hub.supervisor.errors import SupervisorError

    try:
        return asyncio.run(run(arguments))
    except SupervisorError as error:
        terminal.complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
