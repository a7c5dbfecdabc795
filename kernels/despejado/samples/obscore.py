"""ObsCore rows of the sample images (ObsCore 1.1, IVOA Recommendation of 9 May 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from .survey import (
    DETECTOR_SIZE,
    DETECTORS,
    FACILITY,
    INSTRUMENT,
    PIXEL_SCALE_ARCSEC,
    TARGET,
    visits,
)

if TYPE_CHECKING:
    import pyarrow as pa

MJD_UNIX_EPOCH = 40587.0


@dataclass(frozen=True)
class ObsCoreRow:
    """One row of ivoa.ObsCore, in its units: degrees, days (MJD), metres, seconds, kilobytes."""

    dataproduct_type: str
    dataproduct_subtype: str
    calib_level: int
    obs_collection: str
    obs_id: str
    obs_title: str
    obs_publisher_did: str
    access_url: str | None
    access_format: str
    access_estsize: int
    target_name: str
    s_ra: float
    s_dec: float
    s_fov: float
    s_region: str
    s_resolution: float | None
    s_xel1: int
    s_xel2: int
    t_min: float | None
    t_max: float | None
    t_exptime: float | None
    t_resolution: float | None
    t_xel: int
    em_min: float | None
    em_max: float | None
    em_res_power: float | None
    em_xel: int
    o_ucd: str
    pol_states: str | None
    pol_xel: int
    facility_name: str
    instrument_name: str
    lsst_visit: int | None
    lsst_detector: int | None
    lsst_band: str | None


def simulated_rows(sizes: dict[tuple[int, int], int]) -> list[ObsCoreRow]:
    """Rows of all simulated detector images; ``sizes``: (visit, detector) -> bytes of the file."""
    from .simulate import corners

    found = []
    for visit in visits():
        begin = MJD_UNIX_EPOCH + (visit.begin - datetime(1970, 1, 1)) / timedelta(days=1)
        for detector in DETECTORS:
            sky = corners(visit, detector)
            low, high = visit.band.wavelength
            side = DETECTOR_SIZE * PIXEL_SCALE_ARCSEC / 3600
            found.append(
                ObsCoreRow(
                    dataproduct_type="image",
                    dataproduct_subtype="despejado.visit_image",
                    calib_level=2,
                    obs_collection="sample/pleiades",
                    obs_id=f"{visit.name}_{detector.name}",
                    obs_title=f"{TARGET} {visit.band.name} simulated visit {visit.id}",
                    obs_publisher_did=(
                        f"ivo://despejado/sample?visit_image/{visit.id}/{detector.id}"
                    ),
                    access_url=None,
                    access_format="image/fits",
                    access_estsize=round(sizes.get((visit.id, detector.id), 0) / 1024),
                    target_name=TARGET,
                    s_ra=float(sky[:, 0].mean()),
                    s_dec=float(sky[:, 1].mean()),
                    s_fov=side * 2**0.5,
                    s_region=polygon(sky.tolist()),
                    s_resolution=visit.fwhm,
                    s_xel1=DETECTOR_SIZE,
                    s_xel2=DETECTOR_SIZE,
                    t_min=begin,
                    t_max=begin + visit.exposure_seconds / 86400,
                    t_exptime=visit.exposure_seconds,
                    t_resolution=visit.exposure_seconds,
                    t_xel=1,
                    em_min=low,
                    em_max=high,
                    em_res_power=(low + high) / 2 / (high - low),
                    em_xel=1,
                    o_ucd="phot.count",
                    pol_states=None,
                    pol_xel=0,
                    facility_name=FACILITY,
                    instrument_name=INSTRUMENT,
                    lsst_visit=visit.id,
                    lsst_detector=detector.id,
                    lsst_band=visit.band.name,
                )
            )
    return found


def m13_row(ra: float, dec: float, sky: list[list[float]], size: int) -> ObsCoreRow:
    """The row of the DSS image of M13 that astropy carries."""
    return ObsCoreRow(
        dataproduct_type="image",
        dataproduct_subtype="despejado.m13_image",
        calib_level=2,
        obs_collection="sample/m13",
        obs_id="m13",
        obs_title="M13, Digitized Sky Survey",
        obs_publisher_did="ivo://despejado/sample?m13_image",
        access_url=None,
        access_format="image/fits",
        access_estsize=round(size / 1024),
        target_name="M13",
        s_ra=ra,
        s_dec=dec,
        s_fov=300 * 2**0.5 / 3600,
        s_region=polygon(sky),
        s_resolution=None,
        s_xel1=300,
        s_xel2=300,
        t_min=None,
        t_max=None,
        t_exptime=None,
        t_resolution=None,
        t_xel=1,
        em_min=None,
        em_max=None,
        em_res_power=None,
        em_xel=1,
        o_ucd="phot.count",
        pol_states=None,
        pol_xel=0,
        facility_name="STScI Digitized Sky Survey",
        instrument_name="Palomar Schmidt plate",
        lsst_visit=None,
        lsst_detector=None,
        lsst_band=None,
    )


def polygon(sky: list[list[float]]) -> str:
    """An STC-S polygon of sky corners in degrees (as ObsCore 1.1 writes ``s_region``)."""
    return "POLYGON ICRS " + " ".join(f"{ra:.6f} {dec:.6f}" for ra, dec in sky)


def table_of(rows: list[ObsCoreRow]) -> pa.Table:
    """Rows as an Arrow table; columns in the order of `ObsCoreRow`."""
    import dataclasses

    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    schema = pa.schema(
        [
            (field.name, kinds[str(field.type).split(" ")[0]])
            for field in dataclasses.fields(ObsCoreRow)
        ]
    )
    return pa.Table.from_pylist([dataclasses.asdict(row) for row in rows], schema=schema)


def write(rows: list[ObsCoreRow], path: Path) -> None:
    """Write the rows as Parquet, all or nothing."""
    import pyarrow.parquet as pq

    part = path.with_name(path.name + ".part")
    pq.write_table(table_of(rows), part)
    part.chmod(0o644)
    part.replace(path)
