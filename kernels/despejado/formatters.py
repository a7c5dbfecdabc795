"""FITS files in a Butler repository as `astropy.nddata.CCDData`.

Butler imports this module by the name in a repository's configuration; nothing else in this
package does, because it needs the Rubin middleware.
"""

from __future__ import annotations

from typing import Any

from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS
from lsst.daf.butler import FormatterV2
from lsst.resources import ResourcePath

REPOSITORY_CONFIG: dict[str, dict[str, Any]] = {
    "storageClasses": {
        "AstropyWCS": {"pytype": "astropy.wcs.WCS"},
        "AstropyCCD": {
            "pytype": "astropy.nddata.CCDData",
            "components": {"wcs": "AstropyWCS", "mask": "NumpyArray", "variance": "NumpyArray"},
        },
    },
    "datastore": {"formatters": {"AstropyCCD": "despejado.formatters.AstropyCCDFormatter"}},
}
"""What a new repository needs in its configuration: ``Butler.makeRepo(root,
config=Config(REPOSITORY_CONFIG))``. Both parts stay in its ``butler.yaml``.

Butler keeps one table of storage classes for the whole process: two repositories that define
AstropyCCD differently cannot be opened side by side. So a change here is a change of all of them.
"""


class AstropyCCDFormatter(FormatterV2):
    """A CCDData as the FITS file that astropy writes.

    The image with its WCS, unit (BUNIT) and header is in the primary HDU, then ``MASK`` and
    ``UNCERT`` where there are such. Components: ``wcs`` (reads the header only),
    ``mask`` (bool, shape of the image) and ``variance`` (in the square of the image's unit); None
    where the file has none. Files of other origin are read too: their unit is ``adu`` if the
    header has no BUNIT.
    """

    default_extension = ".fits"
    supported_extensions = frozenset({".fits", ".fits.gz", ".fits.fz", ".fz"})
    can_read_from_local_file = True

    def read_from_local_file(
        self, path: str, component: str | None = None, expected_size: int = -1
    ) -> Any:
        """Read the image, or one component of it."""
        if component == "wcs":
            return _wcs(path)
        image = _read(path)
        if component is None:
            return image
        if component == "mask":
            return image.mask
        if component == "variance":
            return None if image.uncertainty is None else _variance(image)
        return NotImplemented

    def write_local_file(self, in_memory_dataset: CCDData, uri: ResourcePath) -> None:
        """Write the image with mask and uncertainty."""
        in_memory_dataset.write(uri.ospath, format="fits", overwrite=True)


def _image_header(path: str) -> fits.Header:
    """The header of the first HDU with an image: what `CCDData.read` reads."""
    with fits.open(path) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.header.get("NAXIS", 0) > 0:
                return hdu.header
        raise OSError(f"{path} holds no image.")


def _read(path: str) -> CCDData:
    unit = None if "BUNIT" in _image_header(path) else "adu"
    return CCDData.read(path, format="fits", unit=unit)


def _wcs(path: str) -> WCS | None:
    header = _image_header(path)
    return WCS(header) if "CTYPE1" in header else None


def _variance(image: CCDData) -> Any:
    from astropy.nddata import VarianceUncertainty

    return image.uncertainty.represent_as(VarianceUncertainty).array
