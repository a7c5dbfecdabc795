"""Put a subclass in KubeSpawner's place before the suite imports it, and write down outcomes.

Loaded by pytest in the suite's own environment, so it imports nothing of the tests here.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import kubespawner
import kubespawner.spawner

RANK = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
found: dict[str, dict[str, str]] = {}

if os.environ.get("COMPAT_CLASS"):
    module, _, name = os.environ["COMPAT_CLASS"].partition(":")
    # Its configuration sections stay those of KubeSpawner, of which it is a subclass.
    kubespawner.KubeSpawner = getattr(importlib.import_module(module), name)
    kubespawner.spawner.KubeSpawner = kubespawner.KubeSpawner


def pytest_runtest_logreport(report: Any) -> None:
    """The worst of setup, call and teardown counts."""
    outcome = report.outcome
    if outcome == "failed" and report.when != "call":
        outcome = "error"
    before = found.get(report.nodeid, {"outcome": "passed"})
    if report.when == "setup" or RANK[outcome] > RANK[before["outcome"]]:
        found[report.nodeid] = {"outcome": outcome, "reason": reason_of(report.longrepr)}


def reason_of(text: Any) -> str:
    """One line of why a test failed or was skipped."""
    if isinstance(text, tuple):
        return str(text[-1])
    crash = getattr(text, "reprcrash", None)
    lines = str(crash.message if crash else text or "").strip().splitlines()
    return lines[0] if lines else ""


def pytest_sessionfinish() -> None:
    Path(os.environ["COMPAT_OUTCOMES"]).write_text(json.dumps(found))
