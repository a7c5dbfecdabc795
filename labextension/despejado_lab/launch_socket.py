"""The server's socket, listening before anything is imported.

A hub that asks a lab too early is refused and asks again later. With a socket that listens from
the first moment on, its request waits there and is answered when the server is ready. Tornado
binds the port several times (the server looks whether it is free); each time it gets a duplicate.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from despejado_lab.launch_end import LaunchError

VARIABLE = "DESPEJADO_EARLY_SOCKET"
"""Set (to anything) where a hub may ask early: in pods."""
_BACKLOG = 128


class PortTaken(LaunchError):
    """The lab's port cannot be had; the text says which, and why."""


def early_socket(environment: Mapping[str, str]) -> socket.socket | None:
    """A listening socket on the address of JUPYTERHUB_SERVICE_URL; None where none is asked for.

    Raises
    ------
    PortTaken
        If the port is in use, or the address is not this machine's.
    """
    if not environment.get(VARIABLE):
        return None
    address = urlsplit(environment.get("JUPYTERHUB_SERVICE_URL", ""))
    if not address.port:
        return None
    host = address.hostname or ""
    listening = _new_socket(host)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, address.port))
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"The lab cannot listen on port {address.port} ({error.strerror}). Another program of "
            "the lab's pod may use it; the setting of the hub's spawner for its port gives another."
        ) from error
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


def _new_socket(host: str) -> socket.socket:
    """IPv4 and IPv6 alike where no address is named, as JupyterHub's server listens."""
    every = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if every or ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    if every:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


def hand_over(listening: socket.socket) -> None:
    """Let Tornado use the socket whenever it would bind this very port."""
    from tornado import netutil, tcpserver

    port = listening.getsockname()[1]
    bind = netutil.bind_sockets

    def bind_sockets(wanted: int, *arguments: Any, **options: Any) -> list[socket.socket]:
        if wanted != port:
            return bind(wanted, *arguments, **options)
        return [listening.dup()]

    for module in (netutil, tcpserver):
        vars(module)["bind_sockets"] = bind_sockets
