"""The files of a lab as a ConfigMap and a Secret, and where its container mounts them (pure).

A ConfigMap has no folders: a key is the file's path with ``__`` for ``/``, and the volume's items
put it back. Folders are mounted by ``subPath``, each on its own, so that ``secrets`` can lie
beside them, and ``passwd`` and ``group`` as single files over the image's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from despejado_spawner.lab_files import lab_files
from despejado_spawner.models import LabFile
from despejado_spawner.pods.models import Manifest, PlanError, PodPlan
from despejado_spawner.pods.names import MANAGED_BY, lab_labels, object_name

HUB_TOKEN = "hub-token"  # noqa: S105 (the name of a key)
"""The key of the Secret that holds the server's own token."""
NETRC = "netrc"
"""The key of the file that is made of the data token."""
TOKEN_VARIABLES = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")
"""Variables of JupyterHub that are secrets; in no manifest in clear."""
NUBLADO = "/etc/nublado"
"""Where the unmodified ``lsst.rsp`` looks; images of this project link it to the runtime folder."""

_FILES = "despejado-files"
_SECRETS = "despejado-secrets"
_COPIES = "despejado-secret-copies"
_READABLE = 0o444
_SECRETS_SIZE = "1Mi"
_KEY = re.compile(r"[-._a-zA-Z0-9]+", re.ASCII)
_IMAGE_ONLY = ("jupyter", "jupyter-config")
"""Folders that only make sense with the two environments of an image of this project."""


@dataclass(frozen=True)
class FileMounts:
    """Volumes of the pod, and mounts of the lab's container."""

    volumes: tuple[Manifest, ...]
    mounts: tuple[Manifest, ...]


def dependent_metadata(plan: PodPlan) -> Manifest:
    """Metadata of what a lab's pod owns: the name and the labels by which a start is found."""
    key, value = MANAGED_BY
    return {
        "name": object_name(plan.pod_name, plan.start_id),
        "namespace": plan.namespace,
        "labels": lab_labels(plan.pod_name, plan.start_id) | {key: value},
    }


def config_map(plan: PodPlan, variables: Mapping[str, str]) -> Manifest:
    """The ConfigMap of a lab: everything that its files say and that is no secret."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": dependent_metadata(plan),
        "data": {_key(path): content for path, content in _public_files(plan, variables).items()},
    }


def secret(plan: PodPlan) -> Manifest:
    """The Secret of a lab: its secret files, and the server's token as ``hub-token``."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": dependent_metadata(plan),
        "type": "Opaque",
        "data": {
            name: base64.b64encode(value.encode()).decode()
            for name, value in sorted(secret_values(plan).items())
        },
    }


def secret_values(plan: PodPlan) -> dict[str, str]:
    """The values of the Secret by key.

    Raises
    ------
    PlanError
        If a secret of the site is called as the server's token is.
    """
    if HUB_TOKEN in plan.lab.secrets:
        raise PlanError(
            f"A secret of the lab is called {HUB_TOKEN!r}, which is the name of the server's own "
            "token.",
            "Call it by another name.",
        )
    values = {file.path.name: file.content for file in _files(plan, {}) if file.secret}
    token = hub_token(plan)
    return values if token is None else values | {HUB_TOKEN: token}


def hub_token(plan: PodPlan) -> str | None:
    """The server's own token at the hub, None without one."""
    given = plan.lab.hub_environment
    return next((given[name] for name in TOKEN_VARIABLES if given.get(name)), None)


def file_mounts(plan: PodPlan, variables: Mapping[str, str]) -> FileMounts:
    """Where the files appear in the lab.

    The Secret's own files belong to root and must be readable for the lab's user, so their mode
    is 0444. With the launcher they are mounted aside and it keeps copies of mode 0400 in memory;
    an image without it reads the mounted ones, and its token comes as a variable.
    """
    runtime = str(plan.lab.runtime)
    paths = list(_public_files(plan, variables))
    folders = list(dict.fromkeys(PurePosixPath(path).parts[0] for path in paths if "/" in path))
    mounts = [_mount(_FILES, f"{runtime}/{folder}", folder) for folder in folders]
    mounts += [_mount(_FILES, f"/etc/{name}", name) for name in paths if "/" not in name]
    volumes: list[Manifest] = [_files_volume(plan, paths), _secret_volume(plan)]
    if plan.launcher:
        mounts.append(_mount(_SECRETS, f"{runtime}/mounted-secrets"))
        mounts.append({"name": _COPIES, "mountPath": f"{runtime}/secrets"})
        copies = {"medium": "Memory", "sizeLimit": _SECRETS_SIZE}
        volumes.append({"name": _COPIES, "emptyDir": copies})
    else:
        mounts.append(_mount(_SECRETS, f"{runtime}/secrets"))
        mounts += [
            _mount(_FILES, f"{NUBLADO}/{folder}", folder)
            for folder in folders
            if folder in ("discovery", "environment")
        ]
        mounts.append(_mount(_SECRETS, f"{NUBLADO}/secrets"))
    return FileMounts(tuple(volumes), tuple(mounts))


def _files_volume(plan: PodPlan, paths: Iterable[str]) -> Manifest:
    return {
        "name": _FILES,
        "configMap": {
            "name": object_name(plan.pod_name, plan.start_id),
            "defaultMode": _READABLE,
            "items": [{"key": _key(path), "path": path} for path in paths],
        },
    }


def _secret_volume(plan: PodPlan) -> Manifest:
    source: Manifest = {
        "secretName": object_name(plan.pod_name, plan.start_id),
        "defaultMode": _READABLE,
    }
    if not plan.launcher:
        names = sorted(set(secret_values(plan)) - {HUB_TOKEN})
        source["items"] = [{"key": name, "path": name} for name in names]
    return {"name": _SECRETS, "secret": source}


def _mount(volume: str, path: str, sub_path: str = "") -> Manifest:
    mount = {"name": volume, "mountPath": path, "readOnly": True}
    return mount | {"subPath": sub_path} if sub_path else mount


def _public_files(plan: PodPlan, variables: Mapping[str, str]) -> dict[str, str]:
    """Contents by path below the runtime folder."""
    found = {
        file.path.relative_to(plan.lab.runtime).as_posix(): file.content
        for file in _files(plan, variables)
        if not file.secret
    }
    if plan.launcher:
        return found
    return {
        path: content for path, content in found.items() if path.split("/")[0] not in _IMAGE_ONLY
    }


def _files(plan: PodPlan, variables: Mapping[str, str]) -> list[LabFile]:
    """The files that a process has as well; a secret that names no plain file is refused."""
    try:
        return list(lab_files(plan.lab, dict(variables)))
    except ValueError as error:
        allowed = "Letters, digits, '.', '_' and '-' make a name."
        raise PlanError(f"{error}.", allowed) from None


def _key(path: str) -> str:
    key = path.replace("/", "__")
    if not _KEY.fullmatch(key):
        raise PlanError(
            f"The lab's file {path!r} cannot be a key of a ConfigMap: letters, digits, '.', '_' "
            "and '-' are allowed.",
            "Rename the variable that it is called after.",
        )
    return key
