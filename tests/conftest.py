"""What all tests share: golden files, and tiers that say what they need."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.side_by_side import SideBySide, arranged

OWN_CLUSTER = Path("/var/lib/despejado-cluster/kubeconfig")
"""Where ``make cluster`` leaves its kubeconfig (tests/cluster/harness/layout.py)."""
REQUIRED = frozenset(filter(None, os.environ.get("DESPEJADO_REQUIRE", "").split(",")))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden files; review the diff"
    )


def pytest_configure() -> None:
    """Tests, and the programs that they start, find the cluster by KUBECONFIG."""
    if OWN_CLUSTER.exists():
        os.environ.setdefault("KUBECONFIG", str(OWN_CLUSTER))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, for -n 2
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide:
    config.option.loadscopereorder = False  # the cluster's tests come first and take longest
    return SideBySide(config, log)


def missing(tier: str, reason: str) -> NoReturn:
    """Skip a test for something that its tier needs besides, or fail it where that is required."""
    if tier in REQUIRED:
        pytest.fail(f"required tier cannot run: {reason}")
    pytest.skip(f"{tier}: {reason}")


def _why_not(marker: str) -> str | None:
    """What is missing for a tier and what would enable it, or None if it can run."""
    if marker == "browser" and not (shutil.which("chromium") or shutil.which("chromium-browser")):
        return "Chromium is not installed (Debian: apt-get install chromium)"
    if marker == "cluster" and not os.environ.get("KUBECONFIG"):
        return "no Kubernetes cluster (make cluster brings one up; or set KUBECONFIG)"
    if marker == "network" and os.environ.get("DESPEJADO_OFFLINE"):
        return "DESPEJADO_OFFLINE is set (needs PyPI)"
    if marker == "root" and os.geteuid() != 0:
        return "needs to be root (labs under other UIDs)"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in ("browser", "cluster", "network", "root"):
            if item.get_closest_marker(name) is None:
                continue
            reason = _why_not(name)
            if reason is None:
                continue
            if name in REQUIRED:
                item.add_marker(pytest.mark.usefixtures("_missing_tier"))
                item.user_properties.append(("missing_tier", f"{name}: {reason}"))
            else:
                item.add_marker(pytest.mark.skip(reason=f"{name}: {reason}"))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = arranged(items)


@pytest.fixture
def _missing_tier(request: pytest.FixtureRequest) -> None:
    reasons = [value for key, value in request.node.user_properties if key == "missing_tier"]
    pytest.fail("required tier cannot run: " + "; ".join(reasons))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with ``data/<name>`` beside the test; ``--update-golden`` rewrites it."""

    def check(name: str, text: str) -> None:
        path = Path(request.path).parent / "data" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path.name} is missing: run pytest --update-golden and review it"
        assert text == path.read_text()

    return check


@pytest.fixture
def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
