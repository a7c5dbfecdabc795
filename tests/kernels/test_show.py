"""Images and tables as they are drawn: checked by what is on the axes, kept as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.utils.data import get_pkg_data_filename
from astropy.wcs import WCS
from despejado import show
from despejado.display.mpl import ImageView
from despejado.display.protocol import SkyImage
from despejado.display.table import Preview, TableView
from despejado.errors import CannotShow

mpl.use("Agg")

ALCYONE = SkyCoord(56.87115 * u.deg, 24.10514 * u.deg)


def sky_wcs(ny: int = 200, nx: int = 300) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ALCYONE.ra.deg, ALCYONE.dec.deg]
    wcs.wcs.crpix = [nx / 2 + 0.5, ny / 2 + 0.5]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    wcs.wcs.radesys = "ICRS"
    return wcs


def star_field(ny: int = 200, nx: int = 300) -> tuple[CCDData, SkyCoord, np.ndarray]:
    """Stars of a Gaussian profile on a noisy sky, and where they are."""
    random = np.random.default_rng(1)
    xy = np.column_stack([random.uniform(10, nx - 10, 12), random.uniform(10, ny - 10, 12)])
    y, x = np.mgrid[:ny, :nx]
    data = random.normal(100, 3, (ny, nx))
    for x0, y0 in xy:
        data += 500 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 4)
    mask = np.zeros((ny, nx), dtype=bool)
    mask[:, 150] = True
    wcs = sky_wcs(ny, nx)
    image = CCDData(data, unit="electron", wcs=wcs, mask=mask, meta={"OBJECT": "Test field"})
    return image, wcs.pixel_to_world(*xy.T), xy


def draw(thing: object, overlay: object = None) -> ImageView:
    """What the built-in viewer makes of an image."""
    view = show(thing, overlay=overlay)
    assert isinstance(view, ImageView)
    return view


def preview(thing: object) -> TableView:
    """What the built-in viewer makes of a table."""
    view = show(thing)
    assert isinstance(view, TableView)
    return view


def drawn(view: ImageView) -> Any:
    """The image on the axes, in the order of its pixels."""
    return view.axes.images[0]


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_stars_are_marked_where_they_are(output: Path) -> None:
    image, stars, xy = star_field()
    view = draw(image, overlay=stars)
    np.testing.assert_allclose(view.marks.get_offsets(), xy, atol=1e-4)
    view.figure.savefig(output / "star_field.png", dpi=80)
    for x, y in np.rint(xy).astype(int):
        assert drawn(view).get_array()[y, x] > 300
    world = view.axes.wcs.pixel_to_world(*xy[0])
    assert world.separation(stars[0]).arcsec < 0.01


def test_axes_colour_bar_and_title() -> None:
    view = draw(star_field()[0])
    assert drawn(view).colorbar.ax.get_ylabel() == "electron"
    assert view.axes.get_title() == "Test field"
    assert view.axes.coords[0].get_axislabel() == "Right ascension (ICRS)"
    assert view.axes.get_xlim() == (-0.5, 299.5)


def test_limits_are_zscale_over_good_pixels() -> None:
    image, _, _ = star_field()
    image.data[:, 150] = 1e9  # masked
    norm = drawn(draw(image)).norm
    assert 80 < norm.vmin < 100 < norm.vmax < 130
    assert np.ma.getmaskarray(drawn(draw(image)).get_array())[:, 150].all()


@pytest.mark.parametrize(
    "columns",
    [("ra", "dec"), ("RA", "DEC"), ("coord_ra", "coord_dec"), ("s_ra", "s_dec")],
)
def test_overlay_from_a_catalogue(columns: tuple[str, str]) -> None:
    image, stars, xy = star_field()
    table = Table({"hip": range(12), columns[0]: stars.ra.deg, columns[1]: stars.dec.deg})
    np.testing.assert_allclose(draw(image, overlay=table).marks.get_offsets(), xy, atol=1e-4)


def test_overlay_in_radians_and_with_missing_positions() -> None:
    image, stars, xy = star_field()
    table = Table({"ra": stars.ra.rad * u.rad, "dec": stars.dec.rad * u.rad}, masked=True)
    table["ra"].mask[3] = True
    marks = draw(image, overlay=table).marks
    np.testing.assert_allclose(marks.get_offsets(), np.delete(xy, 3, axis=0), atol=1e-4)


def test_overlay_in_another_frame_and_outside() -> None:
    image, stars, xy = star_field()
    far = SkyCoord([200, 57.2] * u.deg, [-80, 24.5] * u.deg)
    both = SkyCoord([*stars.ra, *far.ra], [*stars.dec, *far.dec])
    marks = draw(image, overlay=both.galactic).marks
    np.testing.assert_allclose(marks.get_offsets(), xy, atol=1e-4)
    assert marks.get_label() == "12 of 14 positions are in the image"


def test_m13_from_a_file(output: Path, tmp_path: Path) -> None:
    """A real image; M13 is at 250.4235 +36.4613 (Harris 1996), which is near the centre."""
    path = get_pkg_data_filename("data/m13.fits", package="astropy.io.fits.hdu.compressed.tests")
    view = draw(path, overlay=SkyCoord(250.4235 * u.deg, 36.4613 * u.deg))
    view.figure.savefig(output / "m13.png", dpi=80)
    x, y = view.marks.get_offsets()[0]
    pixels = drawn(view).get_array()
    ny, nx = pixels.shape
    assert abs(x - nx / 2) < 30
    assert abs(y - ny / 2) < 30
    core = pixels[round(y) - 20 : round(y) + 20, round(x) - 20 : round(x) + 20]
    assert np.median(core.data) > 1.5 * np.median(pixels.data[:40, :40])
    assert view.axes.get_title() == "m13.fits"


def test_every_kind_of_image(tmp_path: Path) -> None:
    data = np.arange(12.0).reshape(3, 4)
    header = sky_wcs(3, 4).to_header()
    header["BUNIT"] = "adu"
    hdu = fits.ImageHDU(data[None], header, name="SCI")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "x.fits")
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, header)])
    kinds = [data, data * u.adu, np.ma.MaskedArray(data, data > 5), hdu, hdus, hdus[1]]
    kinds += [tmp_path / "x.fits", str(tmp_path / "x.fits"), data > 5, data.astype(">i2")]
    for kind in kinds:
        assert drawn(draw(kind)).get_array().shape == (3, 4)
    assert draw(hdu).axes.wcs.wcs.crval[0] == pytest.approx(ALCYONE.ra.deg)
    assert drawn(draw(hdu)).colorbar.ax.get_ylabel() == "adu"


@pytest.mark.parametrize(
    "data",
    [np.zeros((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf), np.full((5, 4), 7)],
)
def test_images_without_range(data: np.ndarray) -> None:
    view = draw(data)
    view.figure.canvas.draw()
    assert drawn(view).norm.vmin < drawn(view).norm.vmax


def test_large_image_is_thinned_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from despejado.display import mpl as built_in

    monkeypatch.setattr(built_in, "_PIXELS", 100)
    image, stars, xy = star_field(201, 302)
    view = draw(image, overlay=stars)
    np.testing.assert_allclose(view.marks.get_offsets(), xy, atol=1e-4)
    array, extent = drawn(view).get_array(), drawn(view).get_extent()
    step = 4
    assert array.shape == (50, 75)
    assert extent == [-0.5, 75 * step - 0.5, -0.5, 50 * step - 0.5]
    assert array[10, 20] == image.data[2 + 10 * step, 2 + 20 * step]
    assert view.axes.get_xlim() == (-0.5, 301.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 1, 1, 7)])
def test_image_of_one_row_is_an_image(shape: tuple[int, ...]) -> None:
    assert drawn(draw(np.ones(shape))).get_array().shape == shape[-2:]


def test_cube_of_one_plane_keeps_its_sky() -> None:
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN", "FREQ"]
    wcs.wcs.crval = [10, 20, 1e9]
    image = CCDData(np.ones((1, 3, 4)), unit="Jy", wcs=wcs)
    assert draw(image).axes.wcs.has_celestial


@pytest.mark.parametrize(
    ("thing", "told"),
    [
        (np.zeros(5), "one has the shape \\(5,\\)"),
        (np.zeros((3, 4, 5)), "Choose a plane"),
        (np.zeros((3, 4), dtype=complex), "real numbers"),
        (object(), "does not know how to draw builtins.object"),
        ("no/such/file.fits", "There is no file"),
        (fits.PrimaryHDU(), "no data"),
        (fits.HDUList([fits.PrimaryHDU()]), "neither an image nor a table"),
    ],
)
def test_what_cannot_be_shown(thing: object, told: str) -> None:
    with pytest.raises(CannotShow, match=told):
        show(thing)


def test_file_that_is_not_fits(tmp_path: Path) -> None:
    file = tmp_path / "notes.fits"
    file.write_text("these are notes")
    with pytest.raises(CannotShow, match="not a readable FITS file"):
        show(file)


def test_table_files(tmp_path: Path) -> None:
    table = Table({"x": [1, 2]})
    for name, form in (("t.ecsv", "ascii.ecsv"), ("t.vot", "votable"), ("t.fits", "fits")):
        table.write(tmp_path / name, format=form)
        assert list(preview(tmp_path / name).table["x"]) == [1, 2]


def test_overlay_needs_a_wcs_and_positions() -> None:
    with pytest.raises(CannotShow, match=r"celestial\s+WCS"):
        show(np.zeros((3, 3)), overlay=ALCYONE)
    image = star_field()[0]
    with pytest.raises(CannotShow, match=r"no columns of positions.*: a, b"):
        show(image, overlay=Table({"a": [1], "b": [2]}))
    with pytest.raises(CannotShow, match="this is a table"):
        show(Table({"a": [1]}), overlay=ALCYONE)
    with pytest.raises(CannotShow, match="not str"):
        show(image, overlay="ra")


def long_table() -> Table:
    table = Table(
        {
            "hip": np.arange(25),
            "ra": np.linspace(56, 57, 25),
            "mag": np.linspace(2, 9, 25).astype("f4"),
            "name": ["<b>Alcyone</b>"] * 25,
        }
    )
    table["ra"].unit = "deg"
    table["ra"].description = 'Right "ascension"'
    return table


def test_preview_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    view = preview(long_table())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["hip", "ra", "mag", "name"]
    assert lines[1].split() == ["(deg)"]
    assert lines[3] == "  1  56.041667  2.2917  <b>Alcyone</b>"
    assert lines[-1] == "25 rows, 4 columns; the first 10 rows"
    assert len(lines) == 13
    assert len(view.table) == 25


def test_preview_escapes_what_is_in_the_table() -> None:
    html = Preview(long_table())._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;Alcyone" in html
    assert 'title="Right &quot;ascension&quot;"' in html
    assert "<small>deg</small>" in html


def test_missing_values_and_formats() -> None:
    table = Table({"a": np.ma.array([1.0, 2.0], mask=[False, True]), "b": [np.nan, 1 / 3]})
    table["b"].info.format = ".2f"
    text = repr(Preview(table)).splitlines()
    assert text[-2].split() == ["\N{EN DASH}", "0.33"]
    assert repr(Preview(table[:0])).endswith("0 rows, 2 columns")


def test_tables_of_other_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow as pa

    show(pa.table({"x": [1, 2]}))
    show(np.array([(1, 2.0)], dtype=[("x", int), ("y", float)]))
    show(fits.BinTableHDU(Table({"x": [1]})))
    assert capsys.readouterr().out.count("x") >= 3


def test_viewer_of_the_platform_gets_the_same_call(lab: Path) -> None:
    class Recorder:
        def show_image(self, image: SkyImage, overlay: SkyCoord | None) -> object:
            return "image", image.data.shape, None if overlay is None else len(overlay)

        def show_table(self, table: Table) -> object:
            return "table", len(table)

    image, stars, _ = star_field()
    assert show(image, overlay=stars, backend=Recorder()) == ("image", (200, 300), 12)
    assert show(Table({"a": [1]}), backend=Recorder()) == ("table", 1)


def test_installed_viewer_is_found_and_may_decline(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import EntryPoint

    from despejado.display import show as module

    here = f"{__name__}:configured_viewer"
    entry = EntryPoint("firefly", here, module.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: configured_viewer)
    monkeypatch.setattr(module, "entry_points", lambda group: [entry])
    assert draw(np.zeros((2, 2))).axes is not None
    file = lab / "discovery" / "v1.json"
    file.write_text(file.read_text().replace('"firefly_url": null', '"firefly_url": "http://f"'))
    assert show(np.zeros((2, 2))) == "firefly"


def configured_viewer(platform: Any) -> Any:
    class Firefly:
        def show_image(self, image: SkyImage, overlay: SkyCoord | None) -> object:
            return "firefly"

    return Firefly() if platform.firefly_url else None
