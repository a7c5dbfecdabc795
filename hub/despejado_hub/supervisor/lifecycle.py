"""The life of a platform on one machine: start its processes, watch them, stop them in order.

The data services are processes of this supervisor and not "managed services" that the hub starts,
though the hub knows them as its services (routes, tokens, scopes): a hub that is killed or
restarted takes its managed services down with it, and queries of running labs with them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from despejado_hub.supervisor import ledger, terminal
from despejado_hub.supervisor.background import Background
from despejado_hub.supervisor.child import Child, ChildSpec, last_lines
from despejado_hub.supervisor.errors import SupervisorError
from despejado_hub.supervisor.http import answers, status_of, until
from despejado_hub.supervisor.processes import ProcessRecord, gone, kill_now, stop
from despejado_hub.supervisor.settings import Settings, node_program, proxy_bundle
from despejado_hub.supervisor.state import StateFolder, write_json

USER = "astronomer"
"""A name to log in with, for people who do not want to think of one."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for beside the platform."""

    browser: bool
    ready_file: Path | None
    build: bool


class Supervisor:
    """One running platform."""

    def __init__(
        self, settings: Settings, state: StateFolder, password: str, wishes: Wishes
    ) -> None:
        self.settings = settings
        self.state = state
        self.password = password
        self.wishes = wishes
        self.ledger = ledger.Ledger(state)
        self.children: dict[str, Child] = {}
        self.background = Background(settings, state, say=terminal.say)
        self._ready = False
        self._stopping = asyncio.Event()
        self._token = (state.run / "supervisor.token").read_text().strip()

    # What runs

    def specs(self) -> list[ChildSpec]:
        """The processes of the platform; the slowest to start comes first."""
        run, logs = self.state.run, self.state.logs
        python = (sys.executable, "-P", "-m")
        specs = [
            ChildSpec(
                "hub",
                (*python, "despejado_hub.launch", str(run / "hub.json")),
                logs / "hub.log",
                self._hub_answers,
                grace=10.0,
            ),
            ChildSpec(
                "proxy",
                (str(node_program()), str(proxy_bundle()), str(run / "proxy.json")),
                logs / "proxy.log",
                self._proxy_answers,
            ),
        ]
        check = self.settings.tap_check_url
        if check is not None:
            specs.append(
                ChildSpec(
                    "tap",
                    (*python, "despejado_services", "--config", str(run / "tap.json")),
                    logs / "tap.log",
                    lambda: answers(check),
                )
            )
        if self.settings.culler is not None:
            token = str(run / "culler.token")
            specs.append(
                ChildSpec(
                    "culler",
                    (*python, "despejado_hub.supervisor.culler", token, *self.settings.culler),
                    logs / "culler.log",
                    # It listens nowhere, and its first look is at the hub.
                    self._hub_answers,
                    after="hub",
                )
            )
        return specs

    async def _hub_answers(self) -> bool:
        return await answers(f"{self.settings.hub_url}health")

    async def _proxy_answers(self) -> bool:
        # Without its token the API says no, which is an answer.
        return await status_of("GET", self.settings.proxy_api_url) == 403

    # Its life

    async def run(self) -> int:
        """Start everything, say when it is ready, and keep it running until told to stop.

        Returns the exit status of the command.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop)
        for spec in self.specs():
            child = Child(spec, say=terminal.say, started=self._started, came_back=self._came_back)
            self.children[spec.name] = child
        for child in self.children.values():
            first = self.children.get(child.spec.after or "")
            child.start(None if first is None else first.answers)
        status = 0
        try:
            broken = await self._until_ready()
            if broken is not None:
                terminal.complain(
                    f"The {broken.spec.name} process does not start. The end of its log "
                    f"({broken.spec.log}):\n{last_lines(broken.spec.log, 12)}"
                )
                status = 1
            elif not self._stopping.is_set():
                self._announce()
                if self.wishes.build:
                    self.background.start()
                await self._stopping.wait()
        finally:
            await self._stop_everything()
        return status

    async def _until_ready(self) -> Child | None:
        """Wait for the login page and the services; returns a process that cannot be started."""
        stopping = asyncio.create_task(self._stopping.wait())
        ready = asyncio.create_task(self._all_answer())
        failures = {
            asyncio.create_task(child.failed.wait()): child for child in self.children.values()
        }
        done, waiting = await asyncio.wait(
            {stopping, ready, *failures}, return_when=asyncio.FIRST_COMPLETED
        )
        for task in waiting:
            task.cancel()
        return next((child for task, child in failures.items() if task in done), None)

    async def _all_answer(self) -> None:
        for child in self.children.values():
            await child.answers.wait()
        # And again as people reach them: through the proxy.
        await until(lambda: answers(self.settings.login_url))
        tap = self.settings.tap_url
        if tap is not None:
            await until(lambda: answers(f"{tap}/availability"))

    def _announce(self) -> None:
        self._ready = True
        self._write_ready_file()
        terminal.welcome(
            self.settings.name,
            self.settings.url,
            USER,
            self.password,
            self.settings.lab_namespace,
        )
        if self.wishes.browser:
            import webbrowser

            webbrowser.open(self.settings.url)

    # What changes while it runs

    def _processes(self) -> dict[str, ProcessRecord]:
        running = {name: child.process for name, child in self.children.items()}
        return {name: process for name, process in running.items() if process is not None}

    def _started(self, child: Child) -> None:
        self.ledger.write(self._processes())
        if self._ready:
            self._write_ready_file()

    def _write_ready_file(self) -> None:
        if self.wishes.ready_file is None:
            return
        tap = self.settings.tap_url
        document = {
            "url": self.settings.url,
            "user": USER,
            "password": self.password,
            "services": {} if tap is None else {"tap": tap},
            "processes": {name: process.pid for name, process in self._processes().items()},
        }
        try:
            write_json(self.wishes.ready_file, document)
        except OSError as error:
            terminal.complain(
                f"The ready file {self.wishes.ready_file} cannot be written: {error.strerror}."
            )

    async def _came_back(self, child: Child) -> None:
        if child.spec.name == "proxy":
            # A new proxy knows no labs and services; the hub tells it, once it is asked to.
            await status_of("POST", f"{self.settings.hub_api_url}/proxy", token=self._token)
        terminal.say(f"The {child.spec.name} process works again.")

    # The end

    def _asked_to_stop(self) -> None:
        if self._stopping.is_set():
            self._stop_at_once()
        terminal.say("Stopping (Ctrl-C again stops at once) ...")
        self._stopping.set()

    def _stop_at_once(self) -> None:
        """The second Ctrl-C: no questions asked."""
        servers, members = ledger.labs(self.state)
        kill_now([*self._everything(), *servers, *members])
        os._exit(130)

    def _everything(self) -> list[ProcessRecord]:
        own = [*self._processes().values(), *ledger.records([self.background.process])]
        return [*own, *ledger.builders(self.state)]

    async def _stop_everything(self) -> None:
        """Labs first (the hub ends them in order), then what they need, then what is left."""
        self._ready = False
        if self.wishes.ready_file is not None:
            self.wishes.ready_file.unlink(missing_ok=True)
        await self.background.stop()
        await stop(ledger.builders(self.state), grace=3.0)
        hub = self.children.get("hub")
        if hub is not None and hub.process is not None:
            await self._stop_hub(hub)
        await asyncio.gather(*(child.stop() for child in self.children.values()))
        servers, members = ledger.labs(self.state)
        await stop(servers, grace=5.0, and_kill=members)
        self.ledger.write({})
        if self.settings.lab_namespace is not None:
            terminal.say(
                f"Labs in namespace {self.settings.lab_namespace} go on; the next start finds them."
            )
        terminal.say("Stopped.")

    async def _stop_hub(self, hub: Child) -> None:
        await hub.forget()
        asked = await status_of(
            "POST",
            f"{self.settings.hub_api_url}/shutdown",
            token=self._token,
            # Pods are not of this machine: they go on, and the next hub finds them.
            body={"servers": self.settings.lab_namespace is None, "proxy": False},
        )
        process = hub.process
        if asked == 202 and process is not None:
            await gone([process], 10.0)


async def clean_up(state: StateFolder, say: Callable[[str], None]) -> None:
    """End what a supervisor that crashed left behind. Labs go on: the hub finds them again."""
    left = ledger.Ledger(state).left_behind()
    if left:
        names = ", ".join(sorted(left))
        say(f"An earlier run ended without cleaning up; ending what it left: {names}.")
        await stop(left.values(), grace=5.0)


def require_parts() -> None:
    """Raise ``SupervisorError`` if this installation lacks the proxy."""
    if not proxy_bundle().is_file():
        raise SupervisorError(
            "The proxy is not in this installation of despejado-hub "
            f"({proxy_bundle()} is missing). Install the package again."
        )
