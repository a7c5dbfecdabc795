"""The Butler of a data set, and FITS files in it as CCDData."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import despejado
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS
from despejado.errors import ButlerMissing, RepositoryMissing

daf_butler = pytest.importorskip("lsst.daf.butler", reason="needs the extra despejado[butler]")


def image(**changes: object) -> CCDData:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [56.87, 24.1]
    wcs.wcs.crpix = [4, 3]
    wcs.wcs.cdelt = [-2e-4, 2e-4]
    data = np.arange(48, dtype="f4").reshape(6, 8)
    parts = {
        "unit": "electron",
        "wcs": wcs,
        "mask": data % 7 == 0,
        "uncertainty": StdDevUncertainty(np.full(data.shape, 2.0)),
        "meta": {"FILTER": "g", "EXPTIME": 30.0},
    }
    return CCDData(data, **{**parts, **changes})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one image in the collection ``u/test``."""
    from despejado.formatters import REPOSITORY_CONFIG

    folder = tmp_path_factory.mktemp("repository")
    config = daf_butler.Butler.makeRepo(str(folder), config=daf_butler.Config(REPOSITORY_CONFIG))
    with daf_butler.Butler.from_config(config, writeable=True, run="u/test") as butler:
        for name in ("image", "bare"):
            kind = daf_butler.DatasetType(name, (), "AstropyCCD", universe=butler.dimensions)
            butler.registry.registerDatasetType(kind)
        butler.put(image(), "image")
        butler.put(image(wcs=None, mask=None, uncertainty=None, unit="adu"), "bare")
    return folder


@pytest.fixture
def repository(root: Path, lab: Path, clean: pytest.MonkeyPatch) -> Path:
    """The repository as that of the lab's data set, found as Butler users find it too."""
    file = lab / "discovery" / "v1.json"
    document = json.loads(file.read_text())
    document["datasets"]["sample"]["butler_config"] = str(root)
    file.write_text(json.dumps(document))
    clean.setenv("DAF_BUTLER_REPOSITORIES", f"sample: {root}")
    return root


def test_image_comes_back_as_it_was_put(repository: Path) -> None:
    with despejado.butler(collections="u/test") as butler:
        found, put = butler.get("image"), image()
    assert isinstance(found, CCDData)
    np.testing.assert_array_equal(found.data, put.data)
    assert found.data.dtype.kind == "f"
    assert found.unit == put.unit
    np.testing.assert_array_equal(found.mask, put.mask)
    assert isinstance(found.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(found.uncertainty.array, put.uncertainty.array)
    assert (found.meta["FILTER"], found.meta["EXPTIME"]) == ("g", 30.0)
    assert found.wcs.pixel_to_world(0, 0).separation(put.wcs.pixel_to_world(0, 0)).arcsec < 1e-6


def test_components(repository: Path) -> None:
    with despejado.butler("sample", "u/test") as butler:
        assert tuple(butler.get("image.wcs").wcs.crval) == (56.87, 24.1)
        assert butler.get("image.mask").sum() == 7
        np.testing.assert_array_equal(butler.get("image.variance"), np.full((6, 8), 4.0))


def test_components_that_are_not_there(repository: Path) -> None:
    from despejado.formatters import AstropyCCDFormatter

    with despejado.butler(collections="u/test") as butler:
        found = butler.get("bare")
        path = butler.getURI("bare").ospath
    assert (found.wcs, found.mask, found.uncertainty) == (None, None, None)
    read = object.__new__(AstropyCCDFormatter).read_from_local_file  # what is asked of no butler
    parts = [read(path, component=name) for name in ("wcs", "mask", "variance")]
    assert parts == [None, None, None]
    assert read(path, component="psf") is NotImplemented


def test_files_of_other_origin(tmp_path: Path) -> None:
    """No unit, the image in an extension, variance in place of deviation."""
    from despejado.formatters import AstropyCCDFormatter

    read = object.__new__(AstropyCCDFormatter).read_from_local_file
    plain = tmp_path / "plain.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 4)), name="SCI")]).writeto(plain)
    assert read(str(plain)).unit == "adu"
    assert read(str(plain)).shape == (3, 4)
    variance = tmp_path / "variance.fits"
    image(uncertainty=VarianceUncertainty(np.full((6, 8), 9.0))).write(variance)
    np.testing.assert_array_equal(read(str(variance), component="variance"), np.full((6, 8), 9.0))
    empty = tmp_path / "empty.fits"
    fits.PrimaryHDU().writeto(empty)
    with pytest.raises(OSError, match="holds no image"):
        read(str(empty))


def test_butler_is_read_only(repository: Path) -> None:
    with (
        despejado.butler(collections="u/test") as butler,
        pytest.raises(TypeError, match="read-only"),
    ):
        butler.put(image(), "image", run="u/test")


def test_stock_butler_works_in_a_lab(repository: Path) -> None:
    with daf_butler.Butler("sample", collections="u/test") as butler:
        assert butler.get("image").shape == (6, 8)


def test_sample_lists_collections(repository: Path) -> None:
    found = despejado.sample()
    assert list(found["name"][found["kind"] == "collection"]) == ["u/test"]


def test_repository_that_is_not_there_yet(repository: Path, lab: Path, tmp_path: Path) -> None:
    file = lab / "discovery" / "v1.json"
    file.write_text(file.read_text().replace(str(repository), str(tmp_path / "none")))
    with pytest.raises(RepositoryMissing, match=r"is not at .*/none.*try\s+again later"):
        despejado.butler()
    assert "collection" not in despejado.sample()["kind"]


def test_data_set_without_repository(lab: Path) -> None:
    with pytest.raises(RepositoryMissing, match="has no Butler repository"):
        despejado.butler()


def test_environment_without_butler(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lsst.daf.butler", None)
    with pytest.raises(ButlerMissing, match=r"choose an image .* recommended weekly"):
        despejado.butler()


def test_client_does_not_need_the_middleware() -> None:
    code = "import sys; sys.modules['lsst'] = None; import despejado.repository, despejado.service"
    subprocess.run([sys.executable, "-c", code], check=True)
