"""Our BINARY2 writer against astropy's on the same table, and the memory of the idle service.

``python tests/bench/bench_votable.py`` prints ratios and writes ``test-output/bench/votable.json``.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from astropy.io.votable import from_table, parse_single_table
from astropy.io.votable import writeto as astropy_write
from astropy.table import Table
from despejado_services.formats.table import FORMATS
from despejado_services.models import Column

ROWS = 100_000
ROOT = Path(__file__).parents[2]
COLUMNS = (
    Column("id", "long"),
    Column("ra", "double", unit="deg"),
    Column("dec", "double", unit="deg"),
    *(Column(f"mag_{band}", "float", unit="mag") for band in "ugrizy"),
    Column("name", "char", "*"),
)


class Rows:
    """The table as the engine would give it, in batches of 20,000 rows."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.columns = COLUMNS
        self.overflow = False
        self.rows = batch.num_rows
        self._batch = batch

    @property
    def batches(self) -> Iterator[pa.RecordBatch]:
        for start in range(0, self._batch.num_rows, 20_000):
            yield self._batch.slice(start, 20_000)

    def close(self) -> None:
        """Nothing is open."""


def sample(rows: int) -> pa.RecordBatch:
    random = np.random.default_rng(1)
    mags = []
    for _ in "ugrizy":
        values = random.normal(22, 2, rows).astype("f4")
        mags.append(pa.array(values, mask=random.random(rows) < 0.02))
    arrays = [
        pa.array(np.arange(rows)),
        pa.array(random.uniform(0, 360, rows)),
        pa.array(random.uniform(-90, 90, rows)),
        *mags,
        pa.array([f"star {i}" for i in range(rows)]),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in COLUMNS])


def as_astropy(batch: pa.RecordBatch) -> Table:
    table = Table(masked=True)
    for column, values in zip(COLUMNS, batch.columns, strict=True):
        if column.datatype == "char":
            table[column.name] = np.array(values.to_pylist(), dtype=object)
            continue
        mask = values.is_null().to_numpy(zero_copy_only=False)
        filled = values.fill_null(0).to_numpy(zero_copy_only=False)
        table[column.name] = np.ma.MaskedArray(filled, mask=mask)
    return table


def idle_memory() -> dict[str, float]:
    """PSS of a service that nobody has asked anything, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(
            json.dumps(
                {
                    "port": 0,
                    "prefix": "/services/tap",
                    "state": f"{folder}/state",
                    "data": f"{folder}/data",
                    "hub_api_url": "http://127.0.0.1:9/hub/api",
                    "scope": "custom:tap:query",
                    "public_url": "http://127.0.0.1:9/services/tap",
                }
            )
        )
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "despejado_services", "--config", str(config)],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            seconds = time.perf_counter() - started
            pss = psutil.Process(process.pid).memory_full_info().pss / 2**20
            process.terminate()
    return {"idle_pss_mb": round(pss, 1), "start_seconds": round(seconds, 2)}


def main() -> None:
    batch = sample(ROWS)
    figures: dict[str, object] = {"rows": ROWS, "columns": len(COLUMNS)}
    ours: dict[str, float] = {}
    content = b""
    for form in FORMATS:
        best, written = float("inf"), b""
        for _ in range(3):
            started = time.perf_counter()
            written = b"".join(form.write(Rows(batch), "SELECT"))
            best = min(best, time.perf_counter() - started)
        ours[form.aliases[-1]] = round(best, 4)
        if form.aliases[-1] == "votable/b2":
            content = written
    table = as_astropy(batch)
    peers: dict[str, float] = {}
    for name, kind in (("votable/b2", "binary2"), ("votable/td", "tabledata")):
        document = from_table(table)
        sink = io.BytesIO()
        started = time.perf_counter()
        astropy_write(document, sink, tabledata_format=kind)
        peers[name] = round(time.perf_counter() - started, 3)
    # both say the same
    back = parse_single_table(io.BytesIO(content)).array
    assert back["id"].tolist() == list(range(ROWS))
    assert int(back["mag_u"].mask.sum()) == batch.column(3).null_count
    ratios = {name: round(peers[name] / ours[name], 1) for name in peers}
    figures |= {"ours_seconds": ours, "astropy_seconds": peers, "times_faster": ratios}
    figures |= idle_memory()
    print(f"BINARY2: {ratios['votable/b2']} times as fast as astropy's writer")
    print(f"TABLEDATA: {ratios['votable/td']} times as fast as astropy's writer")
    print(json.dumps(figures, indent=1))
    output = ROOT / "test-output" / "bench" / "votable.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
