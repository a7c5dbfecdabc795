"""The objects of a lab as YAML for people, their secrets hidden (pure)."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable
from typing import Any, Protocol

import yaml

from despejado_spawner.pods.models import Manifest


class Objects(Protocol):
    """The objects of one start."""

    @property
    def pod(self) -> Manifest:
        """The pod, which is created after its dependents."""
        ...

    @property
    def dependents(self) -> tuple[Manifest, ...]:
        """What the pod needs and will own."""
        ...

    @property
    def home_job(self) -> Manifest | None:
        """The job that makes the home; None where no home must be made."""
        ...


def shown_objects(objects: Objects) -> tuple[Manifest, ...]:
    """All objects in the order of their creation; of a secret's values, the lengths in bytes."""
    found = [*objects.dependents, objects.pod]
    if objects.home_job is not None:
        found.append(objects.home_job)
    return tuple(_shown(each) if each["kind"] == "Secret" else each for each in found)


def write_yaml(documents: Iterable[object], width: int = 10**6) -> str:
    """One stream of YAML documents, files in it as blocks of lines."""
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width
    )


def _shown(secret: Manifest) -> Manifest:
    shown = copy.deepcopy(secret)
    values = {name: base64.b64decode(text) for name, text in shown.pop("data", {}).items()}
    shown["stringData"] = {name: f"<hidden, {len(value)} bytes>" for name, value in values.items()}
    return shown


class _Dumper(yaml.SafeDumper):
    """Files as blocks of lines, and no anchors: two equal lists are two lists."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
