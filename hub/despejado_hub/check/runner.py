"""Run all checks of a platform at once, each within its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ..config.model import Platform
from ..identity import source_of
from ..labs import labs_of
from ..labs.interface import Check
from . import datasets, folders, network, secrets
from .result import Result

PATIENCE = 10.0
"""Seconds that a check may take; a file system or a service that hangs is a finding."""


def check_platform(platform: Platform, state: Path, port: int | None = None) -> list[Result]:
    """The results of all checks of a platform whose state folder is ``state``, in a fixed order.

    ``port`` is what would be listened on, where it is not the file's. Takes ``PATIENCE`` at most.
    """
    return run_checks(checks_of(platform, state, port or platform.public.port), PATIENCE)


def checks_of(platform: Platform, state: Path, port: int) -> dict[str, Check]:
    """Every check by name."""
    checks: dict[str, Check] = {
        "state folder": partial(folders.check_state, state),
        "space": partial(folders.check_space, state),
        "address": partial(network.check_port, platform.public.host, port),
        "secrets": partial(secrets.check_secrets, platform),
        "identity": source_of(platform, state).check,
    }
    labs = labs_of(platform)
    missing = labs.missing()
    if missing is None:
        checks |= labs.checks(state, port)
    else:
        checks["labs"] = lambda: [Result("labs", "fail", missing.what, missing.install)]
    for name, dataset in platform.datasets.items():
        checks[f"dataset {name}"] = partial(
            datasets.check_dataset, name, dataset, state, in_labs=labs.see_other_files
        )
    if platform.firefly is not None:
        checks["firefly"] = partial(network.check_firefly, platform.firefly.url)
    return checks


def run_checks(checks: Mapping[str, Check], patience: float) -> list[Result]:
    """Run checks side by side; one that does not end in time fails.

    Checks run in daemon threads: a call into a hanging file system cannot be interrupted, and
    must not keep the command from ending either.
    """
    found: dict[str, list[Result]] = {}
    crashed: dict[str, str] = {}

    def note_crash(details: threading.ExceptHookArgs) -> None:
        if details.thread is not None:
            crashed[details.thread.name] = f"{details.exc_type.__name__}: {details.exc_value}"

    def run(name: str, check: Check) -> None:
        found[name] = list(check())

    threads = [
        threading.Thread(target=run, args=item, name=item[0], daemon=True)
        for item in checks.items()
    ]
    hook, threading.excepthook = threading.excepthook, note_crash
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    finally:
        threading.excepthook = hook
    results: list[Result] = []
    for name in checks:
        results += found.get(name) or [_without_answer(name, crashed.get(name), patience)]
    return results


def _without_answer(name: str, crash: str | None, patience: float) -> Result:
    if crash is not None:
        return Result(
            name, "fail", f"this check itself broke ({crash})", "please report this as a bug"
        )
    return Result(
        name,
        "fail",
        f"no answer within {patience:g} s",
        "see whether the file system or service behind it hangs",
    )
