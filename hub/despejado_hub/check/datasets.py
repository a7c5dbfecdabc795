"""Checks of data sets: the Butler repository and the TAP service that each names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..config.model import Dataset
from ..config.types import BUILT_IN
from . import network
from .folders import closed_to_others
from .result import Result


def check_dataset(
    name: str, dataset: Dataset, state: Path, *, in_labs: bool = False
) -> Iterator[Result]:
    """Both parts of a data set; ``in_labs`` says that its paths are those of pods."""
    if dataset.butler is None and dataset.tap is None:
        yield Result(
            f"dataset {name}",
            "warn",
            "it names neither a Butler repository nor a TAP service",
            "add butler: or tap:, or take the data set away",
        )
    local = dataset.butler not in (None, BUILT_IN) and "://" not in str(dataset.butler)
    if in_labs and local:
        said = f"{dataset.butler} is a path in labs, which this machine does not see"
        yield Result(f"dataset {name}, Butler", "ok", said)
    elif dataset.butler is not None:
        yield from check_repository(f"dataset {name}, Butler", dataset.butler, state)
    if dataset.tap == BUILT_IN:
        yield Result(f"dataset {name}, TAP", "ok", "run by this platform")
    elif dataset.tap is not None:
        yield from network.check_tap(f"dataset {name}, TAP", dataset.tap)


def check_repository(name: str, repository: str, state: Path) -> Iterator[Result]:
    """Whether there is a Butler repository, and users of labs may read it."""
    if repository == BUILT_IN:
        sample = state / "data" / "butler" / "sample"
        if not sample.exists():
            message = "the sample is made when the recommended environment is ready"
            yield Result(name, "ok", message)
            return
        yield from _check_folder(name, sample)
        return
    parts = urlsplit(repository)
    if parts.scheme in {"http", "https"}:
        yield from _check_server(name, repository)
    elif parts.scheme == "file":
        yield from _check_folder(name, Path(unquote(parts.path)))
    elif parts.scheme and "://" in repository:
        yield Result(
            name, "warn", f"{repository} was not tried", "try it from a lab, with its credentials"
        )
    else:
        yield from _check_folder(name, Path(repository))


def _check_server(name: str, url: str) -> Iterator[Result]:
    address = url if url.endswith(".yaml") else f"{url.rstrip('/')}/butler.yaml"
    try:
        status, _ = network.fetch(address)
    except network.Unreachable as error:
        advice = "check the address, and that the service runs"
        yield Result(name, "fail", f"{address}: {error}", advice)
        return
    if status in {200, 401, 403}:
        yield Result(name, "ok", f"{url} answers")
    else:
        yield Result(
            name, "fail", f"{address} answers {status}", "check that a Butler repository is there"
        )


def _check_folder(name: str, path: Path) -> Iterator[Result]:
    config = path if path.suffix == ".yaml" else path / "butler.yaml"
    try:
        with config.open("rb") as file:
            file.read(1)
    except OSError as error:
        yield Result(
            name,
            "fail",
            f"{config} cannot be read: {error.strerror}",
            "name the folder that holds butler.yaml",
        )
        return
    folder = config.resolve().parent
    closed = closed_to_others(folder) if os.geteuid() == 0 else None
    if closed is not None or (os.geteuid() == 0 and not _for_all(config)):
        yield Result(
            name,
            "fail",
            f"labs run as their users, who cannot read {closed or config}",
            f"chmod -R o+rX {folder}",
        )
        return
    logged = [each for each in sorted(folder.glob("*.sqlite3")) if _is_write_ahead(each)]
    if logged:
        yield Result(
            name,
            "fail",
            f"{logged[0].name} is in WAL mode, which users who may only read cannot open",
            f"sqlite3 {logged[0]} 'PRAGMA journal_mode=DELETE'",
        )
        return
    yield Result(name, "ok", f"{folder} is readable")


def _for_all(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)


def _is_write_ahead(path: Path) -> bool:
    """The header's write version is 2 for WAL (SQLite file format, 1.3.3)."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return False
    return len(header) == 20 and header[18] == 2
