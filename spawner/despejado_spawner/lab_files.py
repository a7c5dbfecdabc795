"""The files of a lab's runtime folder, from its plan alone (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from despejado_spawner.identity import group_file, passwd_file
from despejado_spawner.models import LabFile, LabPlan

KERNEL_NAME = "python3"
SECRET_MODE = 0o400
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


SETTING_DEFAULTS = {
    # The platform says what is new; a lab asks nobody outside.
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
    # Long notebooks scroll badly with the other modes (what Rubin's labs use as well).
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "defer"},
    "@jupyterlab/docmanager-extension:plugin": {
        "defaultViewers": {"markdown": "Markdown Preview"},
    },
}
"""Defaults of JupyterLab's settings; what a user chooses goes before them."""


def lab_files(plan: LabPlan, variables: dict[str, str]) -> Iterator[LabFile]:
    """The runtime folder of docs/developers.md, "A lab"."""
    runtime = plan.runtime
    yield LabFile(runtime / "discovery" / "v1.json", _json(plan.discovery))
    yield LabFile(runtime / "config" / "lab.json", _json(lab_document(plan)))
    yield LabFile(runtime / "passwd", passwd_file(plan.identity, str(plan.home), plan.base_passwd))
    yield LabFile(runtime / "group", group_file(plan.identity, plan.base_group))
    yield LabFile(
        runtime / "jupyter" / "kernels" / KERNEL_NAME / "kernel.json", _json(kernel_spec(plan))
    )
    yield LabFile(
        runtime / "jupyter-config" / "labconfig" / "default_setting_overrides.json",
        _json(SETTING_DEFAULTS),
    )
    for name, value in sorted(plan.secrets.items()):
        if not _FILE_NAME.fullmatch(name) or name == "netrc":
            raise ValueError(f"{name!r} cannot name a secret file of a lab")
        yield LabFile(runtime / "secrets" / name, value, SECRET_MODE, secret=True)
    text = netrc(plan.secrets.get("token", ""), plan.discovery)
    yield LabFile(runtime / "secrets" / "netrc", text, SECRET_MODE, secret=True)
    secret = set(plan.hub_environment)
    for name, value in sorted(variables.items()):
        # What the hub hands over holds the server's own token: that stays in the process.
        if name not in secret:
            yield LabFile(runtime / "environment" / name, value)


def lab_document(plan: LabPlan) -> dict[str, Any]:
    """``config/lab.json``: what the lab extension shows."""
    identity = plan.identity
    return {
        "user": {
            "name": identity.username,
            "uid": identity.uid,
            "gid": identity.gid,
            "groups": [group.name for group in identity.groups],
        },
        "server": {
            "name": plan.server_name,
            "hub_url": plan.hub_url,
            "base_url": plan.base_url,
        },
        "image": {
            "tag": plan.image.tag,
            "title": plan.image.title,
            "digest": plan.image.digest,
            "versions": dict(plan.image.versions),
        },
        "size": {
            "name": plan.size.name,
            "cpu": plan.size.cpu,
            "memory": plan.size.memory,
            "bigger": list(plan.bigger_sizes),
        },
        "tutorials": None if plan.tutorials is None else str(plan.tutorials),
    }


def kernel_spec(plan: LabPlan) -> dict[str, Any]:
    """The lab's only kernel: the chosen image's Python, whatever the ui environment holds.

    It is called ``python3``, the name that notebooks ask for. The client's IPython extension is
    loaded whatever the user's IPython configuration says; IPython warns where it is missing.
    """
    return {
        "argv": [
            str(plan.kernel_python),
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--IPKernelApp.extra_extensions=despejado",
        ],
        "display_name": plan.image.title,
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {
            "debugger": True,
            "despejado": {"image": plan.image.tag, "digest": plan.image.digest},
        },
    }


def netrc(token: str, discovery: Mapping[str, Any]) -> str:
    """The data token for the hosts of the data services, for stock HTTP clients.

    netrc knows hosts only. The hub's own address is under another host name (127.0.0.1 where
    data services are under localhost), so that the data token is not sent to it.
    """
    if not token:
        return ""
    urls = [
        service["url"]
        for dataset in discovery.get("datasets", {}).values()
        for service in dataset.get("services", {}).values()
        if service.get("url")
    ]
    hosts = dict.fromkeys(host for url in urls if (host := urlsplit(url).hostname))
    return "".join(f"machine {host} login token password {token}\n" for host in hosts)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
