"""Images on their way: what a failed pull means, and how far one is (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.kubernetes.read import ContainerState, PodView, text
from despejado_spawner.kubernetes.reasons import failed
from despejado_spawner.kubernetes.told import in_order, newest, since

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

_NOT_FOUND = re.compile(
    r"not found|manifest unknown|manifest for .* not found|name unknown|does not exist|"
    r"no such image|NotFound|no match for platform",
    re.I,
)
_REFUSED = re.compile(
    r"unauthori[sz]ed|authentication required|authorization failed|denied|forbidden|"
    r"pull access|no basic auth credentials|\b40[13]\b",
    re.I,
)
_UNREACHABLE = re.compile(
    r"dial tcp|i/o timeout|connection refused|connection reset|no such host|TLS handshake|x509|"
    r"context deadline exceeded|temporary failure|EOF|\b(429|5\d\d)\b|toomanyrequests|"
    r"server misbehaving|network is unreachable",
    re.I,
)


@dataclass(frozen=True)
class Pull:
    """What to say of a pull."""

    message: str
    fraction: float


def failure(
    container: ContainerState,
    events: Sequence[Event],
    *,
    now: datetime,
    patience: float,
    details: tuple[str, ...],
) -> LabFailed | None:
    """Why the image will not come; None while it may.

    A registry that says no is final at once; one that does not answer has ``patience`` seconds.
    """
    image, said = container.image, why(container, events)
    if container.reason == "InvalidImageName":
        return failed("image_name", f"{image!r} is no name of an image.", None, details)
    if container.reason == "ErrImageNeverPull":
        message = f"The image {image} is not on the machine, and it may not be downloaded."
        return failed("image_not_found", message, None, details)
    if container.reason == "SignatureValidationFailed":
        message = f"The signature of the image {image} is not valid: {said}"
        return failed("image_refused", message, None, details)
    # In this order: registries that hide what one may not see say "denied" of what is not there,
    # and a name server's "no such host" is no answer of a registry.
    if _UNREACHABLE.search(said) and not _answered(said):
        waited = since(newest(events, "Failed"), now, first=True)
        if waited is None or waited < patience:
            return None
        message = f"The registry of the image {image} did not answer for {waited:.0f} s: {said}"
        return failed("image_pull", message, None, details)
    if _REFUSED.search(said):
        message = f"The registry refuses the image {image}: {said}"
        return failed("image_refused", message, None, details)
    if _NOT_FOUND.search(said):
        return failed("image_not_found", f"The image {image} does not exist.", None, details)
    if not said:
        return None
    waited = since(newest(events, "Failed"), now, first=True)
    if waited is None or waited < patience:
        return None
    return failed("image_pull", f"The image {image} cannot be downloaded: {said}", None, details)


def why(container: ContainerState, events: Sequence[Event]) -> str:
    """What the runtime said of the failed pull; while backing off only the events have it."""
    if container.reason != "ImagePullBackOff" and container.message:
        return container.message
    for event in reversed(in_order(events)):
        said = text(event.get("message"))
        if event.get("reason") == "Failed" and "Failed to pull image" in said:
            return said
    return container.message if "Back-off" not in container.message else ""


def state(view: PodView, events: Sequence[Event], title: str) -> Pull | None:
    """What to say while the image comes; None where none is coming."""
    last = newest(events, "Pulling", "Pulled", "Failed", "BackOff")
    if last is None:
        return None
    waiting = [each for each in view.containers() if each.reason in REASONS]
    if waiting:
        host = waiting[0].image.partition("/")[0]
        return Pull(f"The registry {host} does not answer; trying again.", 0.1)
    if last.get("reason") == "Pulling":
        return Pull(f"Downloading {title} to {view.node}.", 0.1)
    if last.get("reason") == "Pulled":
        return Pull(f"{title} is on {view.node}.", 0.9)
    return None


def _answered(said: str) -> bool:
    """Whether a registry's own no stands in the words, beside whatever else does."""
    return re.search(r"manifest unknown|: not found\b|name unknown|unauthorized", said) is not None
