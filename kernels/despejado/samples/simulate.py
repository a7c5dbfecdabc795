"""Draw one detector's image of real stars: PSF, sky, noise, saturation, WCS, photometry.

Pure: catalogue rows in, arrays out; the random seed follows from visit and detector, so that every
machine makes the same repository.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from astropy.wcs import WCS

from .survey import (
    DETECTOR_SIZE,
    FACILITY,
    FULL_WELL,
    INSTRUMENT,
    PIXEL_SCALE_ARCSEC,
    READ_NOISE,
    TARGET,
    Detector,
    Visit,
)

Floats = npt.NDArray[np.float64]

MOFFAT_BETA = 3.0
_SUBPIXELS = 3


@dataclass(frozen=True)
class Stars:
    """Catalogue stars as columns of one length.

    ``hip``: Hipparcos number. ``ra``, ``dec``: degrees, ICRS. ``v``, ``bv``: V magnitude and
    B-V colour; a missing colour is NaN and taken as 0.65, the Sun's.
    """

    hip: npt.NDArray[np.int64]
    ra: Floats
    dec: Floats
    v: Floats
    bv: Floats

    def magnitude(self, visit: Visit) -> Floats:
        """Magnitudes in the visit's band."""
        colour = np.where(np.isfinite(self.bv), self.bv, 0.65)
        magnitudes: Floats = self.v + visit.band.colour_term * colour
        return magnitudes


def wcs_of(visit: Visit, detector: Detector) -> WCS:
    """The tangent-plane WCS of one detector (FITS WCS paper II, TAN)."""
    scale = PIXEL_SCALE_ARCSEC / 3600
    angle = np.radians(visit.rotation)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [visit.ra, visit.dec]
    centre = (DETECTOR_SIZE + 1) / 2
    wcs.wcs.crpix = [centre - detector.dx, centre - detector.dy]
    wcs.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.radesys = "ICRS"
    wcs.array_shape = (DETECTOR_SIZE, DETECTOR_SIZE)
    return wcs


def corners(visit: Visit, detector: Detector) -> Floats:
    """Sky corners (4, 2) of a detector in degrees, in the order of `anticlockwise`."""
    low, high = -0.5, DETECTOR_SIZE - 0.5
    pixels = np.array([[low, low], [high, low], [high, high], [low, high]])
    sky: Floats = np.asarray(wcs_of(visit, detector).wcs_pix2world(pixels, 0))
    return anticlockwise(sky)


def anticlockwise(sky: Floats) -> Floats:
    """Order the corners (n, 2) of a small convex field anticlockwise as seen from the Earth.

    East is left in that view, which is the winding that DALI 1.1 §3.3.7 asks of polygons.
    """
    x = -(sky[:, 0] - sky[0, 0]) * np.cos(np.radians(sky[0, 1]))
    y = sky[:, 1] - sky[0, 1]
    area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
    return sky if area > 0 else sky[::-1]


def _psf(dx: Floats, dy: Floats, alpha: float) -> Floats:
    """Moffat profile of unit volume at offsets in pixels (Moffat 1969, A&A 3, 455)."""
    norm = (MOFFAT_BETA - 1) / (np.pi * alpha**2)
    profile: Floats = norm * (1 + (dx**2 + dy**2) / alpha**2) ** -MOFFAT_BETA
    return profile


def _add_star(image: Floats, x: float, y: float, electrons: float, alpha: float) -> None:
    """Add a star at pixel (x, y), integrated over pixels, out to where it fades into the noise."""
    reach = int(np.clip(alpha * (electrons / 3.0) ** (1 / (2 * MOFFAT_BETA)), 6, 200))
    x0, x1 = max(int(x) - reach, 0), min(int(x) + reach + 2, image.shape[1])
    y0, y1 = max(int(y) - reach, 0), min(int(y) + reach + 2, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    steps = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS - 0.5
    columns = np.arange(x0, x1)[None, :] - x
    rows = np.arange(y0, y1)[:, None] - y
    total = np.zeros((y1 - y0, x1 - x0))
    for sub_y in steps:
        for sub_x in steps:
            total += _psf(columns + sub_x, rows + sub_y, alpha)
    image[y0:y1, x0:x1] += electrons * total / _SUBPIXELS**2


def _positions(stars: Stars, wcs: WCS) -> tuple[Floats, Floats]:
    """Pixel positions (origin 0) of stars; NaN for those on the far side of the sky."""
    ra0, dec0 = np.radians(wcs.wcs.crval)
    ra, dec = np.radians(stars.ra), np.radians(stars.dec)
    cosine = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    x, y = wcs.wcs_world2pix(stars.ra, stars.dec, 0)
    # The tangent plane has no place for the other hemisphere; keep well inside this one.
    near = cosine > np.cos(np.radians(10))
    return np.where(near, x, np.nan), np.where(near, y, np.nan)


def simulate(stars: Stars, visit: Visit, detector: Detector) -> tuple[CCDData, Table]:
    """One detector's calibrated image and its source table.

    Returns the image in electrons with mask (True where saturated), standard deviation and WCS,
    and the forced photometry of the catalogue stars in it (see `measure`).
    """
    rng = np.random.default_rng([visit.id, detector.id])
    wcs = wcs_of(visit, detector)
    alpha = visit.fwhm / PIXEL_SCALE_ARCSEC / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    magnitudes = stars.magnitude(visit)
    x, y = _positions(stars, wcs)
    margin = 60
    inside = np.flatnonzero(
        (x > -margin) & (x < DETECTOR_SIZE + margin) & (y > -margin) & (y < DETECTOR_SIZE + margin)
    )
    expected = np.full((DETECTOR_SIZE, DETECTOR_SIZE), visit.band.sky * visit.exposure_seconds)
    for star in inside:
        rate = 10 ** (-0.4 * (magnitudes[star] - visit.band.zero_point))
        _add_star(
            expected, float(x[star]), float(y[star]), float(rate * visit.exposure_seconds), alpha
        )
    image = rng.poisson(expected) + rng.normal(0, READ_NOISE, expected.shape)
    saturated = image >= FULL_WELL
    image = np.minimum(image, FULL_WELL)
    sigma = np.sqrt(np.maximum(image, 0) + READ_NOISE**2)

    header = wcs.to_header()
    header["INSTRUME"] = INSTRUMENT
    header["TELESCOP"] = (FACILITY, "no such telescope: a simulation")
    header["OBJECT"] = TARGET
    header["FILTER"] = visit.band.name
    header["EXPTIME"] = (visit.exposure_seconds, "[s]")
    header["DATE-BEG"] = (visit.begin.isoformat(), "TAI")
    header["TIMESYS"] = "TAI"
    header["VISIT"] = visit.id
    header["DETECTOR"] = detector.id
    header["PHOTZP"] = (visit.band.zero_point, "[mag] of 1 electron/s")
    header["SEEING"] = (visit.fwhm, "[arcsec] full width at half maximum")
    header["SATURATE"] = (FULL_WELL, "[electron]")
    ccd = CCDData(
        image.astype(np.float32),
        unit=units.electron,
        mask=saturated,
        uncertainty=StdDevUncertainty(sigma.astype(np.float32)),
        wcs=wcs,
        meta=fits.Header(header),
    )
    on_detector = inside[
        (x[inside] > 0)
        & (x[inside] < DETECTOR_SIZE - 1)
        & (y[inside] > 0)
        & (y[inside] < DETECTOR_SIZE - 1)
    ]
    return ccd, measure(ccd, stars, on_detector, x, y, visit, detector)


def measure(
    ccd: CCDData,
    stars: Stars,
    which: npt.NDArray[np.int64],
    x: Floats,
    y: Floats,
    visit: Visit,
    detector: Detector,
) -> Table:
    """Forced aperture photometry at catalogue positions; local sky from a ring.

    Columns: ``sourceId``, ``hip``, ``x``, ``y`` (pixels, origin 0), ``ra``, ``dec`` (deg),
    ``flux``, ``fluxErr`` (electrons in an aperture of 2.5 FWHM in diameter), ``mag``, ``magErr``,
    ``saturated``. Neighbours are not deblended.
    """
    fwhm_pixels = visit.fwhm / PIXEL_SCALE_ARCSEC
    radius = 1.25 * fwhm_pixels
    alpha = fwhm_pixels / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    # Volume of a Moffat profile outside the aperture, which every star loses alike.
    aperture_correction = 1 - (1 + (radius / alpha) ** 2) ** (1 - MOFFAT_BETA)
    rows, columns = np.indices(ccd.data.shape)
    flux, error = np.zeros(len(which)), np.zeros(len(which))
    saturated = np.zeros(len(which), dtype=bool)
    for index, star in enumerate(which):
        box = _box(x[star], y[star], 4 * radius, ccd.data.shape)
        distance = np.hypot(rows[box] - y[star], columns[box] - x[star])
        # A pixel on the rim counts for the part that lies inside.
        weight = np.clip(radius + 0.5 - distance, 0, 1)
        ring = (distance > 2.5 * radius) & (distance < 4 * radius)
        sky = float(np.median(ccd.data[box][ring]))
        flux[index] = np.sum(weight * (ccd.data[box] - sky)) / aperture_correction
        variance = np.sum(weight * ccd.uncertainty.array[box] ** 2)
        error[index] = np.sqrt(variance) / aperture_correction
        saturated[index] = bool(np.any(ccd.mask[box][weight > 0]))
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = visit.band.zero_point - 2.5 * np.log10(flux / visit.exposure_seconds)
        mag_error = 2.5 / np.log(10) * error / flux
    first = (visit.id * 10 + detector.id) * 10_000
    table = Table(
        {
            "sourceId": first + np.arange(len(which), dtype=np.int64),
            "hip": stars.hip[which],
            "x": x[which],
            "y": y[which],
            "ra": stars.ra[which],
            "dec": stars.dec[which],
            "flux": flux,
            "fluxErr": error,
            "mag": mag,
            "magErr": mag_error,
            "saturated": saturated,
        }
    )
    for name, unit in (
        ("x", "pix"),
        ("y", "pix"),
        ("ra", "deg"),
        ("dec", "deg"),
        ("flux", "electron"),
        ("fluxErr", "electron"),
        ("mag", "mag"),
        ("magErr", "mag"),
    ):
        table[name].unit = unit
    return table


def _box(x: float, y: float, half: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    return (
        slice(max(int(y - half), 0), min(int(y + half) + 2, shape[0])),
        slice(max(int(x - half), 0), min(int(x + half) + 2, shape[1])),
    )
