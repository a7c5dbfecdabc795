"""What a build does and does not do again, with an engine that remembers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from despejado_images.containers import builder as building
from despejado_images.containers.builder import ImageBuilder
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import DEBIAN, BuiltImage, ImageProgress, ImageRecord
from despejado_images.environments import UnknownTagError
from despejado_images.environments.layout import Layout
from despejado_images.environments.models import Catalogue
from despejado_images.environments.recipe import Recipe
from despejado_images.environments.records import now, write_catalogue

from tests.images.builds import IMAGES, FakeEngine, environment

Build = Callable[..., BuiltImage]


class FakeResolver:
    """Decides without asking an index; ``versions`` says what is inside which tag."""

    versions: ClassVar[dict[str, str]] = {}

    def __init__(self, *_: Any) -> None: ...

    def decide(self, recipe: Recipe, prefix: str, *_: Any, **extras: Any) -> Any:
        version = self.versions.get(recipe.tag, recipe.tag)
        spec = environment(recipe.tag, digest=version.encode().hex())
        return replace(spec, prefix=prefix, **extras)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(building, "find_engine", lambda *_: engine)
    monkeypatch.setattr(building, "Resolver", FakeResolver)
    monkeypatch.setattr(FakeResolver, "versions", {})
    return engine


@pytest.fixture
def said() -> list[ImageProgress]:
    return []


@pytest.fixture
def build(tmp_path: Path, engine: FakeEngine, said: list[ImageProgress]) -> Build:
    layout = Layout(tmp_path / "environments")
    layout.make()
    tags = {"w_2026_43": "30.2026.4300", "w_2026_42": "30.2026.4200", "r30_0_11": "30.0.11"}
    write_catalogue(layout, Catalogue(tags=tags, checked=now()))

    def run(name: str, **options: Any) -> BuiltImage:
        engine.done.clear()
        said.clear()
        return ImageBuilder(tmp_path, said.append, folder=IMAGES, **options).build(name)

    return run


def test_a_first_image_makes_every_link_and_is_tested(build: Build, engine: FakeEngine) -> None:
    image = build("w_2026_43")
    assert engine.asked("build") == ["base", "lab-base", "lab-ui", "lab"]
    verb, candidate = engine.done[-1]
    assert verb == "smoke"
    assert candidate.startswith("localhost/despejado/lab:w_2026_43-candidate-")
    assert image.reference == "localhost/despejado/lab:w_2026_43"
    assert image.reference in engine.images
    assert not [name for name in engine.images if "candidate" in name]


def test_the_next_week_makes_the_last_layer_only(build: Build, engine: FakeEngine) -> None:
    one = build("w_2026_43")
    other = build("w_2026_42")
    assert engine.asked("build") == ["lab"]
    assert one.layers[:-1] == other.layers[:-1] and one.layers[-1] != other.layers[-1]


def test_what_is_up_to_date_is_neither_made_nor_tested_again(
    build: Build, engine: FakeEngine, said: list[ImageProgress]
) -> None:
    build("w_2026_43")
    build("w_2026_43")
    assert engine.done == []
    assert said[-1].phase == "ready"


def test_new_software_replaces_an_image_and_the_old_one_goes(
    build: Build, engine: FakeEngine
) -> None:
    old = build("w_2026_43").content
    FakeResolver.versions["w_2026_43"] = "patched"
    assert build("w_2026_43").content != old
    assert ("forget", old) in engine.done


def test_an_image_that_fails_its_test_gets_no_name_and_is_not_pushed(
    build: Build, engine: FakeEngine
) -> None:
    engine.smoke_problem = "node is on PATH"
    with pytest.raises(ImageBuildError, match="The image does not work: node is on PATH"):
        build("w_2026_43", registry="127.0.0.1:5000")
    assert not [name for name in engine.images if "lab:" in name]
    assert engine.asked("push") == []
    engine.smoke_problem = None
    build("w_2026_43")
    assert engine.asked("build") == ["lab"], "the failed one was taken as up to date"


def test_a_broken_new_build_leaves_the_last_good_image(build: Build, engine: FakeEngine) -> None:
    good = build("w_2026_43").content
    FakeResolver.versions["w_2026_43"] = "broken"
    engine.smoke_problem = "a kernel cannot import its software"
    with pytest.raises(ImageBuildError):
        build("w_2026_43")
    assert engine.images["localhost/despejado/lab:w_2026_43"].id == good


def test_a_push_takes_the_shared_layers_along(build: Build, engine: FakeEngine) -> None:
    image = build("w_2026_43", registry="registry.example.org/team")
    assert engine.asked("push") == ["base", "lab-base", "lab-ui", "lab"]
    assert image.pushed == "registry.example.org/team/lab:w_2026_43"
    assert image.digest == f"sha256:{'d' * 64}"


def test_another_machine_uses_the_layers_that_were_pushed(build: Build, engine: FakeEngine) -> None:
    first = build("w_2026_43", registry="registry.example.org")
    engine.images = {DEBIAN: engine.images[DEBIAN]}
    second = build("w_2026_42", registry="registry.example.org")
    assert engine.asked("build") == ["lab"]
    assert first.layers[:-1] == second.layers[:-1]


def test_a_pushed_layer_with_other_content_is_not_believed(
    build: Build, engine: FakeEngine
) -> None:
    build("w_2026_43", registry="registry.example.org")
    engine.images = {DEBIAN: engine.images[DEBIAN]}
    engine.remote = {
        name: replace(record, labels={"dev.despejado.content": "0" * 64})
        for name, record in engine.remote.items()
    }
    build("w_2026_43", registry="registry.example.org")
    assert engine.asked("build") == ["base", "lab-base", "lab-ui", "lab"]


def test_old_shared_layers_do_not_pile_up(build: Build, engine: FakeEngine) -> None:
    built = []
    for number in range(8):
        FakeResolver.versions["ui"] = f"extension {number}"
        built.append(build("w_2026_43"))
    links = [name for name in engine.images if "/lab-ui:" in name]
    assert len(links) == 4
    assert any(engine.images[link].layers == built[-1].layers[:-1] for link in links)


def test_parts_of_the_platform_are_two_layers_above_debian(
    build: Build, engine: FakeEngine
) -> None:
    image = build("hub")
    assert engine.asked("build") == ["base", "hub"]
    assert image.kind == "hub" and len(image.layers) == 3


def test_fresh_takes_newer_debian_packages(build: Build, engine: FakeEngine) -> None:
    build("w_2026_43")
    build("w_2026_43", fresh=True)
    assert engine.done[0] == ("pull", DEBIAN)
    assert engine.asked("build") == ["base", "lab-base", "lab-ui", "lab"]


def test_without_debian_one_reads_what_to_do(build: Build, engine: FakeEngine) -> None:
    del engine.images[DEBIAN]
    with pytest.raises(ImageBuildError, match=r"docs/images\.md, 'Without Docker Hub'"):
        build("w_2026_43")


def test_debian_is_pulled_where_it_can_be(build: Build, engine: FakeEngine) -> None:
    engine.remote[DEBIAN] = engine.images.pop(DEBIAN)
    build("hub")
    assert engine.done[0] == ("pull", DEBIAN)


def test_another_python_in_debian_is_noticed_before_anything_is_installed(
    build: Build, engine: FakeEngine
) -> None:
    engine.python = "3.14.0"
    with pytest.raises(ImageBuildError, match=r"has Python 3\.14\.0, where 3\.13 is expected"):
        build("w_2026_43")
    assert engine.asked("build") == ["base"]


def test_a_wrong_registry_is_told_before_an_hour_of_building(
    build: Build, engine: FakeEngine
) -> None:
    with pytest.raises(ImageBuildError, match="is no registry"):
        build("w_2026_43", registry="https://registry.example.org")
    assert engine.done == []


@pytest.mark.parametrize("name", ["nonsense", "d_2026_10_22", "w_2026_43-amd64", "../x", ""])
def test_what_cannot_be_built_is_refused(build: Build, name: str) -> None:
    with pytest.raises(UnknownTagError):
        build(name)


def test_the_server_s_environment_is_no_image(build: Build) -> None:
    with pytest.raises(ImageBuildError, match="part of every lab image"):
        build("ui")


def test_every_step_is_told_and_the_next_time_how_long_it_takes(
    build: Build, said: list[ImageProgress]
) -> None:
    build("w_2026_43", registry="127.0.0.1:5000")
    messages = [step.message for step in said if not step.detail]
    assert messages == [
        "Looking for Debian",
        "Building base",
        "Choosing versions",
        "Building lab-base",
        "Building lab-ui",
        "Building lab",
        "Testing the image as an unknown user",
        "Pushing 127.0.0.1:5000/despejado/lab:w_2026_43",
        "localhost/despejado/lab:w_2026_43 is ready",
    ]
    assert [step.step for step in said] == sorted(step.step for step in said)
    assert said[-1].step == said[-1].steps
    assert any(step.detail for step in said), "what the tools say is passed on"
    build("w_2026_42", registry="127.0.0.1:5000")
    (layer,) = [step for step in said if step.message == "Building lab" and not step.detail]
    assert layer.expected_seconds is not None


def test_nothing_of_a_build_is_left_beside_its_image(
    build: Build, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.smoke_problem = "broken"
    with pytest.raises(ImageBuildError):
        build("w_2026_43")
    folders = [path for path in (tmp_path / "images" / "building").iterdir() if path.is_dir()]
    assert folders == []
    assert list((tmp_path / "images" / "progress").glob("*.json")) == []


def test_two_builds_at_a_time_make_a_shared_layer_once(
    build: Build, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on, waits = threading.Event(), threading.Event(), threading.Event()
    ordinary = engine.build

    def slow(step: Any, *rest: Any) -> None:
        if step.name == "base":
            reached.set()
            assert go_on.wait(30)
        ordinary(step, *rest)

    def second_says(progress: ImageProgress) -> None:
        if f"Process {os.getpid()} is building the same" in progress.message:
            waits.set()

    monkeypatch.setattr(engine, "build", slow)
    second = ImageBuilder(tmp_path, second_says, folder=IMAGES)
    with ThreadPoolExecutor() as pool:
        one = pool.submit(build, "w_2026_43")
        assert reached.wait(30)
        other = pool.submit(second.build, "w_2026_42")
        assert waits.wait(30)
        go_on.set()
        assert one.result(30).layers[:-1] == other.result(30).layers[:-1]
    assert sorted(engine.asked("build")) == ["base", "lab", "lab", "lab-base", "lab-ui"]


def test_what_is_pushed_is_what_was_tested_whoever_takes_the_name(
    build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = engine.tag

    def tag(reference: str, name: str) -> None:
        ordinary(reference, name)
        if name.endswith("lab:w_2026_43"):  # another state folder's build of this tag
            built = engine.images[name]
            engine.images["another-name"] = built
            engine.images[name] = replace(built, id="foreign", labels={})

    monkeypatch.setattr(engine, "tag", tag)
    image = build("w_2026_43", registry="registry.example.org")
    assert image.pushed is not None
    assert engine.remote[image.pushed].id == image.content


def test_an_image_of_that_name_from_elsewhere_is_replaced(build: Build, engine: FakeEngine) -> None:
    engine.images["localhost/despejado/lab:w_2026_43"] = ImageRecord("foreign", {}, (), 1)
    build("w_2026_43")
    assert "lab" in engine.asked("build")
