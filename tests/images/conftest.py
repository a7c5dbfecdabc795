"""Real images: an engine that builds them here, and a registry of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from despejado_images.containers import BuiltImage, ImageBuilder, ImageBuildError
from despejado_images.containers.engine import Engine, find_engine
from despejado_images.containers.models import DEBIAN
from despejado_images.environments import own_wheels

from tests.conftest import missing

BuildImage = Callable[[str], BuiltImage]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """What builds images here, with Debian in its storage."""
    log = tmp_path_factory.mktemp("engine") / "log"
    try:
        engine = find_engine(None, log)
    except ImageBuildError as error:
        missing("cluster", str(error))
    if engine.inspect(DEBIAN) is None and engine.name == "buildah":
        if shutil.which("mmdebstrap") is None:
            missing(
                "cluster", "no Debian image and no mmdebstrap (Debian: apt-get install mmdebstrap)"
            )
        from tests.cluster.harness.images import import_base

        import_base()
    return engine


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder for all builds of the session."""
    return tmp_path_factory.mktemp("images-state")


@pytest.fixture(scope="session")
def build_image(engine: Engine, state: Path) -> Iterator[BuildImage]:
    """Build an image (one that is here and up to date is taken as it is).

    Our own wheels in all of them are of one moment, whoever edits the source tree meanwhile.
    """
    of_one_moment = cache(own_wheels.source_digest)
    kept = f"localhost/despejado-tests/kept:{os.getpid()}"
    made: dict[str, BuiltImage] = {}

    def build(name: str) -> BuiltImage:
        if name not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(own_wheels, "source_digest", of_one_moment)
                made[name] = ImageBuilder(state, lambda _: None, engine=engine.name).build(name)
            # Whoever builds the same tag meanwhile takes its name.
            engine.tag(made[name].id, f"{kept}-{name}")
        return made[name]

    yield build
    for name in made:
        engine.untag(f"{kept}-{name}")


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``HOST:PORT`` of an empty registry."""
    program = shutil.which("docker-registry")
    if program is None:
        missing(
            "cluster", "docker-registry is not installed (Debian: apt-get install docker-registry)"
        )
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "config.json"  # JSON is YAML
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}}))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        _wait_for(f"http://{address}/v2/", process)
        yield address
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None and time.monotonic() < deadline, "the registry is not up"
        try:
            with urlopen(url, timeout=5):
                return
        except URLError:
            time.sleep(0.02)
