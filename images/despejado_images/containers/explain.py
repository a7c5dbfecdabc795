"""What the last lines of an engine mean, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from despejado_images.environments.uv import DISK_FULL, explain_uv

_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_UNAUTHORIZED = re.compile(
    r"unauthorized|authentication required|requested access to the resource is denied|"
    r"no basic auth credentials",
    re.IGNORECASE,
)
_NO_TLS = re.compile(r"server gave HTTP response to HTTPS client", re.IGNORECASE)
_UNREACHABLE = re.compile(r"connection refused|no such host|i/o timeout|network is unreachable")
_UV = re.compile(r"^\s*(?:error:|cause:|×|╰─▶)", re.MULTILINE)
_APT = re.compile(r"^E: (.*)$", re.MULTILINE)
_SETUP = re.compile(r"newuidmap|setgroups|/etc/subuid|operation not permitted", re.IGNORECASE)
_NOISE = re.compile(
    r"level=(?:warning|info)|^Error: (?:exit status|building at STEP)|^subprocess exited|^STEP ",
    re.IGNORECASE,
)


def explain_engine(lines: Sequence[str]) -> str:
    """The cause of a failed build, pull or push, and what to do."""
    text = "\n".join(lines)
    if _DISK_FULL.search(text):
        return DISK_FULL
    if _UV.search(text):
        return explain_uv(lines)
    if _UNAUTHORIZED.search(text):
        return "The registry refused: log in with your engine first (buildah login REGISTRY)."
    if _NO_TLS.search(text):
        return (
            "The registry speaks plain HTTP, which is allowed on this machine's loopback only. "
            "Give it a certificate, or push through a forwarded loopback port."
        )
    if found := _APT.search(text):
        return f"Debian's packages could not be installed: {found[1]}"
    if _UNREACHABLE.search(text):
        return f"A registry cannot be reached: {_last(lines)}"
    if _SETUP.search(text):
        return (
            f"The engine lacks a right: {_last(lines)}. "
            "Run it as root, or set it up for rootless builds (/etc/subuid)."
        )
    return _last(lines)


def _last(lines: Sequence[str]) -> str:
    said = [line.strip() for line in lines if line.strip() and not _NOISE.search(line)]
    return said[-1][-400:] if said else ""
