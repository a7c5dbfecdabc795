"""Images on their way: what a failed pull means, and how far one is (pure).

Runtimes and registries say the same in many ways; ``data/registries.json`` of the tests has the
wordings that were met, each with its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from despejado_images.amounts import decimal_size
from despejado_images.reference import registry_of

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis.events import began, newest
from despejado_spawner.pods.diagnosis.pod_view import ContainerState, PodView, parse_time, text
from despejado_spawner.pods.diagnosis.wording import sentence

Event = Mapping[str, Any]

REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)

_PLATFORM = re.compile(r"no match for platform|no image found in .* for architecture", re.I)
_NOT_FOUND = re.compile(
    r"not found|manifest unknown|manifest_unknown|name unknown|name_unknown|does not exist|"
    r"no such image|\b404\b",
    re.I,
)
_REFUSED = re.compile(
    r"unauthori[sz]ed|authentication required|authorization failed|denied|forbidden|"
    r"no basic auth credentials|incorrect username or password|\b40[13]\b",
    re.I,
)
_UNREACHABLE = re.compile(
    r"dial tcp|i/o timeout|connection refused|connection reset|no such host|TLS handshake|x509|"
    r"deadline exceeded|temporary failure|\bEOF\b|\b(429|5\d\d)\b|too ?many ?requests|"
    r"server misbehaving|network is unreachable|no route to host|request canceled|"
    r"server gave HTTP response to HTTPS client|registry is unavailable",
    re.I,
)
_ANSWERED = re.compile(r"manifest unknown|name unknown|: not found\b|unauthorized", re.I)
"""A registry's own no, beside whatever else stands in the words."""
_SHORT_NAME = re.compile(r'short.?name (mode is enforcing|"[^"]*" did not resolve)', re.I)
_DISK = re.compile(r"no space left on device|disk quota exceeded", re.I)
_NO_NAME = re.compile(r"no such host", re.I)
_NAME_PATIENCE = 15.0
"""Seconds for a name that a name server says is not there: one more try, as it is a typing error
far more often than a fault of the name server."""
_WAITS = re.compile(r"pull QPS exceeded", re.I)
_TROUBLES = (
    (r"\b429\b|too ?many ?requests", "has too many downloads at present"),
    (r"TLS handshake|x509|HTTP response to HTTPS", "has no certificate that the cluster trusts"),
    (r"no such host|server misbehaving|temporary failure", "has a name that is not known"),
    (r"connection refused", "does not answer (connection refused)"),
    (r"timeout|deadline exceeded", "does not answer in time"),
    (r"\b5\d\d\b", "has a fault"),
)
"""What is the matter with a registry, in the order in which the words tell it."""


@dataclass(frozen=True)
class Pull:
    """What to say of a pull."""

    message: str
    fraction: float


def failure(
    view: PodView,
    container: ContainerState,
    events: Sequence[Event],
    *,
    now: datetime,
    patience: float,
) -> LabFailed | None:
    """Why the image will not come; None while it may.

    A registry that says no is final at once; one whose name nobody knows after a second try; one
    that does not answer, and what nobody has words for, has ``patience`` seconds.
    """
    image, host = container.image, registry_of(container.image)
    if container.reason == "InvalidImageName" or _SHORT_NAME.search(container.message):
        message = f"{image!r} is no name of an image, or one without its registry."
        return LabFailed("image_name", message)
    if container.reason == "ErrImageNeverPull":
        message = f"The image {image} is not on the machine, and it may not be downloaded."
        return LabFailed("image_not_found", message)
    # The name is taken out: an image may be called "denied" or have the tag 404.
    said = why(container, events).replace(image, "the image")
    if container.reason == "SignatureValidationFailed":
        message = f"The signature of the image {image} is not valid: {sentence(said)}"
        return LabFailed("image_refused", message)
    # In this order: a name server's "no such host" and a token service that is away are no
    # answers of the registry, and one that hides what one may not see says "denied" of what is
    # not there.
    if _PLATFORM.search(said):
        message = f"The image {image} is not made for the processor of {view.node}."
        return LabFailed("image_not_found", message)
    unreachable = not _ANSWERED.search(said) and _UNREACHABLE.search(said)
    if unreachable or container.reason == "RegistryUnavailable":
        waited = _waited(view, events, now)
        if waited < (min(patience, _NAME_PATIENCE) if _NO_NAME.search(said) else patience):
            return None
        message = (
            f"The image {image} cannot be downloaded: the registry {host} {_trouble(said)}, for "
            f"{waited:.0f} s now."
        )
        return LabFailed("image_pull", message)
    if _REFUSED.search(said):
        message = (
            f"The registry {host} does not give the image {image} to the cluster: it is not there, "
            "or needs credentials."
        )
        return LabFailed("image_refused", message)
    if _NOT_FOUND.search(said):
        message = f"The image {image} does not exist."
        return LabFailed("image_not_found", message)
    waited = _waited(view, events, now)
    if waited < patience:
        return None
    message = f"The image {image} cannot be downloaded: {sentence(said or 'no reason given')}"
    return LabFailed("image_pull", message)


def why(container: ContainerState, events: Sequence[Event]) -> str:
    """What the runtime said of the failed pull.

    While the node waits until it tries again, the state says only that; newer ones repeat the
    cause in it.
    """
    if container.reason != "ImagePullBackOff":
        return container.message
    _, repeated, cause = container.message.partition("ErrImagePull: ")
    if repeated:
        return cause
    for event in reversed(events):
        said = text(event.get("message"))
        if "Failed to pull image" in said and container.image in said:
            return said
    return ""


def state(
    view: PodView, events: Sequence[Event], title: str, size: int | None = None
) -> Pull | None:
    """What to say while the image comes; None where none is coming. ``size`` in bytes."""
    stuck = [each for each in view.containers() if each.needed and each.reason in REASONS]
    if stuck:
        return Pull(_trying(stuck[0], why(stuck[0], events)), 0.1)
    last = newest(events, "Pulling", "Pulled", "Failed")
    if last is None:
        return None
    said = text(last.get("message"))
    if view.image and f'"{view.image}"' not in said:
        # That of a container beside the lab, or before it.
        title, size = "what the lab needs beside its image", None
    if last.get("reason") == "Pulling":
        much = f" (about {decimal_size(size)})" if size else ""
        return Pull(f"Downloading {title}{much} to {view.node}.", 0.1)
    if last.get("reason") == "Pulled":
        return Pull(f"{title[:1].upper()}{title[1:]} is on {view.node}; making the lab.", 0.9)
    return None


def _trying(container: ContainerState, said: str) -> str:
    host = registry_of(container.image)
    said = said.replace(container.image, "")
    if _WAITS.search(said):
        return "The machine has many images to download; yours waits."
    if _DISK.search(said):
        return "The machine has no room for the image now; it is making some."
    if _UNREACHABLE.search(said) or container.reason == "RegistryUnavailable":
        return f"The registry {host} {_trouble(said)}; trying again."
    return f"The image cannot be downloaded from {host} yet; trying again."


def _trouble(said: str) -> str:
    known = (words for pattern, words in _TROUBLES if re.search(pattern, said, re.I))
    return next(known, "does not answer")


def _waited(view: PodView, events: Sequence[Event], now: datetime) -> float:
    """Seconds since the first failure; since the pod got its node where no event tells of one."""
    first = next((began(each) for each in events if each.get("reason") == "Failed"), None)
    placed = parse_time(view.condition("PodScheduled").get("lastTransitionTime"))
    since = first or placed or view.created
    return (now - since).total_seconds() if since is not None else 0.0
