"""What the sample survey observes: bands, camera and visits. Pure data, always the same.

The camera and the visits are invented and say so (``has_simulated``, ``science_program``); the
stars in them are not: positions and magnitudes come from the star catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

INSTRUMENT = "DSim"
FACILITY = "Despejado (simulated)"
TARGET = "M45"

PIXEL_SCALE_ARCSEC = 7.5
DETECTOR_SIZE = 600
"""Pixels on a side of a detector."""
DETECTOR_GAP = 20
"""Pixels between two detectors."""

FULL_WELL = 65_000.0
"""Electrons at which a pixel saturates."""
READ_NOISE = 5.0
"""Electrons, root mean square."""

PLEIADES = (56.75, 24.1167)
"""Right ascension and declination of M45, degrees, ICRS."""
BORESIGHT = (56.10, 23.45)
"""Where the camera looks, so that the cluster's core falls on detector S10 and not into a gap."""


@dataclass(frozen=True)
class Band:
    """A pass band.

    ``colour_term``: a star's magnitude is V + colour_term * (B-V). B is exact by definition; for
    R it is the mean main-sequence relation V-R = 0.57 (B-V) (Bessell 1990, PASP 102, 1181).
    ``zero_point``: the magnitude of a source that gives one electron a second.
    ``sky``: electrons a pixel and second. ``wavelength``: (shortest, longest), metres.
    """

    name: str
    colour_term: float
    zero_point: float
    sky: float
    wavelength: tuple[float, float]


BANDS = (
    Band("B", 1.0, 17.3, 3.0, (3.91e-7, 4.89e-7)),
    Band("V", 0.0, 17.5, 4.0, (5.07e-7, 5.95e-7)),
    Band("R", -0.57, 17.6, 6.0, (5.89e-7, 7.27e-7)),
)


@dataclass(frozen=True)
class Detector:
    """One of the camera's four detectors; offsets of its centre from the boresight in pixels."""

    id: int
    name: str
    dx: float
    dy: float


_HALF = (DETECTOR_SIZE + DETECTOR_GAP) / 2
DETECTORS = (
    Detector(0, "S00", -_HALF, -_HALF),
    Detector(1, "S01", _HALF, -_HALF),
    Detector(2, "S10", -_HALF, _HALF),
    Detector(3, "S11", _HALF, _HALF),
)


@dataclass(frozen=True)
class Visit:
    """One pointing in one band.

    ``ra``, ``dec``: boresight, degrees, ICRS. ``rotation``: degrees from north to the detectors'
    y axis, through east. ``fwhm``: seeing in arcseconds. ``begin``: TAI.
    """

    id: int
    seq_num: int
    day_obs: int
    band: Band
    ra: float
    dec: float
    rotation: float
    fwhm: float
    begin: datetime
    exposure_seconds: float

    @property
    def end(self) -> datetime:
        """When the exposure ends (TAI, without a time zone)."""
        return self.begin + timedelta(seconds=self.exposure_seconds)

    @property
    def name(self) -> str:
        """Instrument, night and number in it: unique in the survey."""
        return f"{INSTRUMENT}_{self.day_obs}_{self.seq_num:05d}"


def visits() -> tuple[Visit, ...]:
    """Two nights, three bands each: small dithers, two rotations, changing seeing."""
    found = []
    for night, (day_obs, start) in enumerate(
        ((20260115, datetime(2026, 1, 16, 2, 0)), (20260118, datetime(2026, 1, 19, 2, 30)))
    ):
        for index, band in enumerate(BANDS):
            seq_num = index + 1
            found.append(
                Visit(
                    id=day_obs * 100_000 + seq_num,
                    seq_num=seq_num,
                    day_obs=day_obs,
                    band=band,
                    ra=BORESIGHT[0] + 0.02 * (index - 1) + 0.03 * night,
                    dec=BORESIGHT[1] + 0.015 * (index - 1) - 0.02 * night,
                    rotation=10.0 * night,
                    fwhm=16.0 + 1.0 * index + 2.0 * night,
                    begin=start + timedelta(minutes=4 * index),
                    exposure_seconds=5.0,
                )
            )
    return tuple(found)
