"""The sample repository: real stars where they belong, read-only, all or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from despejado.samples import obscore
from despejado.samples.simulate import Stars, anticlockwise, corners, simulate, wcs_of
from despejado.samples.survey import DETECTORS, FULL_WELL, visits

pytest.importorskip("lsst.daf.butler", reason="needs the extra despejado[butler]")

ALCYONE, ATLAS = 17702, 17847


def star_file() -> Path:
    import despejado_services

    return Path(despejado_services.__file__).parent / "sample" / "stars.parquet"


@pytest.fixture(scope="module")
def stars() -> Stars:
    from despejado.samples.repository import read_stars

    return read_stars(star_file())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository and its ObsCore rows, built by the command as the demo does."""
    folder = tmp_path_factory.mktemp("butler")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert '"fraction": 1.0' in done.stdout.splitlines()[-1]
    return folder


def build(folder: Path, stars: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "despejado.samples", "build", "--stars", str(stars or star_file()),
         "--out", str(folder / "sample"), "--obscore", str(folder / "obscore.parquet")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def open_sample(folder: Path) -> Any:
    from lsst.daf.butler import Butler

    return Butler.from_config(str(folder / "sample"), collections="sample")


def test_stars_are_drawn_where_the_catalogue_has_them(stars: Stars) -> None:
    visit, detector = visits()[1], DETECTORS[2]
    image, sources = simulate(stars, visit, detector)
    isolated = [
        row
        for row in sources
        if not row["saturated"]
        and row["mag"] < 9
        and np.sort(np.hypot(sources["x"] - row["x"], sources["y"] - row["y"]))[1] > 20
        and 12 < row["x"] < 588
        and 12 < row["y"] < 588
    ]
    assert len(isolated) >= 3
    for row in isolated:
        x, y = round(row["x"]), round(row["y"])
        stamp = image.data[y - 5 : y + 6, x - 5 : x + 6] - np.median(image.data)
        weight = np.clip(stamp, 20, None) - 20
        rows, columns = np.indices(stamp.shape)
        assert x - 5 + np.average(columns, weights=weight) == pytest.approx(row["x"], abs=0.15)
        assert y - 5 + np.average(rows, weights=weight) == pytest.approx(row["y"], abs=0.15)


def test_photometry_gives_the_catalogue_magnitudes_back(stars: Stars) -> None:
    differences = []
    for visit in visits():
        truth = dict(zip(stars.hip.tolist(), stars.magnitude(visit).tolist(), strict=True))
        _, sources = simulate(stars, visit, DETECTORS[2])
        good = sources[~np.asarray(sources["saturated"]) & (np.asarray(sources["mag"]) < 9.5)]
        differences += [row["mag"] - truth[row["hip"]] for row in good]
    assert len(differences) > 30
    assert abs(np.median(differences)) < 0.02


def test_bright_stars_saturate_and_are_masked(stars: Stars) -> None:
    image, sources = simulate(stars, visits()[1], DETECTORS[2])
    alcyone = sources[np.asarray(sources["hip"]) == ALCYONE][0]
    assert alcyone["saturated"]
    assert image.mask[round(alcyone["y"]), round(alcyone["x"])]
    assert image.data[image.mask].min() == pytest.approx(FULL_WELL)
    assert not image.mask[image.data < FULL_WELL].any()


def test_every_machine_draws_the_same_image(stars: Stars) -> None:
    first, _ = simulate(stars, visits()[0], DETECTORS[0])
    again, _ = simulate(stars, visits()[0], DETECTORS[0])
    np.testing.assert_array_equal(first.data, again.data)


def test_corners_run_anticlockwise_seen_from_the_earth() -> None:
    for visit in visits():
        for detector in DETECTORS:
            sky = corners(visit, detector)
            assert wcs_of(visit, detector).wcs_world2pix(sky, 0).min() == pytest.approx(-0.5)
            np.testing.assert_array_equal(anticlockwise(sky[::-1]), sky)


def test_alcyone_is_found_by_position_and_pixel(sample: Path) -> None:
    butler = open_sample(sample)
    found = butler.query_datasets(
        "visit_image",
        where="visit_detector_region.region OVERLAPS POINT(56.8711, 24.1051) AND band = 'V'",
    )
    assert {ref.dataId["detector"] for ref in found} == {2}
    assert len(found) == 2
    for ref in found:
        image = butler.get(ref)
        sources = butler.get("source", dataId=ref.dataId)
        brightest = sources[np.argmax(sources["flux"])]
        assert brightest["hip"] in (ALCYONE, ATLAS)
        x, y = image.wcs.wcs_world2pix(56.87115, 24.10514, 0)
        assert image.mask[round(float(y)), round(float(x))]
        assert str(image.unit) == "electron"
        assert butler.get("visit_image.wcs", dataId=ref.dataId).wcs.crval[1] < 24


def test_m13_is_the_real_one(sample: Path) -> None:
    image = open_sample(sample).get("m13_image")
    ra, dec = image.wcs.wcs_pix2world(149.5, 149.5, 0)
    assert (float(ra), float(dec)) == pytest.approx((250.4226, 36.4602), abs=0.001)


def test_obscore_rows_cover_every_image(sample: Path) -> None:
    rows = pq.read_table(sample / "obscore.parquet").to_pylist()
    assert len(rows) == len(visits()) * len(DETECTORS) + 1
    assert {row["lsst_band"] for row in rows} == {"B", "V", "R", None}
    assert all(row["s_region"].startswith("POLYGON ICRS ") for row in rows)
    assert all(row["access_estsize"] > 100 for row in rows)
    assert set(obscore.ObsCoreRow.__dataclass_fields__) == set(rows[0])


def test_the_repository_is_read_only(sample: Path) -> None:
    writable = [
        path for path in (sample / "sample").rglob("*") if path.stat().st_mode & 0o222
    ]  # fmt: skip
    assert writable == []


def test_a_second_build_finds_it_done(sample: Path) -> None:
    before = (sample / "sample" / "butler.yaml").stat().st_mtime_ns
    done = build(sample)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert (sample / "sample" / "butler.yaml").stat().st_mtime_ns == before


def test_a_killed_build_leaves_nothing_that_looks_ready(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "despejado.samples", "build", "--stars", str(star_file()),
         "--out", str(tmp_path / "sample"), "--obscore", str(tmp_path / "obscore.parquet")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "detector 1" not in process.stdout.readline():
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "sample").exists()
    assert len(list(tmp_path.glob("building-*"))) == 1
    assert build(tmp_path).returncode == 0
    assert list(tmp_path.glob("building-*")) == []
    assert len(open_sample(tmp_path).query_datasets("visit_image")) == 24


def test_a_missing_catalogue_is_said_plainly(tmp_path: Path) -> None:
    done = build(tmp_path, tmp_path / "nowhere.parquet")
    assert done.returncode == 1
    assert "nowhere.parquet is missing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.root
def test_another_user_reads_but_cannot_write(sample: Path) -> None:
    """As in a lab: the registry opens for a user who may not write to the folder."""
    for folder in [sample, *sample.parents]:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    probe = (
        "import os, sqlite3, sys\n"
        "os.setgroups([]); os.setgid(5001); os.setuid(5001)\n"
        f"path = {str(sample / 'sample' / 'gen3.sqlite3')!r}\n"
        "rows = sqlite3.connect(f'file:{path}?mode=ro', uri=True)"
        ".execute('select count(*) from visit').fetchone()\n"
        "print(rows[0], os.access(path, os.W_OK))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["6", "False"], done.stderr
