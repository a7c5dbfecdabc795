"""The built-in viewer: matplotlib with sky coordinates along the axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from astropy.visualization import AsinhStretch, ImageNormalize, ZScaleInterval

from .protocol import SkyImage
from .table import TableView, show_preview

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from numpy.typing import NDArray

_PIXELS = 3000
"""Longest side that is drawn; larger images are thinned (a figure has fewer pixels still)."""
_MARK = "#ff9d3c"
_BAD = "#5a3d5c"


@dataclass(frozen=True, eq=False)
class ImageView:
    """A drawn image and the marks of its overlay.

    ``figure`` and ``axes`` are matplotlib's (sky axes where there is a WCS). The axes count in
    pixels of the image, the first one at (0, 0).
    """

    figure: Any
    axes: Any
    marks: Any = None

    def _ipython_display_(self) -> None:
        """Nothing: the figure has been shown."""


class MatplotlibBackend:
    """Draws with ``matplotlib.pyplot``, so that the figure appears wherever others do."""

    def show_image(self, image: SkyImage, overlay: SkyCoord | None) -> ImageView:
        """Draw an image, and the positions of ``overlay`` as rings.

        Limits are zscale's, the stretch is asinh, bad pixels have a colour of their own.
        """
        figure = plt.figure(figsize=(7.0, 6.0), layout="compressed")
        axes = figure.add_subplot(projection=image.wcs)
        _draw(figure, axes, image)
        marks = None if overlay is None else _mark(figure, axes, image, overlay)
        ny, nx = image.data.shape
        axes.set_xlim(-0.5, nx - 0.5)
        axes.set_ylim(-0.5, ny - 0.5)
        return ImageView(figure, axes, marks)

    def show_table(self, table: Table) -> TableView:
        """A readable preview of a table."""
        return show_preview(table)


def _draw(figure: Any, axes: Any, image: SkyImage) -> None:
    ny, nx = image.data.shape
    step = max(1, math.ceil(max(ny, nx) / _PIXELS))
    thin = np.s_[step // 2 :: step, step // 2 :: step]
    bad = ~np.isfinite(image.data[thin])
    if image.mask is not None:
        bad |= image.mask[thin]
    shown = np.ma.MaskedArray(image.data[thin], mask=bad)
    ny_thin, nx_thin = shown.shape
    drawn = axes.imshow(
        shown,
        origin="lower",
        interpolation="nearest",
        cmap=plt.get_cmap("gray").with_extremes(bad=_BAD),
        norm=_norm(shown.compressed()),
        extent=(-0.5, nx_thin * step - 0.5, -0.5, ny_thin * step - 0.5),
    )
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    if image.unit is not None:
        bar.set_label(image.unit.to_string())
    if image.title:
        axes.set_title(image.title)
    if image.wcs is None:
        axes.set_xlabel("x (pixel)")
        axes.set_ylabel("y (pixel)")
    else:
        _label_sky(axes, image.wcs)


def _label_sky(axes: Any, wcs: Any) -> None:
    frame = str(wcs.wcs.radesys or "").strip()
    names = {
        "RA--": f"Right ascension {f'({frame})' if frame else ''}",
        "DEC-": f"Declination {f'({frame})' if frame else ''}",
        "GLON": "Galactic longitude",
        "GLAT": "Galactic latitude",
    }
    for axis, kind in enumerate(wcs.wcs.ctype):
        if kind[:4] in names:
            axes.coords[axis].set_axislabel(names[kind[:4]].strip())
    axes.coords.grid(color="white", alpha=0.25, linestyle=":")


def _norm(values: NDArray[Any]) -> ImageNormalize:
    """Limits by zscale over the good pixels; an image of one value gets a range around it."""
    low, high = ZScaleInterval().get_limits(values) if values.size else (0.0, 1.0)
    if not low < high:
        low, high = low - 0.5, low + 0.5
    return ImageNormalize(vmin=low, vmax=high, stretch=AsinhStretch(), clip=False)


def _mark(figure: Any, axes: Any, image: SkyImage, overlay: SkyCoord) -> Any:
    """Rings at the positions that are inside the image; the others are counted in the label."""
    ny, nx = image.data.shape
    with np.errstate(invalid="ignore"):
        x, y = image.wcs.world_to_pixel(overlay) if image.wcs is not None else ([], [])
    x, y = np.atleast_1d(x), np.atleast_1d(y)
    inside = (x >= -0.5) & (x < nx - 0.5) & (y >= -0.5) & (y < ny - 0.5)
    marks = axes.scatter(
        x[inside],
        y[inside],
        s=60,
        facecolors="none",
        edgecolors=_MARK,
        linewidths=1.2,
        label=f"{int(inside.sum())} of {len(x)} positions are in the image",
    )
    figure.legend(handles=[marks], loc="outside lower center", fontsize="small", frameon=False)
    return marks
