"""Images as they are built: what is in them, who may run them, and what must not be in them.

An image that is here and up to date is not built again, so a second run is quick. The first needs
the package index and a few minutes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from despejado_images.containers import BuiltImage, ImageBuilder
from despejado_images.containers.engine import Engine
from despejado_images.containers.models import BuildStep, RunStep
from despejado_images.containers.smoke import explain_smoke
from despejado_images.containers.sources import write_context, write_secrets
from despejado_images.containers.targets import smoke_command
from despejado_images.environments import locks

from tests.images.builds import IMAGES, environment

pytestmark = [pytest.mark.network, pytest.mark.root, pytest.mark.timeout(900)]

WEEKLY = "w_2026_43"
MARKER = "leak-marker.invalid"
Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def run(engine: Engine) -> Run:
    """Run a command in an image as a user of one's choice; the lines it prints."""

    def command(image: str, *arguments: str, user: str = "54321:54322") -> list[str]:
        lines: list[str] = []
        step = RunStep(image, arguments, user)
        engine.run(step, lines.append, "\n".join)
        return lines

    return command


@pytest.fixture(scope="module")
def plain(build_image: Callable[[str], BuiltImage]) -> BuiltImage:
    return build_image("plain")


@pytest.fixture(scope="module")
def weekly(build_image: Callable[[str], BuiltImage]) -> BuiltImage:
    return build_image(WEEKLY)


def test_images_share_all_layers_but_the_last(plain: BuiltImage, weekly: BuiltImage) -> None:
    assert plain.layers[:-1] == weekly.layers[:-1]
    assert plain.layers[-1] != weekly.layers[-1]
    assert len(weekly.layers) == 5, "Debian, Python, what labs share, the server, the stack"


def test_a_weekly_has_the_middleware_of_its_week(
    engine: Engine, weekly: BuiltImage, run: Run
) -> None:
    record = engine.inspect(weekly.id)
    assert record is not None
    versions = json.loads(record.labels["dev.despejado.versions"])
    assert versions["lsst-daf-butler"] == "30.2026.4300"
    ask = "from importlib.metadata import version; print(version('lsst-daf-butler'))"
    python = "/opt/despejado/stack/bin/python"
    assert run(weekly.id, python, "-I", "-c", ask)[-1] == "30.2026.4300"
    labels = record.labels
    assert labels["org.opencontainers.image.title"] == "Weekly 2026_43"
    assert labels["org.opencontainers.image.version"] == WEEKLY
    assert labels["dev.despejado.launcher"] == "true"
    assert labels["org.opencontainers.image.created"].endswith("+00:00")


def test_the_image_describes_itself_as_environments_of_this_machine_do(
    weekly: BuiltImage, run: Run
) -> None:
    manifest = json.loads("".join(run(weekly.id, "cat", "/opt/despejado/image.json")))
    assert sorted(manifest) == [
        "added",
        "created",
        "digest",
        "kind",
        "size",
        "tag",
        "title",
        "versions",
    ]
    assert (manifest["tag"], manifest["kind"]) == (WEEKLY, "kernel")
    assert manifest["versions"] == weekly.versions
    assert manifest["size"] > 100_000_000
    lock = "\n".join(run(weekly.id, "cat", "/opt/despejado/stack/requirements.lock"))
    assert "lsst-daf-butler==30.2026.4300" in lock and "--hash=sha256:" in lock
    inside = locks.pins(lock, locks.markers("3.13.5"))
    assert {name: manifest["versions"][name] for name in inside} == inside


@pytest.mark.parametrize("user", ["1000:1000", "5001:0", "2000000000:100"])
def test_anybody_may_run_a_lab(
    engine: Engine, plain: BuiltImage, user: str, tmp_path: Path
) -> None:
    """The whole smoke test: server, page, extension, kernel, imports, stop."""
    smoke = tmp_path / "smoke"
    smoke.mkdir()
    (smoke / "smoke.py").write_text((IMAGES / "lab" / "smoke.py").read_text())
    tmp_path.chmod(0o755)
    command = smoke_command("lab", ("astropy", "pyvo", "despejado"))
    said: list[str] = []
    engine.run(RunStep(plain.id, command, user, {smoke: "/mnt/smoke"}), said.append, explain_smoke)
    assert "smoke: ok" in said


# What of the image a user could change or would find there from somebody else.
_LOOK = """\
import json, os, stat
found = {"writable": [], "home": [], "setuid": [], "cache": [], "mnt": os.listdir("/mnt")}
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc", "/sys", "/dev")]
    for name in [*folders, *files]:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            continue
        if os.access(path, os.W_OK) and not path.startswith(("/tmp/", "/run/")):
            found["writable"].append(path)
        if path.startswith(("/home/lab/", "/root/")) and stat.S_ISREG(mode):
            found["home"].append(path)
        if stat.S_ISREG(mode) and mode & stat.S_ISUID and path.startswith("/opt"):
            found["setuid"].append(path)
    if folder in ("/var/lib/apt/lists", "/var/cache/apt/archives", "/root/.cache"):
        found["cache"] += [name for name in files if os.lstat(f"{folder}/{name}").st_size]
print(json.dumps(found))
"""


def test_nothing_is_baked_in_but_software(plain: BuiltImage, run: Run) -> None:
    python = "/usr/bin/python3"
    found = json.loads(run(plain.id, python, "-I", "-c", _LOOK)[-1])
    assert set(found["writable"]) <= {"/tmp", "/var/tmp", "/home/lab", "/run/lock", "/run"}
    assert found["home"] == []
    assert found["setuid"] == [] and found["cache"] == [] and found["mnt"] == []


@pytest.mark.parametrize("name", ["hub", "services"])
def test_parts_of_the_platform_work_and_share_what_is_below_them(
    name: str, plain: BuiltImage, build_image: Callable[[str], BuiltImage], run: Run
) -> None:
    """Building runs their smoke tests; as root they would not even be asked to."""
    image = build_image(name)
    assert image.layers[:2] == plain.layers[:2]
    assert int(run(image.id, "id", "-u", user="1000:1000")[-1]) == 1000


# Nothing of the machine that built it


@pytest.fixture
def probe(engine: Engine, plain: BuiltImage, tmp_path: Path) -> BuildStep:
    """A small image built with marked secrets, on top of a lab."""
    text = locks.shipped("plain").read_text()
    pin = re.search(r"^packaging==.*(?:\n    --hash=.*)+\n", text, re.MULTILINE)
    assert pin is not None
    spec = replace(environment("probe"), prefix="/opt/probe", lock=pin[0])
    return BuildStep(
        name="probe",
        reference="localhost/despejado-tests/probe:1",
        parent=plain.id,
        containerfile=(IMAGES / "lab" / "stack.Containerfile").read_text(),
        key="0" * 64,
        labels={},
        environment=spec,
        files={"install.py": (IMAGES / "install.py").read_text()},
    )


_SEARCH = """\
import os, sys
needles = [bytes.fromhex(text) for text in sys.argv[1:]]
for top in ("/opt", "/etc", "/usr", "/var", "/home", "/root", "/run", "/mnt", "/tmp", "/srv"):
    for folder, _, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as stream:
                content = stream.read()
            for number, needle in enumerate(needles):
                if needle in content:
                    print("found", number, path)
print("searched")
"""


def _machine_needles(state: Path) -> list[bytes]:
    """What only this machine has: paths of the build and its network's own certificates."""
    needles = [MARKER.encode(), str(state).encode(), str(Path(__file__).parents[2]).encode()]
    bundle = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or "")
    certificates = bundle.read_text().split("-----BEGIN CERTIFICATE-----") if bundle.name else []
    # A line from the middle of each: the first ones of two certificates may be equal.
    return needles + [
        lines[len(lines) // 2].encode() for one in certificates[1:] if (lines := one.split("\n"))
    ]


def test_secrets_of_a_build_are_read_and_stay_in_no_layer(
    engine: Engine, probe: BuildStep, run: Run, tmp_path: Path
) -> None:
    variables = {**os.environ, "NO_PROXY": f"127.0.0.1,{MARKER}", "UV_HTTP_TIMEOUT": "61"}
    secrets = write_secrets(tmp_path / "secrets", variables)
    assert MARKER in secrets["network"].read_text()
    context = tmp_path / "context"
    write_context(context, probe)
    said: list[str] = []
    try:
        engine.build(probe, context, secrets, said.append)
        record = engine.inspect(probe.reference)
        assert record is not None
        search = ["/usr/bin/python3", "-I", "-c", _SEARCH]
        debian = set(run(probe.parent, "cat", "/etc/ssl/certs/ca-certificates.crt"))
        needles = [one for one in _machine_needles(tmp_path) if one.decode() not in debian]
        found = run(probe.reference, *search, *(needle.hex() for needle in needles), user="0:0")
        assert found == ["searched"]
        ask = "import packaging; print(packaging.__file__)"
        assert run(probe.reference, "/opt/probe/bin/python", "-c", ask)[-1].startswith("/opt/probe")
    finally:
        engine.untag(probe.reference)


def test_what_is_pushed_is_what_was_tested_and_names_nothing_of_this_machine(
    plain: BuiltImage, engine: Engine, registry: str, state: Path
) -> None:
    pushed = ImageBuilder(state, lambda _: None, engine=engine.name, registry=registry).build(
        "plain"
    )
    assert pushed.pushed == f"{registry}/despejado/lab:plain"
    assert pushed.content == plain.content
    manifest = _fetch(registry, "despejado/lab/manifests/plain")
    assert pushed.digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    config = _fetch(registry, f"despejado/lab/blobs/{json.loads(manifest)['config']['digest']}")
    document: dict[str, Any] = json.loads(config)
    assert tuple(document["rootfs"]["diff_ids"]) == plain.layers
    assert document["config"]["User"] == "1000:1000"
    assert document["config"]["Cmd"] == ["/opt/despejado/bin/lab"]
    assert not document["config"].get("Entrypoint")
    for word in (str(state), str(Path(__file__).parents[2]), "SSL_CERT_FILE", "UV_", "PIP_"):
        assert word not in config.decode()


def _fetch(registry: str, path: str) -> bytes:
    accept = "application/vnd.oci.image.manifest.v1+json"
    request = Request(f"http://{registry}/v2/{path}", headers={"Accept": accept})
    with urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content
