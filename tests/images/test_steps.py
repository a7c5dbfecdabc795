"""Which links an image has, and what makes one of them new."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from despejado_images.containers.models import BuildStep, EnvironmentSpec, Target
from despejado_images.containers.steps import (
    base_step,
    image_labels,
    lab_base_step,
    lab_ui_step,
    last_step,
)

from tests.images.builds import CREATED, another, environment, texts

LAB = Target("lab", "w_2026_43", "despejado/lab", "lab")
UI = replace(
    environment("ui", "b" * 64, jupyterlab="4.6.6", jupyterhub="6.1.1", tornado="6.6"),
    prefix="/opt/despejado/ui",
)


def chain(
    sources: dict[str, str] | None = None,
    ui: EnvironmentSpec = UI,
    stack: EnvironmentSpec | None = None,
    debian: str = "debian-1",
) -> list[BuildStep]:
    sources = texts() if sources is None else sources
    base = base_step(sources, debian)
    lab_base = lab_base_step(sources, base)
    lab_ui = lab_ui_step(sources, lab_base, ui)
    spec = environment() if stack is None else stack
    return [base, lab_base, lab_ui, last_step(sources, LAB, lab_ui, spec, {"a": "1"})]


def changed(one: list[BuildStep], other: list[BuildStep]) -> list[str]:
    pairs = zip(one, other, strict=True)
    return [before.name for before, after in pairs if before.key != after.key]


def test_each_link_is_made_from_the_one_before() -> None:
    steps = chain()
    assert [step.name for step in steps] == ["base", "lab-base", "lab-ui", "lab"]
    assert steps[0].parent == "docker.io/library/debian:trixie-slim"
    for before, after in pairwise(steps):
        assert after.parent == before.reference
        assert before.reference == f"localhost/despejado/{before.name}:{before.key[:12]}"


def test_another_week_changes_the_last_layer_only() -> None:
    assert changed(chain(), chain(stack=another(environment(), "c"))) == ["lab"]


def test_a_new_client_or_extension_keeps_what_is_below_it() -> None:
    assert changed(chain(), chain(ui=another(UI, "c"))) == ["lab-ui", "lab"]


def test_another_debian_changes_all() -> None:
    assert len(changed(chain(), chain(debian="debian-2"))) == 4


def test_each_file_of_images_counts_where_it_is_used() -> None:
    def with_change(name: str) -> list[str]:
        return changed(chain(), chain({**texts(), name: "changed\n"}))

    assert with_change("base/Containerfile") == ["base", "lab-base", "lab-ui", "lab"]
    assert with_change("lab/base.Containerfile") == ["lab-base", "lab-ui", "lab"]
    assert with_change("lab/lab") == ["lab-base", "lab-ui", "lab"]
    assert with_change("lab/ui.Containerfile") == ["lab-ui", "lab"]
    assert with_change("install.py") == ["lab-ui", "lab"]
    assert with_change("lab/stack.Containerfile") == ["lab"]
    assert with_change("lab/smoke.py") == []


def test_when_it_was_made_does_not_make_an_image_another() -> None:
    spec = environment()
    later = replace(spec, manifest={**spec.manifest, "created": "2027-01-01T00:00:00+00:00"})
    assert changed(chain(), chain(stack=later)) == []


def test_an_image_is_a_candidate_until_it_is_tested() -> None:
    last = chain()[-1]
    assert last.reference == "localhost/despejado/lab:w_2026_43-candidate-0"
    assert last.labels == {"a": "1", "dev.despejado.content": last.key}


def test_labels_of_a_lab_image(golden: Callable[[str, str], None]) -> None:
    labels = image_labels(
        LAB, environment(), ui=UI, python="3.13.5", created=CREATED, revision="0123abc-dirty"
    )
    golden("labels.json", json.dumps(labels, indent=1, sort_keys=True) + "\n")


def test_only_lab_images_have_the_launcher_and_no_commit_is_no_label() -> None:
    hub = Target("hub", "0.1.0", "despejado/hub", "hub")
    labels = image_labels(
        hub, environment(), ui=None, python="3.13.5", created=CREATED, revision=None
    )
    assert "dev.despejado.launcher" not in labels
    assert "org.opencontainers.image.revision" not in labels
    assert json.loads(labels["dev.despejado.versions"])["astropy"] == "7.1.0"
