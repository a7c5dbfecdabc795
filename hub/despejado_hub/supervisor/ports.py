"""The ports of a platform on one machine: chosen once and kept.

Labs survive a restart of the hub, and know it by address: the internal ports stay the same for a
state folder as long as nobody else has taken them.
"""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from despejado_hub.supervisor.errors import SupervisorError
from despejado_hub.supervisor.state import write_json

HOST = "127.0.0.1"
INTERNAL = ("hub", "proxy_api", "tap")


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of this machine's loopback addresses."""
    for family, address in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                # Connections of an earlier run that linger do not count as in use.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            # No IPv6 on this machine: nobody can be there.
    return True


def free_port(taken: Iterable[int] = ()) -> int:
    """A port of this machine that nobody uses now and that is not in ``taken``."""
    used = set(taken)
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port not in used and is_free(port):
            return port


def _recorded(path: Path) -> dict[str, int]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        name: port for name, port in document.items() if isinstance(port, int) and 0 < port < 65536
    }


def require_public(port: int) -> int:
    """The public port, checked; 0 means any free one. Raises ``SupervisorError``."""
    if port == 0:
        return free_port()
    if not is_free(port):
        raise SupervisorError(
            f"Port {port} is in use by another program (or not allowed). "
            f"Choose another one with --port, for example --port {free_port()}."
        )
    return port


def choose(path: Path, public: int) -> Mapping[str, int]:
    """The ports of a state folder, kept in ``path`` (``run/ports.json``) and free now.

    Keys: ``public`` and those of ``INTERNAL``.
    """
    ports = {"public": require_public(public)}
    kept = _recorded(path)
    for name in INTERNAL:
        port = kept.get(name, 0)
        usable = port and port not in ports.values() and is_free(port)
        ports[name] = port if usable else free_port(ports.values())
    write_json(path, ports)
    return ports
