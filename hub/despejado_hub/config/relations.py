"""What must agree between the values of a platform.

These checks read plain data and pass over whatever is missing or of the wrong type, so that a
file with other mistakes still hears of these in the same run.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from despejado_spawner.site.options import OF_PODS
from despejado_spawner.site.quantity import parse_cpu, parse_memory
from pydantic_core import PydanticCustomError

from .types import BUILT_IN


@dataclass(frozen=True)
class Relation:
    """A value that does not fit to another one."""

    path: tuple[str, ...]
    message: str
    allowed: str | None = None
    advice: str | None = None


RELATED = "related_values"


def refuse_related(relations: Sequence[Relation]) -> PydanticCustomError:
    """Raised inside the model; the loader finds the same relations itself, with their places."""
    what = "; ".join(f"{'.'.join(each.path)}: {each.message}" for each in relations)
    return PydanticCustomError(RELATED, "{what}", {"what": what})


def relation_problems(data: Mapping[str, Any]) -> list[Relation]:
    """Every relation that does not hold in the plain data of a platform."""
    checks = (
        _sizes,
        _requests,
        _option_sizes,
        _options_of_pods,
        _option_groups,
        _datasets,
        _built_in_tap,
        _demo_login,
        _prefix,
        _group_ids,
        _pods,
        _pod_network,
        _pod_homes,
        _pod_samples,
    )
    return [relation for check in checks for relation in check(data)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_block(host: str) -> str | None:
    """The network (CIDR) that is just this address; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return f"{address}/{address.max_prefixlen}"


def _get(data: object, *path: str) -> Any:
    for step in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(step)
    return data


def _sizes(data: Mapping[str, Any]) -> Iterator[Relation]:
    sizes, chosen = _get(data, "labs", "sizes"), _get(data, "labs", "default_size")
    if not isinstance(sizes, Mapping) or not sizes:
        sizes = {"small": {}}
    name = "small" if chosen is None else chosen
    if isinstance(name, str) and name not in sizes:
        what = "is not one of labs.sizes"
        if chosen is None:
            what = f"is missing, and its default {name!r} is not one of labs.sizes"
        yield Relation(("labs", "default_size"), what, ", ".join(map(str, sizes)))


def _requests(data: Mapping[str, Any]) -> Iterator[Relation]:
    sizes = _get(data, "labs", "sizes")
    for name, size in sizes.items() if isinstance(sizes, Mapping) else ():
        for kind, parse in (("cpu", parse_cpu), ("memory", parse_memory)):
            request, limit = _get(size, "requests", kind), _get(size, kind)
            try:
                above = parse(request) > parse(limit)
            except ValueError:
                continue
            if above:
                yield Relation(
                    ("labs", "sizes", str(name), "requests", kind),
                    f"requests.{kind} is above the size's own {kind}",
                    f"at most {limit}",
                )


def _effects(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """The effects of the platform's own options, with their places."""
    options = _get(data, "labs", "options")
    for name, option in options.items() if isinstance(options, Mapping) else ():
        here = ("labs", "options", str(name))
        for place, each in _with_choices(here, option):
            effect = _get(each, "effect")
            if isinstance(effect, Mapping):
                yield (*place, "effect"), effect


def _with_choices(
    here: tuple[str, ...], option: object
) -> Iterator[tuple[tuple[str, ...], object]]:
    """An option and its choices, with their places."""
    yield here, option
    choices = _get(option, "choices")
    for key, each in choices.items() if isinstance(choices, Mapping) else ():
        yield (*here, "choices", str(key)), each


def _option_sizes(data: Mapping[str, Any]) -> Iterator[Relation]:
    sizes = _get(data, "labs", "sizes")
    known = list(sizes) if isinstance(sizes, Mapping) and sizes else ["small"]
    for place, effect in _effects(data):
        size = effect.get("size")
        if isinstance(size, str) and size not in known:
            yield Relation((*place, "size"), "is not one of labs.sizes", ", ".join(known))


def _options_of_pods(data: Mapping[str, Any]) -> Iterator[Relation]:
    if _are_pods(data):
        return
    for place, effect in _effects(data):
        for key in OF_PODS:
            if effect.get(key):
                yield Relation(
                    (*place, key),
                    "is for labs that are pods, and labs.spawner is not kubernetes",
                    "size and environment",
                )


def _option_groups(data: Mapping[str, Any]) -> Iterator[Relation]:
    """Groups that the embedded source does not have; another source may know any."""
    if _get(data, "identity", "source") not in (None, "embedded"):
        return
    groups = _get(data, "identity", "groups")
    known = list(groups) if isinstance(groups, Mapping) else []
    options = _get(data, "labs", "options")
    for name, option in options.items() if isinstance(options, Mapping) else ():
        here = ("labs", "options", str(name))
        for place, each in _with_choices(here, option):
            named = _get(each, "groups")
            for group in named if isinstance(named, Sequence) else ():
                if isinstance(group, str) and group not in known:
                    yield Relation(
                        (*place, "groups"),
                        f"nobody is in {group!r}, which is none of identity.groups",
                        ", ".join(map(str, known)) or "nothing: there are no groups",
                    )


def _datasets(data: Mapping[str, Any]) -> Iterator[Relation]:
    datasets, default = _get(data, "datasets"), _get(data, "default_dataset")
    if not isinstance(datasets, Mapping):
        datasets = {}
    known = ", ".join(map(str, datasets)) or "nothing: there are no datasets"
    if isinstance(default, str) and default not in datasets:
        yield Relation(("default_dataset",), "is not one of the datasets", known)
    if default is None and len(datasets) > 1:
        yield Relation(
            ("default_dataset",), "is missing, and there is more than one data set", known
        )


def _built_in_tap(data: Mapping[str, Any]) -> Iterator[Relation]:
    services = _get(data, "services")
    if not isinstance(services, Mapping) or services.get("tap", {}) is not None:
        return
    datasets = _get(data, "datasets")
    for name in datasets if isinstance(datasets, Mapping) else ():
        if _get(datasets, name, "tap") == BUILT_IN:
            yield Relation(
                ("datasets", str(name), "tap"),
                "there is no built-in TAP service, because services.tap is null",
                "the URL of another TAP service",
                "take services.tap: null away, or name a URL",
            )


def _demo_login(data: Mapping[str, Any]) -> Iterator[Relation]:
    kind, host = _get(data, "hub", "login", "kind"), _get(data, "public", "host")
    if kind in (None, "demo") and isinstance(host, str) and not is_loopback(host):
        yield Relation(
            ("public", "host"),
            "with the demo login anybody with the password is anybody, so only this machine "
            "may reach it",
            "127.0.0.1, ::1 or localhost",
            "choose a loopback address",
        )


def _prefix(data: Mapping[str, Any]) -> Iterator[Relation]:
    url, prefix = _get(data, "public", "url"), _get(data, "public", "prefix")
    if not isinstance(url, str):
        return
    expected = prefix if isinstance(prefix, str) else "/"
    try:
        path = urlsplit(url).path
    except ValueError:
        return
    if path.rstrip("/") != expected.rstrip("/"):
        yield Relation(
            ("public", "url"),
            f"its path {path or '/'!r} is not public.prefix {expected!r}",
            f"an address whose path is {expected}",
            "give both the same path",
        )


def _group_ids(data: Mapping[str, Any]) -> Iterator[Relation]:
    if _get(data, "identity", "source") not in (None, "embedded"):
        return
    groups = _get(data, "identity", "groups")
    seen: dict[int, str] = {}
    for name in groups if isinstance(groups, Mapping) else ():
        gid = _get(groups, name, "gid")
        if not isinstance(gid, int) or isinstance(gid, bool):
            continue
        if gid in seen:
            yield Relation(
                ("identity", "groups", str(name), "gid"),
                f"the group {seen[gid]!r} has this GID already",
                "a GID that no other group has",
            )
        seen.setdefault(gid, str(name))


def _are_pods(data: Mapping[str, Any]) -> bool:
    return bool(_get(data, "labs", "spawner") == "kubernetes")


def _pods(data: Mapping[str, Any]) -> Iterator[Relation]:
    labs = _get(data, "labs", "kubernetes")
    if _are_pods(data) and labs is None:
        yield Relation(
            ("labs", "kubernetes"),
            "is missing, and labs.spawner is kubernetes",
            "a section with namespace, platform_host and images at least",
        )
    host = _get(labs, "platform_host")
    if isinstance(host, str) and is_loopback(host):
        yield Relation(
            ("labs", "kubernetes", "platform_host"),
            "is a loopback address, where each pod finds only itself",
            "an address of this machine that pods reach",
        )


def _pod_network(data: Mapping[str, Any]) -> Iterator[Relation]:
    labs = _get(data, "labs", "kubernetes")
    host, network = _get(labs, "platform_host"), _get(labs, "network")
    said = isinstance(labs, Mapping) and "network" in labs
    if not isinstance(host, str) or address_block(host) is not None or (said and network is None):
        return
    missing = [key for key in ("hub", "proxy") if _get(network, key) is None]
    if missing:
        yield Relation(
            ("labs", "kubernetes", "network"),
            f"does not say where {' and '.join(missing)} are, and platform_host is a name, "
            "which no NetworkPolicy can hold",
            "hub and proxy with pods or cidr (docs/kubernetes.md, Networks), or null",
        )


def _pod_homes(data: Mapping[str, Any]) -> Iterator[Relation]:
    homes = _get(data, "labs", "kubernetes", "homes")
    if _get(homes, "provisioner") is not None and _get(homes, "claim") is None:
        yield Relation(
            ("labs", "kubernetes", "homes", "provisioner"),
            "makes folders on a claim that all labs share, and homes.claim names none",
            advice="name the claim, or take the provisioner away: users' own claims need none",
        )
    layout = _get(data, "storage", "homes", "layout")
    if not _are_pods(data) and layout == "initial/username":
        yield Relation(("storage", "homes", "layout"), "is for labs that are pods only", "username")


def _pod_samples(data: Mapping[str, Any]) -> Iterator[Relation]:
    if not _are_pods(data) or _get(data, "labs", "kubernetes", "data") is not None:
        return
    datasets = _get(data, "datasets")
    for name in datasets if isinstance(datasets, Mapping) else ():
        if _get(datasets, name, "butler") == BUILT_IN:
            yield Relation(
                ("datasets", str(name), "butler"),
                "the built-in repository is on the hub's machine, and pods do not see it",
                "a path in labs, or the URL of a repository",
                "mount the platform's data folder with labs.kubernetes.data",
            )
