"""What the API server's refusals mean (pure).

The wordings are recorded in ``tests/spawner/pods/data/refusals``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis.admission import denied
from despejado_spawner.pods.diagnosis.pod_view import items, part, text
from despejado_spawner.pods.diagnosis.wording import sentence

_RIGHT = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" '
    r'in API group "(?P<group>[^"]*)"( in the namespace "(?P<namespace>[^"]+)")?'
)
_NO_NAMESPACE = re.compile(r'namespaces "(?P<name>[^"]+)" not found')
_ENDING_NAMESPACE = re.compile(r"in namespace (?P<name>\S+) because it is being terminated")
_SHOWN = 600
"""Characters of an answer that are shown: a proxy's page is not a reason."""


def refusal(
    status: int, reason: str | None, body: Mapping[str, Any] | str | None, what: str
) -> LabFailed:
    """The failure that an answer of the API server is. ``what`` is what was tried, as a verb."""
    document = _document(body)
    said = _said(document, body, reason)
    details = (f"{what}: {status} {reason or ''} {said}".strip(),)
    if 400 <= status < 500 and status != 429:
        known = _no_right(said, what, details) or _no_namespace(said, details)
        known = known or denied(said, details)
        if known is not None:
            return known
    match status:
        case 401:
            message = f"The cluster does not know the hub that asks it to {what}."
            advice = "Tell the administrator: the hub's service account or its token is not valid."
            return LabFailed("permission", message, advice, details)
        case 403:
            message = f"The cluster does not let the hub {what}: {sentence(said)}"
            return LabFailed("permission", message, None, details)
        case 404:
            message = f"The cluster has no place to {what}: {sentence(said)}"
            return LabFailed("invalid", message, None, details)
        case 400 | 413 | 415 | 422:
            message = f"The cluster refuses to {what}: {sentence(_causes(document) or said)}"
            return LabFailed("invalid", message, None, details)
        case 429:
            message = f"The cluster has too much to do to {what}."
            return LabFailed("api", message, None, details)
        case _:
            return _no_answer(said, what, details)


def _no_right(said: str, what: str, details: tuple[str, ...]) -> LabFailed | None:
    """A right that the hub's Role lacks, with the rule that would give it."""
    right = _RIGHT.search(said)
    if right is None:
        return None
    namespace = right["namespace"]
    role = f"Role in the namespace {namespace!r}" if namespace else "ClusterRole"
    advice = (
        f"Tell the administrator: {right['user']} needs a {role} with apiGroups "
        f'["{right["group"]}"], resources ["{right["resource"]}"], verbs ["{right["verb"]}"].'
    )
    return LabFailed("permission", f"The hub may not {what}.", advice, details)


def _no_namespace(said: str, details: tuple[str, ...]) -> LabFailed | None:
    missing = _NO_NAMESPACE.search(said)
    if missing:
        message = f"The labs' namespace {missing['name']!r} does not exist."
        return LabFailed("invalid", message, "Tell the administrator.", details)
    ending = _ENDING_NAMESPACE.search(said)
    if ending:
        message = f"The labs' namespace {ending['name']!r} is being deleted."
        return LabFailed("invalid", message, "Tell the administrator.", details)
    return None


def _no_answer(said: str, what: str, details: tuple[str, ...]) -> LabFailed:
    hook = re.search(r'failed calling webhook "(?P<name>[^"]+)"', said)
    if hook:
        # Not the API server is away, but a service that it must ask.
        message = f"The cluster did not {what}: its webhook {hook['name']!r} does not answer."
        advice = f"Tell the administrator: the admission webhook {hook['name']!r} is away."
        return LabFailed("api", message, advice, details)
    message = f"The cluster did not {what}: {sentence(said or 'no answer')}"
    return LabFailed("api", message, None, details)


def _causes(document: Mapping[str, Any]) -> str:
    """The fields that are wrong, of an ``Invalid`` answer."""
    causes = items(part(document, "details", "causes"))
    told = (f"{text(each.get('field'))}: {text(each.get('message'))}" for each in causes)
    return "; ".join(each.removeprefix(": ") for each in told)


def _said(document: Mapping[str, Any], body: object, reason: str | None) -> str:
    said = text(document.get("message"))
    if not said and not text(body).lstrip().startswith("<"):
        said = text(body)
    return " ".join((said or reason or "").split())[:_SHOWN]


def _document(body: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    try:
        found = json.loads(body or "")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
