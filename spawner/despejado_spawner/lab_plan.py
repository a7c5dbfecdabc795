"""From what JupyterHub says of a server to the plan of a lab, wherever the lab will run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from despejado_images.image import Image

from despejado_spawner.models import Identity, LabPlan, Size, SpawnOptions


class LabServer(Protocol):
    """A server that is to start: what a JupyterHub spawner of ours has in public."""

    name: str
    port: int
    server: Any
    """JupyterHub's record of the server's address; None before it has one."""
    hub: Any
    environment: Mapping[str, Any]
    """The variables that the site has configured; it may hold callables."""
    default_url: str
    secrets: dict[str, str]
    discovery: Mapping[str, Any]
    base_passwd: str
    base_group: str

    def get_env(self) -> Mapping[str, Any]:
        """All variables: JupyterHub's and the site's."""
        ...

    def get_args(self) -> Sequence[str]:
        """More arguments of the server's command."""
        ...


@dataclass(frozen=True)
class Places:
    """Where a lab listens and finds its things, as it sees them itself (see ``LabPlan``)."""

    ip: str
    home: Path
    runtime: Path
    server_prefix: Path
    kernel_python: Path
    tutorials: Path | None = None


def plan_lab(
    server: LabServer,
    places: Places,
    *,
    identity: Identity,
    options: SpawnOptions,
    image: Image,
    size: Size,
    bigger_sizes: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> LabPlan:
    """The lab of a server, decided. ``variables`` take the place of those of JupyterHub."""
    given = server.get_env() if variables is None else variables
    texts = {name: str(value) for name, value in given.items()}
    site = set(server.environment)
    return LabPlan(
        identity=identity,
        options=options,
        image=image,
        size=size,
        server_name=server.name,
        base_url=server.server.base_url if server.server else "/",
        hub_url=server.hub.base_url,
        ip=places.ip,
        port=server.port,
        home=places.home,
        runtime=places.runtime,
        server_prefix=places.server_prefix,
        kernel_python=places.kernel_python,
        discovery=server.discovery,
        hub_environment={name: text for name, text in texts.items() if name not in site},
        environment={name: text for name, text in texts.items() if name in site},
        secrets=server.secrets,
        base_passwd=server.base_passwd,
        base_group=server.base_group,
        tutorials=places.tutorials,
        default_url=server.default_url or "/lab",
        extra_args=tuple(server.get_args()),
        bigger_sizes=tuple(bigger_sizes),
    )
