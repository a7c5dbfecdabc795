"""Where this Python finds its platform: a lab's runtime folder, or an address in the environment.

A token belongs to the platform it came with: a lab's token is never used with the address that
``DESPEJADO_URL`` names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import BadDiscovery, NoPlatform, NoToken
from .models import Discovery, parse_discovery

DISCOVERY_FILE = Path("discovery/v1.json")
TOKEN_FILE = Path("secrets/token")
HUB_DISCOVERY = "/hub/despejado/discovery"
TOKEN_VARIABLES = ("DESPEJADO_TOKEN", "NUBLADO_TOKEN", "ACCESS_TOKEN")
DISCOVERY_SECONDS = 10.0
"""How long the hub may take to answer (the limit of ``lsst.rsp``)."""


def runtime_folders(environ: Mapping[str, str]) -> list[Path]:
    """The folders where a lab keeps discovery and token, in the order they are tried."""
    named = (
        environ.get("DESPEJADO_RUNTIME_DIR"),
        "/etc/despejado",
        environ.get("NUBLADO_RUNTIME_MOUNTS_DIR"),
        "/etc/nublado",
    )
    return list(dict.fromkeys(Path(folder) for folder in named if folder))


@dataclass(frozen=True)
class TokenSource:
    """Where the token is; it is read each time, because a lab's token file is refreshed."""

    files: tuple[Path, ...]
    variables: tuple[str, ...] = TOKEN_VARIABLES
    environ: Mapping[str, str] | None = None

    def token(self) -> str:
        """The token as it is now; raises `NoToken`."""
        for file in self.files:
            try:
                token = file.read_text().strip()
            except OSError:
                continue
            if token:
                return token
        environ = os.environ if self.environ is None else self.environ
        for name in self.variables:
            if token := environ.get(name, "").strip():
                return token
        raise NoToken(self.advice())

    def advice(self) -> str:
        """Which places were looked at and how to get a token."""
        if self.files:
            return (
                "There is no token in this lab (looked for "
                + ", ".join(str(file) for file in self.files)
                + "). Stop the lab and start it again from the hub's control panel (File menu);"
                " it gets a new token at each start."
            )
        return (
            "There is no token. Make one on the token page of the hub (/hub/token) with access to"
            f" the data services, and put it into the environment variable {self.variables[0]}."
        )


@dataclass(frozen=True)
class Platform:
    """A platform as seen from here: what it has, and the token for it."""

    discovery: Discovery
    tokens: TokenSource


def find_platform(environ: Mapping[str, str] | None = None) -> Platform:
    """Find the platform of this process.

    Raises `NoPlatform` if nothing says where it is or the hub does not answer, `BadDiscovery`
    if what is found is not a discovery document. No token is needed yet, and none is sent.
    """
    variables = os.environ if environ is None else environ
    folders = runtime_folders(variables)
    for folder in folders:
        file = folder / DISCOVERY_FILE
        if file.is_file():
            tokens = TokenSource(tuple(each / TOKEN_FILE for each in folders), environ=environ)
            return Platform(parse_discovery(_read_json(file), str(file)), tokens)
    if url := variables.get("DESPEJADO_URL", "").strip():
        address = discovery_address(url)
        document = _fetch_json(address)
        return Platform(parse_discovery(document, address), TokenSource((), environ=environ))
    raise NoPlatform(
        "This Python does not know a platform. In a lab that is always set: start one from the"
        " hub. Anywhere else set DESPEJADO_URL to the address of the hub (https://host) and"
        " DESPEJADO_TOKEN to a token from its token page."
    )


def discovery() -> Discovery:
    """The data sets of this platform and where their services are (see `find_platform`)."""
    return find_platform().discovery


def discovery_address(url: str) -> str:
    """The address of the discovery document for what a person gives as the platform's."""
    return url.rstrip("/").removesuffix("/hub") + HUB_DISCOVERY


def _read_json(file: Path) -> object:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadDiscovery(
            f"The discovery document {file} cannot be read ({error})."
            " Stop the lab and start it again; if that does not help, tell the operator."
        ) from error


def _fetch_json(address: str) -> object:
    import requests

    from .session import NoAuth

    try:
        answer = requests.get(address, auth=NoAuth(), timeout=DISCOVERY_SECONDS)
        answer.raise_for_status()
        return answer.json()
    except requests.JSONDecodeError as error:
        raise BadDiscovery(
            f"{address} answered with something that is not JSON."
            " Check DESPEJADO_URL: it is the address of the hub, without a path of a lab."
        ) from error
    except requests.HTTPError as error:
        raise NoPlatform(
            f"{address} answered {error.response.status_code}."
            " Check DESPEJADO_URL: it is the address that the hub's login page has."
        ) from error
    except requests.RequestException as error:
        raise NoPlatform(
            f"The hub does not answer at {address} ({type(error).__name__}). It may be down or"
            " restarting: try again in a minute. If it stays so, check DESPEJADO_URL."
        ) from error
