"""The native cache of the packaged catalogues: ``DATA/stars.duckdb``.

Parquet is what we keep and ship; the cache is made from it when it is missing or the packaged
files have changed, because sorted native tables answer a cone three to ten times quicker. It may
be deleted at any time. Made beside its place and renamed, so no reader ever sees half of one; a
file lock makes one of several processes build and the others wait. A reader keeps the old file
until it opens the store anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from despejado_services.catalog.metadata import SQL_TYPES, SchemaInfo, TableInfo, load_schema, quote

SAMPLE = Path(__file__).parents[1] / "sample"
CACHE_NAME = "stars.duckdb"
_FORMAT = 1  # raise when the way the cache is made changes


def sample_schema(sample: Path = SAMPLE) -> SchemaInfo:
    """The schema of the packaged tables."""
    return load_schema(sample / "schema.yaml")


def ensure_cache(data: Path, sample: Path = SAMPLE, *, force: bool = False) -> Path:
    """The path of a cache that fits the packaged files; builds it when need be.

    Does not import DuckDB when the cache is there. ``force`` builds in any case, for a cache that
    turned out to be unreadable (another DuckDB version made it, or the disk damaged it).
    """
    data.mkdir(parents=True, exist_ok=True)
    cache, note = data / CACHE_NAME, data / f"{CACHE_NAME}.json"
    signature = _signature(sample)
    if not force and _note(note) == _identity(cache, signature):
        return cache
    with _locked(data / f"{CACHE_NAME}.lock"):
        if force or _note(note) != _identity(cache, signature):
            _build(cache, sample)
            _write(note, json.dumps(_identity(cache, signature)))
    return cache


def _signature(sample: Path) -> str:
    digest = hashlib.sha256(f"{_FORMAT}\n".encode())
    for path in sorted([*sample.glob("*.parquet"), sample / "schema.yaml"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _identity(cache: Path, signature: str) -> dict[str, object] | None:
    """What the note has to say of this cache: made from these files, and not replaced since."""
    try:
        stat = cache.stat()
    except FileNotFoundError:
        return None
    return {"signature": signature, "size": stat.st_size, "inode": stat.st_ino}


def _note(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return "none"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _build(cache: Path, sample: Path) -> None:
    import duckdb

    for old in cache.parent.glob(f"{cache.name}.*.tmp*"):
        old.unlink(missing_ok=True)  # left by a process that died; we hold the lock
    temporary = cache.with_name(f"{cache.name}.{os.getpid()}.tmp")
    with duckdb.connect(str(temporary)) as connection:
        for table in sample_schema(sample).tables:
            connection.execute(_create(table), [str(sample / f"{table.name}.parquet")])
    temporary.replace(cache)


def _create(table: TableInfo) -> str:
    columns = [f"CAST({quote(c.name)} AS {SQL_TYPES[c.datatype]}) AS {quote(c.name)}"
               for c in table.columns]  # fmt: skip
    order = ""
    if table.position:
        columns.append(quote(table.position.healpix))
        order = f" ORDER BY {quote(table.position.healpix)}"
    name = quote(table.name.lower())
    # names and types come from our own packaged schema file
    return f"CREATE TABLE {name} AS SELECT {', '.join(columns)} FROM read_parquet(?){order}"  # noqa: S608
