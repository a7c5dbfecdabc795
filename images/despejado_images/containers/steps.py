"""The chain of images behind one: base, what all labs share, the UI, the stack. Pure.

Each link has a key over everything that decides its content, and is made anew only if there is no
image with that key. So all weeklies share every layer but the last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from despejado_images.containers.models import (
    DEBIAN,
    BuildStep,
    EnvironmentSpec,
    ImageKind,
    Target,
)
from despejado_images.containers.names import local_reference

NAMESPACE = "dev.despejado"
CONTENT_LABEL = f"{NAMESPACE}.content"
LAUNCHER_LABEL = f"{NAMESPACE}.launcher"
VERSIONS_LABEL = f"{NAMESPACE}.versions"
DIGEST_LABEL = f"{NAMESPACE}.digest"
KIND_LABEL = f"{NAMESPACE}.kind"
TAG_LABEL = f"{NAMESPACE}.tag"
PYTHON_LABEL = f"{NAMESPACE}.python"
UI_LABEL = f"{NAMESPACE}.ui"
_OCI = "org.opencontainers.image"
_UI_SHOWN = ("jupyterlab", "jupyterhub", "jupyter-server", "despejado-lab")
CANDIDATE = "candidate"
"""Part of the name that an image has until its smoke test has passed."""

BASE_FILE = "base/Containerfile"
LAB_BASE_FILE = "lab/base.Containerfile"
LAB_UI_FILE = "lab/ui.Containerfile"
LAB_STACK_FILE = "lab/stack.Containerfile"
LAB_COMMAND_FILE = "lab/lab"
INSTALL_FILE = "install.py"

Sources = Mapping[str, str]
"""Files of the folder ``images/`` by their path in it."""


def source_files(kind: ImageKind, folder: str) -> tuple[str, ...]:
    """The files of ``images/`` that an image is made from."""
    if kind == "lab":
        own: tuple[str, ...] = (LAB_BASE_FILE, LAB_UI_FILE, LAB_STACK_FILE, LAB_COMMAND_FILE)
    else:
        own = (f"{folder}/Containerfile",)
    return (BASE_FILE, INSTALL_FILE, *own, f"{folder}/smoke.py")


def base_step(sources: Sources, debian: str, salt: str = "") -> BuildStep:
    """Debian with Python. ``debian`` is the id of its image; ``salt`` forces another base."""
    return _link("base", "despejado/base", DEBIAN, f"{debian}{salt}", sources, BASE_FILE)


def lab_base_step(sources: Sources, base: BuildStep) -> BuildStep:
    """What every lab has beside its environments."""
    return _link(
        "lab-base",
        "despejado/lab-base",
        base.reference,
        base.key,
        sources,
        LAB_BASE_FILE,
        files={"lab": sources[LAB_COMMAND_FILE]},
    )


def lab_ui_step(sources: Sources, parent: BuildStep, ui: EnvironmentSpec) -> BuildStep:
    """The environment of the server."""
    return _link(
        "lab-ui",
        "despejado/lab-ui",
        parent.reference,
        parent.key,
        sources,
        LAB_UI_FILE,
        environment=ui,
    )


def last_step(
    sources: Sources,
    target: Target,
    parent: BuildStep,
    environment: EnvironmentSpec,
    labels: Mapping[str, str],
    build: str = "0",
) -> BuildStep:
    """The image that was asked for, under the name of a candidate.

    ``build`` keeps apart two builds of one tag from different state folders.
    """
    file = LAB_STACK_FILE if target.kind == "lab" else f"{target.folder}/Containerfile"
    step = _link(
        target.kind,
        target.repository,
        parent.reference,
        parent.key,
        sources,
        file,
        environment=environment,
    )
    return replace(
        step,
        reference=local_reference(target.repository, f"{target.tag}-{CANDIDATE}-{build}"),
        labels={**labels, CONTENT_LABEL: step.key},
    )


def _link(
    name: str,
    repository: str,
    parent: str,
    parent_key: str,
    sources: Sources,
    file: str,
    *,
    environment: EnvironmentSpec | None = None,
    files: Mapping[str, str] | None = None,
) -> BuildStep:
    texts = dict(files or {})
    parts: list[object] = [parent_key, sources[file]]
    if environment is not None:
        texts["install.py"] = sources[INSTALL_FILE]
        parts += [
            environment.prefix,
            environment.digest,
            {path: dict(content) for path, content in environment.files.items()},
            dict(environment.links),
            list(environment.without),
        ]
    parts.append(texts)
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return BuildStep(
        name=name,
        reference=local_reference(repository, key[:12]),
        parent=parent,
        containerfile=sources[file],
        key=key,
        labels={CONTENT_LABEL: key},
        environment=environment,
        files=texts,
    )


def image_labels(
    target: Target,
    environment: EnvironmentSpec,
    *,
    ui: EnvironmentSpec | None,
    python: str,
    created: datetime,
    revision: str | None,
) -> dict[str, str]:
    """The labels of a finished image: OCI's pre-defined keys, and what the menu shows.

    ``dev.despejado.versions`` is JSON, as in ``image.json``.
    """
    manifest = environment.manifest
    versions = manifest["versions"]
    labels = {
        f"{_OCI}.title": str(manifest["title"]),
        f"{_OCI}.created": created.isoformat(timespec="seconds"),
        f"{_OCI}.version": target.tag,
        f"{_OCI}.base.name": DEBIAN,
        KIND_LABEL: target.kind,
        TAG_LABEL: target.tag,
        DIGEST_LABEL: environment.digest,
        PYTHON_LABEL: python,
        VERSIONS_LABEL: json.dumps(versions, sort_keys=True, separators=(",", ":")),
    }
    if revision is not None:
        labels[f"{_OCI}.revision"] = revision
    if ui is not None:
        inside = ui.manifest["versions"]
        shown = {name: inside[name] for name in _UI_SHOWN if name in inside}
        labels[UI_LABEL] = json.dumps(shown, sort_keys=True, separators=(",", ":"))
        labels[LAUNCHER_LABEL] = "true"
    return labels
