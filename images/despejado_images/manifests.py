"""What a registry says of an image: OCI image specification 1.1, "Manifest", "Index", "Config".

Pure; any document gives facts or an ``ImageFaultError``. What a container runtime would refuse is
a fault; a label whose text is not understood is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from despejado_images.errors import ImageFaultError
from despejado_images.reference import is_digest

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_LARGEST = 10**15
_LONGEST_TEXT = 200
_MOST_VERSIONS = 2000

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a registry knows of one tag; ``size_bytes`` is that of all layers, compressed."""

    digest: str
    size_bytes: int | None
    labels: Mapping[str, str]
    created: str


def is_index(document: Document) -> bool:
    """Whether a manifest is a list of manifests, one for each platform."""
    return document.get("mediaType") in INDEXES or "manifests" in document


def choose_manifest(index: Document, architectures: Sequence[str]) -> str:
    """The digest of the image for the first of the architectures that there is one for."""
    entries = index.get("manifests")
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        platform = entry.get("platform") if isinstance(entry, Mapping) else None
        if not isinstance(platform, Mapping) or platform.get("os") != "linux":
            continue
        digest = entry.get("digest")
        if isinstance(digest, str) and is_digest(digest):
            found.setdefault(_architecture(platform), digest)
    for architecture in architectures:
        if architecture in found:
            return found[architecture]
    raise _other_architecture(", ".join(sorted(filter(None, found))), architectures)


def layers_of(manifest: Document) -> tuple[str, int | None]:
    """The digest of the configuration, and the bytes of all layers if they are known."""
    config, layers = manifest.get("config"), manifest.get("layers")
    digest = config.get("digest") if isinstance(config, Mapping) else None
    if not isinstance(digest, str) or not is_digest(digest) or not isinstance(layers, list):
        raise ImageFaultError("its manifest is malformed")
    sizes = [layer.get("size") if isinstance(layer, Mapping) else None for layer in layers]
    counted = [size for size in sizes if isinstance(size, int) and 0 <= size < _LARGEST]
    if len(counted) < len(sizes):
        raise ImageFaultError("its manifest is malformed")
    return digest, sum(counted)


def facts_of(
    digest: str, size: int | None, config: Document, architectures: Sequence[str]
) -> ImageFacts:
    """The facts of an image from its configuration."""
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, Mapping) else inner
    if labels is None:
        labels = {}
    if not isinstance(labels, Mapping) or not all(
        isinstance(each, str) for each in labels.values()
    ):
        raise ImageFaultError("its labels are malformed")
    architecture = _architecture(config)
    if architecture and architecture not in architectures:
        raise _other_architecture(architecture, architectures)
    return ImageFacts(digest, size, labels, clean(config.get("created")))


def versions_of(label: str) -> dict[str, str]:
    """Versions of the software from a label of JSON; none if it is anything else."""
    try:
        found = json.loads(label) if label else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or len(found) > _MOST_VERSIONS:
        return {}
    return {clean(name): clean(version) for name, version in found.items()}


def clean(value: object) -> str:
    """A text of somebody else's as one printable line; nothing for what is no text."""
    if not isinstance(value, str):
        return ""
    printable = "".join(each if each.isprintable() else " " for each in value[:_LONGEST_TEXT])
    return " ".join(printable.split())


def _architecture(platform: Mapping[str, Any]) -> str:
    return clean(platform.get("architecture"))


def _other_architecture(there: str, wanted: Sequence[str]) -> ImageFaultError:
    return ImageFaultError(
        f"it is for {there or 'no known architecture'}, and labs run on {' and '.join(wanted)}"
    )
