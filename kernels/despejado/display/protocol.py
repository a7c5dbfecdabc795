"""What a viewer gets, and what a viewer is.

Another viewer (Firefly) is an entry point of the group ``despejado.display``: a callable that
takes the `despejado.models.Discovery` of the platform and returns a `DisplayBackend`, or None
where it has nothing to work with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from astropy.units import UnitBase
    from astropy.wcs import WCS
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SkyImage:
    """A two-dimensional image, shape (ny, nx), first pixel at the lower left.

    ``mask`` is True where a pixel is bad; ``wcs`` has two pixel axes. ``path`` is the file that
    it came from, if it was one.
    """

    data: NDArray[Any]
    wcs: WCS | None = None
    unit: UnitBase | None = None
    mask: NDArray[Any] | None = None
    title: str = ""
    path: Path | None = None


class DisplayBackend(Protocol):
    """A viewer. What the methods return is handed to the caller of `despejado.show`."""

    def show_image(self, image: SkyImage, overlay: SkyCoord | None) -> object:
        """Show an image, with a mark at each position of ``overlay``."""

    def show_table(self, table: Table) -> object:
        """Show a table."""
