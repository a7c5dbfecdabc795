"""What the parts of the platform get, derived from its one file. Pure: no I/O.

Every address is composed here and nowhere else.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from despejado_images.menu import MenuPolicy
from despejado_spawner.models import Size

from despejado_hub.runtime import Runtime

from .model import Dataset, Platform
from .types import BUILT_IN

LATEST_WEEKLY = "latest-weekly"


def url_host(host: str) -> str:
    """A host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def public_url(platform: Platform, runtime: Runtime) -> str:
    """The address that people type, with a slash at the end."""
    if platform.public.url is not None:
        return platform.public.url.rstrip("/") + "/"
    host = url_host(platform.public.host)
    return f"http://{host}:{runtime.port}{platform.public.prefix}"


def _lab_url(platform: Platform, runtime: Runtime, host: str) -> str:
    if platform.public.url is not None:
        return public_url(platform, runtime)
    return f"http://{url_host(host)}:{runtime.port}{platform.public.prefix}"


def hub_url(platform: Platform, runtime: Runtime) -> str:
    """The hub's pages, as a lab reaches them; with a slash at the end."""
    return _lab_url(platform, runtime, runtime.hub_host) + "hub/"


def hub_api_url(platform: Platform, runtime: Runtime) -> str:
    """The hub's REST API, as processes of this machine reach it without the proxy."""
    host = url_host(runtime.hub_host)
    return f"http://{host}:{runtime.hub_port}{platform.public.prefix}hub/api"


def tap_prefix(platform: Platform) -> str:
    """The URL path of the platform's own TAP service, as JupyterHub routes it."""
    return f"{platform.public.prefix}services/tap"


def tap_url(platform: Platform, runtime: Runtime) -> str:
    """The platform's own TAP service, as a lab reaches it."""
    return _lab_url(platform, runtime, runtime.service_host) + "services/tap"


def public_tap_url(platform: Platform, runtime: Runtime) -> str:
    """The platform's own TAP service, as people outside a lab reach it."""
    return public_url(platform, runtime) + "services/tap"


def tap_service_url(runtime: Runtime) -> str:
    """Where the TAP service itself listens: the address that the proxy forwards to."""
    return f"http://127.0.0.1:{runtime.tap_port}"


def sample_repository(runtime: Runtime) -> str:
    """The built-in Butler repository, as labs see it."""
    if not runtime.data_in_labs:
        return str(runtime.sample_repository)
    inside = runtime.sample_repository.relative_to(runtime.data)
    return f"{runtime.data_in_labs}/{inside}"


def dataset_repository(dataset: Dataset, runtime: Runtime) -> str | None:
    """The Butler repository of a data set: a path or a URL."""
    if dataset.butler == BUILT_IN:
        return sample_repository(runtime)
    return dataset.butler


def discovery_document(platform: Platform, runtime: Runtime) -> dict[str, Any]:
    """``discovery/v1.json`` of a lab (docs/developers.md, "A lab")."""
    return _discovery(platform, runtime, tap_url(platform, runtime), hub_url(platform, runtime))


def public_discovery_document(platform: Platform, runtime: Runtime) -> dict[str, Any]:
    """The same for people outside a lab: with the addresses that they reach."""
    hub = public_url(platform, runtime) + "hub/"
    return _discovery(platform, runtime, public_tap_url(platform, runtime), hub)


def _discovery(platform: Platform, runtime: Runtime, tap: str, hub: str) -> dict[str, Any]:
    datasets: dict[str, Any] = {}
    external: dict[str, Any] = {}
    for name, dataset in platform.datasets.items():
        entry: dict[str, Any] = {}
        repository = dataset_repository(dataset, runtime)
        if repository is not None:
            entry["butler_config"] = repository
        entry["services"] = {}
        if dataset.tap == BUILT_IN:
            entry["services"]["tap"] = {"url": tap}
        elif dataset.tap is not None:
            # Clients send the platform's token to whatever stands under "services": another
            # archive's address must not stand there.
            external[name] = {"tap": {"url": dataset.tap}}
        datasets[name] = entry
    return {
        "datasets": datasets,
        "services": {"internal": {}},
        "influxdb_databases": {},
        "despejado": {
            "hub_url": hub,
            "default_dataset": platform.first_dataset,
            "external_services": external,
            "firefly_url": None if platform.firefly is None else platform.firefly.url,
        },
    }


def tap_service_config(platform: Platform, runtime: Runtime) -> dict[str, Any]:
    """What ``python -m despejado_services --config FILE`` reads (docs/developers.md).

    Raises ValueError for a platform that runs no TAP service of its own.
    """
    tap = platform.services.tap
    if tap is None:
        raise ValueError("services.tap is null: this platform runs no TAP service")
    return {
        "host": "127.0.0.1",
        "port": runtime.tap_port,
        "prefix": tap_prefix(platform),
        "state": str(runtime.state / "services" / "tap"),
        "data": str(runtime.data),
        "hub_api_url": hub_api_url(platform, runtime),
        "service_token_file": str(runtime.tap_token_file),
        "scope": tap.scope,
        "public_url": public_tap_url(platform, runtime),
        "limits": {
            "maxrec": tap.limits.maxrec,
            "execution_seconds": tap.limits.execution,
            "jobs_per_user": tap.limits.jobs_per_user,
            "result_retention_seconds": tap.limits.result_retention,
        },
    }


def lab_sizes(platform: Platform) -> tuple[Size, ...]:
    """The sizes on the menu, in the order of the file."""
    return tuple(
        Size(
            name=name,
            cpu=size.cpu,
            memory=size.memory,
            cpu_guarantee=size.requests.cpu,
            memory_guarantee=size.requests.memory,
        )
        for name, size in platform.labs.sizes.items()
    )


def spawner_sizes(platform: Platform) -> dict[str, dict[str, Any]]:
    """The same as the spawners' trait ``sizes``: by name, without what is not said."""
    return {
        size.name: {
            name: value
            for name, value in dataclasses.asdict(size).items()
            if name != "name" and value is not None
        }
        for size in lab_sizes(platform)
    }


def data_scopes(platform: Platform) -> dict[str, str]:
    """The scopes of data services, with what they allow in words for the consent page."""
    tap = platform.services.tap
    return {} if tap is None else {tap.scope: "Query the tables of the TAP service"}


def activity_interval(idle_after: float | None) -> int:
    """How often, in seconds, labs report activity: often enough for the culler, at most hourly.

    The hub writes each report to its database; at scale hourly reports are what it can take.
    """
    return 3600 if idle_after is None else int(min(3600, max(30, idle_after / 4)))


def menu_policy(platform: Platform) -> MenuPolicy:
    """What the menu of environments offers."""
    images = platform.labs.images
    recommended = None if images.recommended == LATEST_WEEKLY else images.recommended
    return MenuPolicy(
        recommended=recommended,
        weeklies=images.weeklies,
        releases=images.releases,
        candidates=images.candidates,
        dailies=images.dailies,
        cycle=images.cycle,
        architectures=images.architectures,
        aliases=images.aliases,
    )
