"""Wheels of our own distributions, made from how they are installed here.

They are on no package index. An editable installation is built from its source folder; a regular
one is packed again from the files that its RECORD lists (binary distribution format, PEP 427),
so that environments depend neither on a source tree nor on where the platform is installed.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from despejado_images.environments.errors import EnvironmentBuildError
from despejado_images.files import read_record, write_record

OURS = frozenset({"despejado", "despejado-lab", "despejado-tutorials"})
"""Distributions that environments contain and that no index has."""

BuildWheel = Callable[[Path, Path], None]
"""Builds the wheel of a source folder into an output folder."""

_NOT_SOURCE = frozenset({"node_modules", "dist", "__pycache__", "build"})
_NOT_IN_WHEELS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class OwnWheel:
    """A wheel of one of our distributions; ``digest`` covers the files in it, not their times."""

    name: str
    version: str
    path: Path
    digest: str
    requires: tuple[str, ...]


def own_closure(wanted: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Installed distributions of ours among ``wanted`` and what they require of ours.

    ``wanted`` maps names to extras. One that is not installed here is left out: the spawner is
    useful without the client.
    """
    found: dict[str, tuple[str, ...]] = {}
    queue = list(wanted.items())
    while queue:
        name, extras = queue.pop(0)
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found[name] = tuple(sorted({*found.get(name, ()), *extras}))
        for text in requires:
            requirement = Requirement(text)
            key = canonicalize_name(requirement.name)
            if key in OURS and key not in found and "extra" not in str(requirement.marker):
                queue.append((key, sorted(requirement.extras)))
    return found


def own_wheel(name: str, cache: Path, build: BuildWheel) -> OwnWheel:
    """The wheel of an installed distribution, from ``cache`` if nothing changed since.

    ``build`` is called for editable installations only. Raises ``EnvironmentBuildError`` if the
    installation is damaged.
    """
    dist = distribution(name)
    source = source_folder(dist)
    key = source_digest(source) if source else record_digest(dist)
    known = _known(cache, name, key)
    if known is not None:
        return known
    with TemporaryDirectory(dir=cache, prefix=".wheel-") as folder:
        if source:
            build(source, Path(folder))
        else:
            repack(dist, Path(folder))
        made = sorted(Path(folder).glob("*.whl"))
        if len(made) != 1:
            raise EnvironmentBuildError(f"Building the wheel of {name} gave {len(made)} wheels.")
        digest = wheel_digest(made[0])
        home = cache / digest.removeprefix("sha256:")[:16]
        home.mkdir(mode=0o755, exist_ok=True)
        made[0].chmod(0o644)
        made[0].replace(home / made[0].name)
    wheel = OwnWheel(
        name, dist.version, home / made[0].name, digest, wheel_requires(home / made[0].name)
    )
    # A build may itself write into the source folder (bundled assets), so look again.
    for seen in {key, source_digest(source) if source else key}:
        write_record(
            cache / f"{name}-{seen[:16]}.json",
            {"file": f"{home.name}/{wheel.path.name}", "digest": digest, "version": dist.version},
        )
    return wheel


def _known(cache: Path, name: str, key: str) -> OwnWheel | None:
    record = read_record(cache / f"{name}-{key[:16]}.json")
    if record is None:
        return None
    path = cache / str(record.get("file"))
    if not path.is_file():
        return None
    return OwnWheel(name, str(record["version"]), path, str(record["digest"]), wheel_requires(path))


def source_folder(dist: Distribution) -> Path | None:
    """The source folder of an editable installation (PEP 610), None for a regular one."""
    text = dist.read_text("direct_url.json")
    if text is None:
        return None
    record = json.loads(text)
    if not record.get("dir_info", {}).get("editable"):
        return None
    path = Path(unquote(urlparse(str(record["url"])).path))
    if not path.is_dir():
        raise EnvironmentBuildError(
            f"{dist.name} is installed from {path}, which is gone. Install it again."
        )
    return path


def source_digest(source: Path) -> str:
    """64 hexadecimal digits over the files below a source folder and their names.

    Raises ``OSError`` for a folder that cannot be listed: what cannot be seen may have changed.
    """
    total = hashlib.sha256()
    for folder, folders, files in os.walk(source, onerror=_raised):
        folders[:] = sorted(
            name for name in folders if name not in _NOT_SOURCE and not name.startswith(".")
        )
        for name in sorted(files):
            path = Path(folder) / name
            if name.startswith(".") or name.endswith((".pyc", ".tsbuildinfo")):
                continue
            if not path.is_file():  # a dangling link
                continue
            total.update(f"{path.relative_to(source)}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _raised(error: OSError) -> None:
    raise error


def record_digest(dist: Distribution) -> str:
    """64 hexadecimal digits over the files that a regular installation lists."""
    total = hashlib.sha256()
    for name, path in _recorded(dist):
        total.update(f"{name}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _recorded(dist: Distribution) -> Iterator[tuple[str, Path]]:
    """Names below the library folder (RECORD's) and files of an installed distribution.

    ``Distribution.files`` leaves out what is missing from Python 3.12 on, which is to be told.
    """
    record = dist.read_text("RECORD")
    if record is None:
        raise EnvironmentBuildError(
            f"{dist.name} is installed without a list of its files. Install it again with pip."
        )
    for name in sorted(row[0] for row in csv.reader(record.splitlines()) if row):
        path, entry = Path(str(dist.locate_file(name))), PurePosixPath(name)
        if "__pycache__" in entry.parts or entry.suffix == ".pyc":
            continue
        if entry.parent.name.endswith(".dist-info") and entry.name in _NOT_IN_WHEELS:
            continue
        if not path.is_file():
            raise EnvironmentBuildError(f"{dist.name} lacks its file {name}. Install it again.")
        yield name, path


def repack(dist: Distribution, output: Path) -> Path:
    """Write the wheel that a regular installation came from; the same files give the same bytes."""
    scripts = {point.name for point in dist.entry_points if point.group.endswith("_scripts")}
    stem = f"{re.sub(r'[-_.]+', '_', dist.name)}-{dist.version}"
    tags = re.findall(r"^Tag: (\S+)$", dist.read_text("WHEEL") or "", re.MULTILINE)
    if not tags:
        raise EnvironmentBuildError(f"{dist.name} does not say which wheel it came from (WHEEL).")
    wheel = output / f"{stem}-{_compressed(tags)}.whl"
    rows: list[tuple[str, str, int]] = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _recorded(dist):
            place = _place(name, f"{stem}.data", scripts)
            if place is None:
                continue
            content = path.read_bytes()
            if place.startswith(f"{stem}.data/scripts/"):
                content = re.sub(rb"\A#![^\n]*python[^\n]*", b"#!python", content)
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            _add(archive, place, content, mode)
            rows.append((place, _hash(content), len(content)))
        info = next(row[0] for row in rows if row[0].endswith(".dist-info/METADATA"))
        record = posixpath.join(posixpath.dirname(info), "RECORD")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(rows)
        writer.writerow((record, "", ""))
        _add(archive, record, text.getvalue().encode(), 0o644)
    return wheel


def _place(name: str, data: str, scripts: set[str]) -> str | None:
    """Where an installed file stands in the wheel; None for what an installer makes itself."""
    parts = PurePosixPath(posixpath.normpath(name)).parts
    if parts[0] != "..":
        return posixpath.join(*parts)
    # lib/pythonX.Y/site-packages (or lib/python3/dist-packages) is three below the prefix.
    if parts[:3] != ("..", "..", "..") or parts[3] == "..":
        raise EnvironmentBuildError(f"{name} lies outside the installation it belongs to.")
    if parts[3] in ("bin", "Scripts"):
        return None if parts[-1] in scripts else posixpath.join(data, "scripts", *parts[4:])
    return posixpath.join(data, "data", *parts[3:])


def _compressed(tags: Sequence[str]) -> str:
    """``py2-none-any`` and ``py3-none-any`` are ``py2.py3-none-any`` in a file name (PEP 425)."""
    columns = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(dict.fromkeys(column)) for column in columns)


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.external_attr = (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def wheel_digest(wheel: Path) -> str:
    """``sha256:...`` over names and contents of a wheel's files, without their times."""
    total = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith((".dist-info/RECORD", "/")):
                total.update(f"{name}\0".encode())
                total.update(hashlib.sha256(archive.read(name)).digest())
    return f"sha256:{total.hexdigest()}"


def wheel_requires(wheel: Path) -> tuple[str, ...]:
    """The ``Requires-Dist`` lines of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    headers = text.partition("\n\n")[0]
    return tuple(re.findall(r"^Requires-Dist: (.*)$", headers, re.MULTILINE))
