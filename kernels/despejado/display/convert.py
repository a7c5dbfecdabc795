"""What people have in hand, as a `SkyImage`, a Table or positions on the sky."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import Table
from astropy.wcs import WCS

from ..errors import CannotShow
from .protocol import SkyImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FITS = (".fits", ".fit", ".fts", ".fz", ".gz")
_TABLES = (".vot", ".xml", ".ecsv", ".csv")
_PAIRS = (
    ("ra", "dec"),
    ("coord_ra", "coord_dec"),
    ("s_ra", "s_dec"),
    ("raj2000", "dej2000"),
    ("ra_icrs", "de_icrs"),
    ("raj2000", "decj2000"),
    ("ra", "decl"),
    ("ra_deg", "dec_deg"),
)
"""Column names of positions, as catalogues have them."""


def to_showable(thing: object) -> SkyImage | Table:
    """An image or a table out of whatever ``thing`` is; raises `CannotShow`."""
    if isinstance(thing, str | os.PathLike):
        return _from_file(Path(thing))
    if isinstance(thing, SkyImage | Table):
        return thing
    if isinstance(thing, fits.HDUList):
        return _from_hdus(thing, "")
    if isinstance(thing, NDData):
        return _from_nddata(thing)
    if hasattr(thing, "header") and hasattr(thing, "data"):  # every kind of HDU
        return _from_hdu(thing, str(getattr(thing, "name", "")))
    if isinstance(thing, np.ndarray):
        return Table(thing) if thing.dtype.names else _image(thing)
    table = _table_of(thing)
    if table is not None:
        return table
    raise CannotShow(
        f"show() does not know how to draw {type(thing).__module__}.{type(thing).__name__}. It"
        " takes images (CCDData, NDData, two-dimensional arrays, HDUs, paths of FITS files) and"
        " tables (astropy, pandas, Arrow, results of a query)."
    )


def positions(overlay: object) -> SkyCoord:
    """Positions on the sky out of a catalogue.

    It is a SkyCoord, or a table with a column of them or with right ascension and declination
    (degrees, if the columns have no unit).
    """
    if isinstance(overlay, SkyCoord):
        return overlay.reshape(-1)
    table = overlay if isinstance(overlay, Table) else _table_of(overlay)
    if table is None:
        raise CannotShow(
            f"overlay must be a catalogue or a SkyCoord, not {type(overlay).__name__}."
        )
    for column in table.itercols():
        if isinstance(column, SkyCoord):
            return column
    names = {name.casefold(): name for name in table.colnames}
    for lon, lat in _PAIRS:
        if lon in names and lat in names:
            return SkyCoord(_angle(table[names[lon]]), _angle(table[names[lat]]), frame="icrs")
    raise CannotShow(
        "The catalogue to overlay has no columns of positions (such as ra and dec) among: "
        + ", ".join(table.colnames)
        + ". Give a SkyCoord instead."
    )


def _angle(column: Any) -> u.Quantity:
    values: NDArray[np.float64] = np.ma.filled(np.ma.array(column, dtype=float), np.nan)
    unit = getattr(column, "unit", None) or u.deg
    return u.Quantity(values, unit).to(u.deg)


def _table_of(thing: object) -> Table | None:
    """Tables of other libraries, known by what they can do (none of them is imported here)."""
    if isinstance(thing, Table):
        return thing
    to_table = getattr(thing, "to_table", None)
    if callable(to_table):  # results of pyvo
        table = to_table()
        return table if isinstance(table, Table) else None
    if type(thing).__module__.partition(".")[0] == "pandas" and hasattr(thing, "columns"):
        return Table.from_pandas(thing)
    to_pydict = getattr(thing, "to_pydict", None)
    return Table(to_pydict()) if callable(to_pydict) else None


def _from_file(path: Path) -> SkyImage | Table:
    if not path.is_file():
        raise CannotShow(f"There is no file {path} (looked from {Path.cwd()}).")
    if path.suffix.lower() in _TABLES:
        return Table.read(path)
    try:
        with fits.open(path, memmap=False) as hdus:
            return _from_hdus(hdus, path.name, path)
    except OSError as error:
        raise CannotShow(
            f"{path} is not a readable FITS file ({error}). show() reads"
            f" {', '.join(_FITS + _TABLES)}."
        ) from error


def _from_hdus(hdus: Any, title: str, path: Path | None = None) -> SkyImage | Table:
    images = [hdu for hdu in hdus if _has_plane(hdu)]
    if images:
        return _from_hdu(images[0], title, path)
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
    if tables:
        return _from_hdu(tables[0], title, path)
    raise CannotShow(f"{title or 'The HDU list'} has neither an image nor a table in it.")


def _has_plane(hdu: Any) -> bool:
    return bool(hdu.is_image) and len([n for n in hdu.shape if n > 1]) == 2


def _from_hdu(hdu: Any, title: str, path: Path | None = None) -> SkyImage | Table:
    if isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and not hdu.is_image:
        return Table.read(hdu)
    if hdu.data is None:
        raise CannotShow(f"HDU {title or hdu.name or 0!r} has a header but no data.")
    wcs = WCS(hdu.header) if "CTYPE1" in hdu.header else None
    return _image(hdu.data, wcs, _unit(hdu.header.get("BUNIT")), title=title, path=path)


def _unit(text: object) -> u.UnitBase | None:
    if not isinstance(text, str) or not text.strip():
        return None
    unit: u.UnitBase = u.Unit(text.strip(), parse_strict="silent")
    return unit


def _from_nddata(data: NDData) -> SkyImage:
    title = str((data.meta or {}).get("OBJECT", ""))
    mask = None if data.mask is None else np.broadcast_to(data.mask, np.shape(data.data)) != 0
    return _image(np.asarray(data.data), data.wcs, data.unit, mask, title)


def _image(
    data: Any,
    wcs: Any = None,
    unit: u.UnitBase | None = None,
    mask: NDArray[Any] | None = None,
    title: str = "",
    path: Path | None = None,
) -> SkyImage:
    """Check and squeeze: axes of length one go, two must be left."""
    if isinstance(data, u.Quantity):
        data, unit = data.value, data.unit
    if isinstance(data, np.ma.MaskedArray):
        mask, data = np.ma.getmaskarray(data), data.data
    array = np.asarray(data)
    if array.dtype.kind not in "buif":
        raise CannotShow(f"An image needs real numbers; this array holds {array.dtype}.")
    # an image may itself be one row or column of pixels
    plain = array.ndim >= 2 and all(n == 1 for n in array.shape[:-2])
    plane = array.reshape(array.shape[-2:]) if plain else array.squeeze()
    if plane.ndim != 2:
        raise CannotShow(
            f"show() draws two-dimensional images; this one has the shape {array.shape}."
            + (" Choose a plane, such as image[0]." if plane.ndim > 2 else "")
        )
    return SkyImage(
        data=plane.astype(float) if plane.dtype.kind == "b" else plane,
        wcs=_plane_wcs(wcs),
        unit=unit,
        mask=None if mask is None else np.asarray(mask, dtype=bool).reshape(plane.shape),
        title=title,
        path=path,
    )


def _plane_wcs(wcs: Any) -> WCS | None:
    """The two axes of the sky, if the WCS has them."""
    low = getattr(wcs, "low_level_wcs", wcs)
    if not isinstance(low, WCS):
        return None
    if low.naxis > 2:
        low = low.celestial
    return low if low.naxis == 2 and low.has_celestial else None
