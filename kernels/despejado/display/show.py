"""``despejado.show``: one call for images and tables, whatever viewer there is."""

from __future__ import annotations

from importlib.metadata import entry_points

from ..errors import CannotShow, NoPlatform
from ..platform import discovery
from .convert import positions, to_showable
from .protocol import DisplayBackend, SkyImage

GROUP = "despejado.display"


def show(thing: object, *, overlay: object = None, backend: DisplayBackend | None = None) -> object:
    """Show an image or a table.

    ``thing`` is an image (CCDData, NDData, array of shape (ny, nx), HDU, path of a FITS file) or a
    table (astropy, pandas, Arrow, results of a query, path). ``overlay`` is a catalogue or a
    SkyCoord: its positions are marked on the image, which then needs a WCS. ``backend`` is a
    viewer to use in place of the platform's.

    Returns what the viewer returns; the built-in one an object with ``figure`` and ``axes`` for an
    image, with ``table`` for a table. Raises `CannotShow`.
    """
    found = to_showable(thing)
    viewer = backend or _viewer()
    if not isinstance(found, SkyImage):
        if overlay is not None:
            raise CannotShow("overlay marks positions on an image; this is a table.")
        return viewer.show_table(found)
    if overlay is None:
        return viewer.show_image(found, None)
    if found.wcs is None:
        raise CannotShow(
            "overlay needs to know where on the sky the image is, and this one has no celestial"
            " WCS. Give a CCDData with wcs=..., or a FITS file whose header has one."
        )
    return viewer.show_image(found, positions(overlay))


def _viewer() -> DisplayBackend:
    """The first viewer that is installed and configured, else the built-in one."""
    installed = list(entry_points(group=GROUP))
    if not installed:
        return _built_in()
    try:
        platform = discovery()
    except NoPlatform:
        return _built_in()
    for entry in installed:
        viewer: DisplayBackend | None = entry.load()(platform)
        if viewer is not None:
            return viewer
    return _built_in()


def _built_in() -> DisplayBackend:
    try:
        from .mpl import MatplotlibBackend
    except ModuleNotFoundError as error:
        raise CannotShow(
            f"Showing needs {error.name}, which is not installed here:"
            " pip install 'despejado[notebook]'."
        ) from error
    return MatplotlibBackend()
