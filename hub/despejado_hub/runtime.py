"""Where one running platform is: what ``platform.yaml`` leaves to the machine and the moment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from despejado_hub.config.model import Platform


@dataclass(frozen=True)
class Runtime:
    """Ports and folders of one running platform. ``state`` is absolute.

    Labs reach the hub under ``hub_host`` and data services under ``service_host``: netrc is keyed
    by host, so that stock clients send the data token to data services and nowhere else.
    ``data_in_labs`` is where labs see the folder ``data``; empty where they see it as it is.
    ``despejado_hub.labs`` has the values for labs that are not of this machine.
    """

    state: Path
    port: int
    hub_port: int
    proxy_api_port: int
    tap_port: int
    hub_host: str = "127.0.0.1"
    service_host: str = "localhost"
    data_in_labs: str = ""

    @property
    def run(self) -> Path:
        """Process records, rendered configuration and secrets; mode 0700."""
        return self.state / "run"

    @property
    def data(self) -> Path:
        """Catalogue caches and the sample repository."""
        return self.state / "data"

    @property
    def homes(self) -> Path:
        """Home folders of users."""
        return self.state / "homes"

    @property
    def labs(self) -> Path:
        """Runtime folders of labs."""
        return self.state / "labs"

    @property
    def environments(self) -> Path:
        """Software environments."""
        return self.state / "environments"

    @property
    def sample_repository(self) -> Path:
        """The built-in Butler repository."""
        return self.data / "butler" / "sample"

    @property
    def tap_token_file(self) -> Path:
        """The token with which the TAP service asks the hub; mode 0400."""
        return self.run / "tap.token"


def default_state_folder(euid: int | None = None) -> Path:
    """``/var/lib/despejado`` for root, else below the user's data folder.

    Root's own home is closed to other users, and labs run as them.
    """
    if (os.geteuid() if euid is None else euid) == 0:
        return Path("/var/lib/despejado")
    data_home = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
    return base / "despejado"


def state_folder(platform: Platform, option: Path | None = None) -> Path:
    """The state folder in force: ``--state`` on the command line, the file's, the default."""
    chosen = option or platform.storage.state or default_state_folder()
    return Path(os.path.abspath(chosen))  # noqa: PTH100 (links keep their names)
