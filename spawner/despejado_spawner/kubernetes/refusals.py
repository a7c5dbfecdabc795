"""What the API server's refusals mean (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.kubernetes.read import items, part, text
from despejado_spawner.kubernetes.reasons import failed

_QUOTA = re.compile(
    r"exceeded quota: (?P<name>[^,]+), requested: (?P<requested>.+), used: (?P<used>.+), "
    r"limited: (?P<limited>.+)$"
)
_WEBHOOK = re.compile(
    r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<why>.*)', re.S
)
_SHOWN = 600


def refusal(
    status: int, reason: str | None, body: Mapping[str, Any] | str | None, what: str
) -> LabFailed:
    """The failure that an answer of the API server is. ``what`` is what was tried, as a verb."""
    document = _document(body)
    said = (text(document.get("message")) or text(body) or reason or "").strip()[:_SHOWN]
    details = (f"{what}: {status} {reason or ''} {said}".strip(),)
    if status in (401, 403, 422, 400):
        known = _admission(said, details)
        if known is not None:
            return known
    match status:
        case 401:
            return failed(
                "permission", f"The cluster does not know the hub ({what}).", None, details
            )
        case 403:
            return failed(
                "permission", f"The cluster does not let the hub {what}: {said}", None, details
            )
        case 404:
            return failed("invalid", f"The cluster has no place to {what}: {said}", None, details)
        case 400 | 422:
            return failed(
                "invalid",
                f"The cluster refuses to {what}: {_causes(document) or said}",
                None,
                details,
            )
        case 409:
            return failed("api", f"The cluster could not {what}: {said}", None, details)
        case 429:
            return failed("api", f"The cluster has too much to do to {what}.", None, details)
        case _:
            return failed(
                "api", f"The cluster did not {what}: {said or 'no answer'}", None, details
            )


def _admission(said: str, details: tuple[str, ...]) -> LabFailed | None:
    quota = _QUOTA.search(said)
    if quota:
        return failed(
            "quota",
            f"The quota {quota['name']!r} is used up: this lab needs {quota['requested']}, "
            f"{quota['used']} is in use, {quota['limited']} is allowed.",
            None,
            details,
        )
    if "violates PodSecurity" in said:
        why = said.split("violates PodSecurity", 1)[1].strip()
        return failed("pod_security", f"Pod Security refuses the lab: {why}", None, details)
    if re.search(r"(maximum|minimum) \S+ usage per (Container|Pod)", said):
        why = said.rsplit("is forbidden: ", 1)[-1]
        return failed(
            "limit_range", f"The labs' namespace does not allow this size: {why}.", None, details
        )
    webhook = _WEBHOOK.search(said)
    if webhook:
        why = webhook["why"].strip() or "no reason given"
        return failed(
            "admission",
            f"The cluster's rule {webhook['name']!r} refuses the lab: {why}",
            None,
            details,
        )
    if "ValidatingAdmissionPolicy" in said:
        return failed("admission", f"A rule of the cluster refuses the lab: {said}", None, details)
    return None


def _causes(document: Mapping[str, Any]) -> str:
    """The fields that are wrong, of an ``Invalid`` answer."""
    causes = items(part(document, "details", "causes"))
    return "; ".join(f"{text(each.get('field'))}: {text(each.get('message'))}" for each in causes)


def _document(body: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    try:
        found = json.loads(body or "")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
