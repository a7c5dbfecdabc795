"""What admission says no with: quotas, limits, Pod Security, webhooks, policies (pure)."""

from __future__ import annotations

import re

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis.wording import memory_words, sentence
from despejado_spawner.units import parse_cpu, parse_memory

_QUOTA = re.compile(
    r"exceeded quota: (?P<name>[^,\s]+), requested: (?P<requested>\S+), used: (?P<used>\S+), "
    r"limited: (?P<limited>[^\s\]]+)"
)
_UNSPECIFIED = re.compile(r"failed quota: (?P<name>[^:]+): must specify (?P<what>.+)")
_LIMIT = re.compile(
    r"(?P<bound>maximum|minimum) (?P<what>\S+) usage per (?P<kind>Container|Pod|"
    r"PersistentVolumeClaim) is (?P<limit>[\w.]+?)(, but (?P<which>limit|request) is "
    r"(?P<given>[\w.]+?))?([.,\]\s]|$)"
)
_RATIO = re.compile(r"(?P<what>\S+) max limit to request ratio per \S+ is (?P<limit>\S+),")
_WEBHOOK = re.compile(
    r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<why>.*)', re.S
)
_POLICY = re.compile(
    r"ValidatingAdmissionPolicy '(?P<name>[^']+)'.* denied request: (?P<why>.*)", re.S
)
_MISSING = re.compile(
    r'no PriorityClass with name (?P<priority>\S+) was found|RuntimeClass "(?P<runtime>[^"]+)" '
    r'not found|serviceaccount "(?P<account>[^"]+)" not found'
)
_RESOURCES = {
    "memory": "memory",
    "cpu": "CPUs",
    "ephemeral-storage": "disk space",
    "storage": "storage",
    "pods": "labs",
    "persistentvolumeclaims": "volumes",
}
_BYTES = ("memory", "ephemeral-storage", "storage")


def denied(said: str, details: tuple[str, ...]) -> LabFailed | None:
    """Why admission refuses an object; None if it is not admission that speaks."""
    quota = _quota(said, details) or _limits(said, details)
    if quota is not None:
        return quota
    if "violates PodSecurity" in said:
        why = said.split("violates PodSecurity", 1)[1].strip()
        message = f"Pod Security refuses the lab: {sentence(why)}"
        return LabFailed("pod_security", message, None, details)
    for pattern in (_WEBHOOK, _POLICY):
        rule = pattern.search(said)
        if rule:
            why = sentence(rule["why"].strip() or "no reason given")
            message = f"The cluster's rule {rule['name']!r} refuses the lab: {why}"
            return LabFailed("admission", message, None, details)
    missing = _MISSING.search(said)
    if missing:
        kind, name = next(
            (kind, missing[group])
            for group, kind in (
                ("priority", "priority class"),
                ("runtime", "runtime class"),
                ("account", "service account"),
            )
            if missing[group]
        )
        message = f"The {kind} {name!r} that labs are configured with does not exist."
        return LabFailed("invalid", message, None, details)
    if "is forbidden: " in said and "User " not in said:
        why = said.split("is forbidden: ", 1)[1]
        return LabFailed(
            "admission", f"The cluster refuses the lab: {sentence(why)}", None, details
        )
    return None


def _quota(said: str, details: tuple[str, ...]) -> LabFailed | None:
    unspecified = _UNSPECIFIED.search(said)
    if unspecified:
        message = (
            f"The quota {unspecified['name']!r} wants each lab to say its {unspecified['what']}."
        )
        advice = "Tell the administrator: sizes must set what the quota counts."
        return LabFailed("quota", message, advice, details)
    quota = _QUOTA.search(said)
    if quota is None:
        return None
    requested, used, limited = (_amounts(quota[key]) for key in ("requested", "used", "limited"))
    told = [
        f"{_amount(name, limited.get(name, 'less'))} in all; {_words(name, used.get(name, '0'))} "
        f"{_are(used.get(name, '0'))} in use, and {_words(name, wanted)} more {_are(wanted)} needed"
        for name, wanted in requested.items()
    ]
    message = f"The quota {quota['name']!r} allows {'. It allows '.join(told)}."
    never = any(
        _number(wanted) > _number(limited.get(name, "")) for name, wanted in requested.items()
    )
    return LabFailed("quota", message, "Choose a smaller size." if never else None, details)


def _limits(said: str, details: tuple[str, ...]) -> LabFailed | None:
    told = []
    for each in _LIMIT.finditer(said):
        most = "at most" if each["bound"] == "maximum" else "at least"
        line = f"{most} {_amount(each['what'], each['limit'])}"
        if each["given"]:
            line += f", and {_words(each['what'], each['given'])} were asked for"
        told.append(line)
    if told:
        where = "volume" if "PersistentVolumeClaim" in said else "lab"
        message = f"The namespace allows a {where} {'; '.join(dict.fromkeys(told))}."
        return LabFailed("limit_range", message, None, details)
    ratio = _RATIO.search(said)
    if ratio is None:
        return None
    message = (
        f"The namespace allows the limit of {_what(ratio['what'])} to be at most "
        f"{ratio['limit']} times what is guaranteed."
    )
    advice = "Tell the administrator: the sizes guarantee too little of their limits."
    return LabFailed("limit_range", message, advice, details)


def _amounts(said: str) -> dict[str, str]:
    """``limits.memory=16Gi,pods=1`` by name."""
    pairs = (each.partition("=") for each in said.split(",") if "=" in each)
    return {name: amount for name, _, amount in pairs}


def _plain(name: str) -> str:
    """``limits.memory`` -> ``memory``, ``count/pods`` -> ``pods``."""
    return name.removeprefix("limits.").removeprefix("requests.").removeprefix("count/")


def _what(name: str) -> str:
    plain = _plain(name)
    return "GPUs" if plain.endswith("/gpu") else _RESOURCES.get(plain, plain)


def _words(name: str, amount: str) -> str:
    """``16Gi`` -> ``16 GiB``, ``100m`` -> ``0.1``."""
    plain = _plain(name)
    if plain in _BYTES:
        return memory_words(amount)
    return f"{parse_cpu(amount):g}" if plain == "cpu" and _is_cpu(amount) else amount


def _amount(name: str, amount: str) -> str:
    """An amount with what it is of: ``16 GiB of memory``, ``3 CPUs``."""
    of = " of" if _plain(name) in _BYTES else ""
    return f"{_words(name, amount)}{of} {_what(name)}"


def _are(amount: str) -> str:
    return "is" if amount == "1" else "are"


def _number(amount: str) -> float:
    """The amount as a number to compare with; 0 if it is none."""
    try:
        return parse_cpu(amount) if _is_cpu(amount) else float(parse_memory(amount))
    except ValueError:
        return 0.0


def _is_cpu(amount: str) -> bool:
    return re.fullmatch(r"\d+m|\d+(\.\d{1,3})?", amount, re.ASCII) is not None
