"""Putting small images into the registry without a builder: one layer of files, one config."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.harness.errors import HarnessError

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Link:
    """A symbolic link in an image."""

    target: str


@dataclass(frozen=True)
class Image:
    """Executable files by their absolute path in the image, and how it starts."""

    files: Mapping[str, bytes | Link]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def push(registry: str, name: str, tag: str, image: Image) -> str:
    """Push ``image`` to ``registry`` (host:port) as ``name:tag``; returns its digest."""
    layer = layer_of(image)
    packed = gzip.compress(layer, compresslevel=1, mtime=0)
    config = _encode(config_of(image, "sha256:" + hashlib.sha256(layer).hexdigest()))
    manifest = _encode(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, packed)],
        }
    )
    for blob in (packed, config):
        _push_blob(registry, name, blob)
    path = f"/v2/{name}/manifests/{tag}"
    _request(registry, "PUT", path, manifest, {"Content-Type": _MANIFEST}, expected=(201,))
    return _digest(manifest)


def has(registry: str, name: str, tag: str) -> bool:
    accepted = {"Accept": _MANIFEST}
    path = f"/v2/{name}/manifests/{tag}"
    status, _, _ = _request(registry, "HEAD", path, b"", accepted, expected=(200, 404))
    return status == 200


def layer_of(image: Image) -> bytes:
    """A tar of the files and their folders; the same files give the same bytes."""
    stream = io.BytesIO()
    made: set[str] = set()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in sorted(image.files.items()):
            inside = path.lstrip("/")
            for folder in reversed([str(it) for it in Path(inside).parents if str(it) != "."]):
                if folder not in made:
                    made.add(folder)
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            entry = tarfile.TarInfo(inside)
            entry.mode = 0o755
            if isinstance(content, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.target
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def config_of(image: Image, layer_digest: str) -> dict[str, Any]:
    """The OCI image configuration."""
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return {
        "architecture": "arm64" if platform.machine() == "aarch64" else "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Cmd": list(image.command),
            "Env": [f"{name}={value}" for name, value in (path | dict(image.environment)).items()],
            "User": image.user,
            "Labels": dict(image.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }


def _push_blob(registry: str, name: str, blob: bytes) -> None:
    path = f"/v2/{name}/blobs/{_digest(blob)}"
    if _request(registry, "HEAD", path, b"", {}, expected=(200, 404))[0] == 200:
        return
    _, headers, _ = _request(registry, "POST", f"/v2/{name}/blobs/uploads/", b"", {}, (202,))
    location = headers["Location"].removeprefix(f"http://{registry}")
    joint = "&" if "?" in location else "?"
    binary = {"Content-Type": "application/octet-stream"}
    _request(registry, "PUT", f"{location}{joint}digest={_digest(blob)}", blob, binary, (201,))


def _request(
    registry: str,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    expected: tuple[int, ...],
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(registry, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    except OSError as error:
        raise HarnessError(
            f"the registry at {registry} does not answer ({error}); see `status`"
        ) from error
    finally:
        connection.close()
    if response.status not in expected:
        raise HarnessError(f"registry {registry}: {method} {path}: {response.status} {content!r}")
    return response.status, response.headers, content


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
