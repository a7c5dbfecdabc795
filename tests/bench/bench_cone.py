"""A cone search through the engine against a scan of the whole table with the same exact test.

    python tests/bench/bench_cone.py [--stars 1000000] [--cones 30]

Both run in this process on the same DuckDB tables: the packaged stars, and a synthetic sky of
``--stars`` rows made for the run. Medians, ratios and the share of the engine's own work (reading
the ADQL) go to standard output and to ``test-output/bench/cone.json``. Nothing passes or fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from despejado_services.catalog.build import SAMPLE
from despejado_services.catalog.store import Store
from despejado_services.engine import Engine
from despejado_services.models import Cancel

ROOT = Path(__file__).parents[2]
RADII = (1.0, 0.1, 0.01)


def synthetic_sample(folder: Path, stars: int) -> Path:
    """A folder like the packaged sample, with uniformly distributed positions."""
    import cdshealpix
    from astropy import units as u

    random = np.random.default_rng(20261024)
    ra = random.uniform(0, 360, stars)
    dec = np.degrees(np.arcsin(random.uniform(-1, 1, stars)))
    pixel = cdshealpix.lonlat_to_healpix(ra * u.deg, dec * u.deg, 29).astype(np.int64)
    order = np.argsort(pixel)
    whole = np.arange(stars, dtype=np.int32)
    real = np.float32(1) + random.random(stars, dtype=np.float32)
    names = pa.array(np.full(stars, "And"))
    table = pa.table(
        {
            "star_id": whole, "hip": whole, "tyc_id": names, "component": names,
            "ra": ra[order], "dec": dec[order], "mag": real, "bv": real, "parallax": real,
            "pm_ra": real, "pm_dec": real, "constellation": names, "_healpix_29": pixel[order],
        }
    )  # fmt: skip
    folder.mkdir()
    pq.write_table(table, folder / "stars.parquet", compression="zstd")
    shutil.copy(SAMPLE / "schema.yaml", folder)
    return folder


def milliseconds(work: Callable[[], int]) -> tuple[float, int]:
    start = time.perf_counter()
    rows = work()
    return (time.perf_counter() - start) * 1000, rows


def measure(engine: Engine, store: Store, radius: float, cones: int) -> dict[str, float]:
    random = np.random.default_rng(7)
    ours, plans, scans = [], [], []
    for _ in range(cones):
        ra, dec = random.uniform(0, 360), float(np.degrees(np.arcsin(random.uniform(-1, 1))))
        adql = (
            "SELECT star_id, ra, dec, mag FROM sample.stars WHERE"
            f" 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra}, {dec}, {radius}))"
        )
        scan = (
            'SELECT star_id, ra, "dec", mag FROM sample.stars WHERE'
            f' adql_hav(ra, "dec", {ra}, {dec}) <= pow(sin(radians({radius}) / 2), 2)'
        )

        def planned(query: str = adql) -> int:
            return len(engine.plan(query, maxrec=10**7).columns)

        def through_engine(query: str = adql) -> int:
            plan = engine.plan(query, maxrec=10**7)
            return sum(b.num_rows for b in engine.run(plan, cancel=Cancel()).batches)

        def full_scan(query: str = scan) -> int:
            with store.cursor() as cursor:
                relation = cursor.sql(query)
                return int(relation.to_arrow_table().num_rows)

        plans.append(milliseconds(planned)[0])
        (a, found), (b, wanted) = milliseconds(through_engine), milliseconds(full_scan)
        if found != wanted:
            raise SystemExit(f"the engine found {found} stars, the scan {wanted}: {adql}")
        ours.append(a)
        scans.append(b)
    return {
        "radius_deg": radius,
        "engine_ms": statistics.median(ours),
        "of_which_plan_ms": statistics.median(plans),
        "scan_ms": statistics.median(scans),
        "scan_over_engine": statistics.median(scans) / statistics.median(ours),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Cone search against a full scan")
    parser.add_argument("--stars", type=int, default=1_000_000)
    parser.add_argument("--cones", type=int, default=30)
    args = parser.parse_args()
    results: dict[str, object] = {"duckdb": duckdb.__version__, "cones": args.cones}
    with tempfile.TemporaryDirectory() as folder:
        synthetic = synthetic_sample(Path(folder) / "sample", args.stars)
        for name, sample in (("packaged", SAMPLE), ("synthetic", synthetic)):
            data = Path(folder) / name
            engine, store = Engine(data, sample=sample), Store(data, sample=sample)
            measure(engine, store, 1.0, 3)  # first queries load libraries
            rows = [measure(engine, store, radius, args.cones) for radius in RADII]
            with store.cursor() as cursor:
                ((stars,),) = cursor.sql("SELECT count(*) FROM sample.stars").fetchall()
            results[name] = {"stars": stars, "cones": rows}
            for row in rows:
                print(
                    f"{name} {stars} stars, {row['radius_deg']:g} deg: engine"
                    f" {row['engine_ms']:.1f} ms (plan {row['of_which_plan_ms']:.1f}), scan"
                    f" {row['scan_ms']:.1f} ms, ratio {row['scan_over_engine']:.1f}"
                )
            engine.close()
            store.close()
    output = ROOT / "test-output" / "bench" / "cone.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
