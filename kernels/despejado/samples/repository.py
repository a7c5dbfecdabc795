"""Write the sample Butler repository; needs an environment with ``lsst.daf.butler``."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.time import Time
from astropy.wcs import WCS
from lsst.daf.butler import Butler, CollectionType, Config, DatasetType, Timespan
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from despejado.formatters import REPOSITORY_CONFIG

from . import obscore
from .simulate import Stars, anticlockwise, corners, simulate
from .survey import BANDS, DETECTORS, INSTRUMENT, TARGET, Visit, visits

Progress = Callable[[float, str], None]

SIMULATED_RUN = "sample/pleiades"
M13_RUN = "sample/m13"
DEFAULTS = "sample"


class SampleError(Exception):
    """The repository could not be made; the message says why and what to do."""


def read_stars(path: Path) -> Stars:
    """Stars with Hipparcos numbers within 5 degrees of the Pleiades, from the sample catalogue."""
    import pyarrow.parquet as pq

    from .survey import PLEIADES

    columns = ["hip", "ra", "dec", "mag", "bv"]
    ra0, dec0 = PLEIADES
    table = pq.read_table(
        path,
        columns=columns,
        filters=[
            ("dec", ">", dec0 - 5),
            ("dec", "<", dec0 + 5),
            ("ra", ">", ra0 - 6),
            ("ra", "<", ra0 + 6),
        ],
    ).sort_by("hip")
    hip, ra, dec, mag, bv = (table.column(name).to_numpy() for name in columns)
    known = np.isfinite(mag.astype(float))
    return Stars(
        hip=hip[known].astype(np.int64),
        ra=ra[known].astype(float),
        dec=dec[known].astype(float),
        v=mag[known].astype(float),
        bv=bv[known].astype(float),
    )


def build(stars: Path, out: Path, obscore_file: Path, progress: Progress) -> None:
    """Make the repository at ``out`` and its ObsCore rows, all or nothing.

    Safe to call while another process does the same: the second waits, finds it done and returns.
    The result is read-only for everybody (SQLite in journal mode DELETE: the Butler cannot open a
    WAL file in a folder that it may not write to).

    Raises
    ------
    SampleError
        If the folder cannot be written, or the star catalogue is missing.
    """
    if not stars.is_file():
        raise SampleError(f"star catalogue {stars} is missing: reinstall despejado-services")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(out):
            if (out / "butler.yaml").is_file() and obscore_file.is_file():
                progress(1.0, "sample repository is ready")
                return
            for leftover in out.parent.glob(f"building-{out.name}-*"):
                _remove(leftover)
            # No dot in the name: the Butler takes what follows one for a file format.
            part = out.parent / f"building-{out.name}-{os.getpid()}"
            rows = _fill(part, read_stars(stars), progress)
            _make_read_only(part)
            if out.exists():
                _remove(out)
            part.rename(out)
            obscore.write(rows, obscore_file)
            progress(1.0, "sample repository is ready")
    except OSError as error:
        raise SampleError(
            f"cannot write the sample repository at {out}: {error.strerror or error}; "
            "free some space or choose another state folder"
        ) from error


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    lock = out.parent / f".{out.name}.lock"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fill(root: Path, stars: Stars, progress: Progress) -> list[obscore.ObsCoreRow]:
    progress(0.0, "making an empty repository")
    Butler.makeRepo(str(root), config=Config(REPOSITORY_CONFIG))
    butler = Butler.from_config(str(root), writeable=True)
    butler.collections.register(SIMULATED_RUN, CollectionType.RUN)
    butler.collections.register(M13_RUN, CollectionType.RUN)
    universe = butler.dimensions
    per_detector = {"instrument", "visit", "detector"}
    for name, dimensions, storage in (
        ("visit_image", per_detector, "AstropyCCD"),
        ("source", per_detector, "ArrowAstropy"),
        ("m13_image", set(), "AstropyCCD"),
    ):
        butler.registry.registerDatasetType(
            DatasetType(name, dimensions, storage, universe=universe)
        )
    _register_dimensions(butler)
    sizes: dict[tuple[int, int], int] = {}
    plan = [(visit, detector) for visit in visits() for detector in DETECTORS]
    for done, (visit, detector) in enumerate(plan):
        progress(
            0.05 + 0.9 * done / len(plan), f"simulating visit {visit.id}, detector {detector.id}"
        )
        image, sources = simulate(stars, visit, detector)
        data_id = {"instrument": INSTRUMENT, "visit": visit.id, "detector": detector.id}
        ref = butler.put(image, "visit_image", data_id, run=SIMULATED_RUN)
        butler.put(sources, "source", data_id, run=SIMULATED_RUN)
        sizes[visit.id, detector.id] = Path(butler.getURI(ref).ospath).stat().st_size
    progress(0.96, "adding the image of M13")
    rows = obscore.simulated_rows(sizes)
    rows.append(_add_m13(butler))
    butler.collections.register(DEFAULTS, CollectionType.CHAINED)
    butler.collections.redefine_chain(DEFAULTS, [SIMULATED_RUN, M13_RUN])
    return rows


def _add_m13(butler: Butler) -> obscore.ObsCoreRow:
    """The Digitized Sky Survey image of M13 from astropy's own test data (BSD-3)."""
    from astropy.utils.data import get_pkg_data_path

    path = get_pkg_data_path("data/m13.fits", package="astropy.io.fits.hdu.compressed.tests")
    with fits.open(path) as hdus:
        header = hdus[0].header.copy()
        data = hdus[0].data.astype(np.float32)
    image = CCDData(data, unit="adu", meta=header, wcs=WCS(header))
    ref = butler.put(image, "m13_image", run=M13_RUN)
    sky = image.wcs.wcs_pix2world([[-0.5, -0.5], [299.5, -0.5], [299.5, 299.5], [-0.5, 299.5]], 0)
    centre = image.wcs.wcs_pix2world([[149.5, 149.5]], 0)[0]
    size = Path(butler.getURI(ref).ospath).stat().st_size
    return obscore.m13_row(float(centre[0]), float(centre[1]), anticlockwise(sky).tolist(), size)


def _register_dimensions(butler: Butler) -> None:
    registry = butler.registry
    planned = visits()
    registry.insertDimensionData(
        "instrument",
        {
            "name": INSTRUMENT,
            "visit_max": max(visit.id for visit in planned) + 1,
            "exposure_max": max(visit.id for visit in planned) + 1,
            "detector_max": len(DETECTORS),
            "visit_system": 0,
            "class_name": "",
        },
    )
    registry.insertDimensionData(
        "visit_system", {"instrument": INSTRUMENT, "id": 0, "name": "one-to-one"}
    )
    for band in BANDS:
        registry.insertDimensionData(
            "physical_filter", {"instrument": INSTRUMENT, "name": band.name, "band": band.name}
        )
    for detector in DETECTORS:
        registry.insertDimensionData(
            "detector",
            {
                "instrument": INSTRUMENT,
                "id": detector.id,
                "full_name": detector.name,
                "name_in_raft": detector.name[1:],
                "raft": "S",
                "purpose": "SCIENCE",
            },
        )
    for day_obs in sorted({visit.day_obs for visit in planned}):
        registry.insertDimensionData("day_obs", {"instrument": INSTRUMENT, "id": day_obs})
    for visit in planned:
        _register_visit(butler, visit)


def _register_visit(butler: Butler, visit: Visit) -> None:
    registry = butler.registry
    timespan = Timespan(
        Time(visit.begin, scale="tai"),
        Time(visit.end, scale="tai"),
    )
    common = {
        "instrument": INSTRUMENT,
        "id": visit.id,
        "day_obs": visit.day_obs,
        "physical_filter": visit.band.name,
        "exposure_time": visit.exposure_seconds,
        "target_name": TARGET,
        "observation_reason": "science",
        "science_program": "simulated",
        "timespan": timespan,
    }
    registry.insertDimensionData("group", {"instrument": INSTRUMENT, "name": visit.name})
    registry.insertDimensionData(
        "exposure",
        {
            **common,
            "group": visit.name,
            "obs_id": visit.name,
            "observation_type": "science",
            "seq_num": visit.seq_num,
            "seq_start": visit.seq_num,
            "seq_end": visit.seq_num,
            "tracking_ra": visit.ra,
            "tracking_dec": visit.dec,
            "sky_angle": visit.rotation,
            "has_simulated": True,
            "can_see_sky": True,
        },
    )
    regions = {detector.id: _polygon(corners(visit, detector)) for detector in DETECTORS}
    field = np.vstack([corners(visit, detector) for detector in DETECTORS])
    registry.insertDimensionData(
        "visit",
        {**common, "name": visit.name, "seq_num": visit.seq_num, "region": _polygon(field)},
    )
    registry.insertDimensionData(
        "visit_definition",
        {"instrument": INSTRUMENT, "visit": visit.id, "exposure": visit.id},
    )
    registry.insertDimensionData(
        "visit_system_membership", {"instrument": INSTRUMENT, "visit": visit.id, "visit_system": 0}
    )
    for detector_id, region in regions.items():
        registry.insertDimensionData(
            "visit_detector_region",
            {
                "instrument": INSTRUMENT,
                "visit": visit.id,
                "detector": detector_id,
                "region": region,
            },
        )


def _polygon(sky: np.ndarray) -> ConvexPolygon:
    """The convex hull of sky positions (n, 2) in degrees."""
    vectors = [UnitVector3d(LonLat.fromDegrees(float(ra), float(dec))) for ra, dec in sky]
    return ConvexPolygon.convexHull(vectors)


def _make_read_only(root: Path) -> None:
    """Nobody writes below ``root``; everybody reads."""
    with sqlite3.connect(root / "gen3.sqlite3") as database:
        mode = database.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    database.close()
    if mode != "delete":
        raise SampleError(f"the repository's registry is in journal mode {mode}, not delete")
    for path in sorted(root.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root.chmod(0o755)


def _remove(path: Path) -> None:
    """Remove a repository, whose folders may be read-only."""
    for folder in [path, *path.rglob("*")]:
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o755)
    shutil.rmtree(path)
