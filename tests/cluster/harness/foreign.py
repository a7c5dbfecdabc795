"""A cluster that somebody else made, named by KUBECONFIG."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import Layout


def named(layout: Layout) -> Path | None:
    """The kubeconfig that KUBECONFIG names, unless that is our own cluster's."""
    value = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    if not value or Path(value).resolve() == layout.kubeconfig.resolve():
        return None
    return Path(value)


def server_of(kubeconfig: Path) -> str:
    """The address of the current context's API server."""
    try:
        raw = yaml.safe_load(kubeconfig.read_text())
        context = next(it for it in raw["contexts"] if it["name"] == raw["current-context"])
        name = context["context"]["cluster"]
        cluster = next(it for it in raw["clusters"] if it["name"] == name)
        return str(cluster["cluster"]["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise HarnessError(f"KUBECONFIG={kubeconfig} names no cluster ({error!r})") from error


def responds(server: str) -> bool:
    """Whether an API server is there; a refusal to talk to strangers is an answer, too."""
    trusting = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(f"{server}/version", timeout=5, context=trusting):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False


def host_of(server: str) -> str:
    return urllib.parse.urlsplit(server).hostname or ""
