"""Covers, regions and positional joins against brute force."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import cdshealpix
import duckdb
import numpy as np
import numpy.typing as npt
import pytest
from astropy import units as u
from despejado_services.adql import translate
from despejado_services.catalog.store import Store
from despejado_services.geometry import healpix, sphere
from despejado_services.geometry.stc import parse_region
from hypothesis import example, given, settings
from hypothesis import strategies as st

Array = npt.NDArray[Any]
LON = st.floats(0, 360, exclude_max=True)
LAT = st.floats(-90, 90)
RADIUS = st.floats(-5, math.log10(180)).map(lambda power: 10**power)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def sky(store: Store) -> dict[str, Array]:
    with store.cursor() as cursor:
        return dict(cursor.sql('SELECT star_id, ra, "dec" FROM sample.stars').fetchnumpy())


def ids(store: Store, condition: str) -> set[int]:
    query = f"SELECT star_id FROM sample.stars WHERE {condition}"
    with store.cursor() as cursor:
        sql = translate(query, store.catalogue, maxrec=10**6).sql
        return {row[0] for row in cursor.sql(sql).fetchall()}


def separations(sky: dict[str, Array], ra: float, dec: float) -> Array:
    """Degrees, by the formula that is exact everywhere (Vincenty's on a sphere)."""
    a, d = np.radians(sky["ra"]), np.radians(sky["dec"])
    a0, d0 = math.radians(ra), math.radians(dec)
    across = np.hypot(
        np.cos(d) * np.sin(a - a0),
        math.cos(d0) * np.sin(d) - math.sin(d0) * np.cos(d) * np.cos(a - a0),
    )
    along = math.sin(d0) * np.sin(d) + math.cos(d0) * np.cos(d) * np.cos(a - a0)
    away: Array = np.degrees(np.arctan2(across, along))
    return away


def pixels(ra: Array, dec: Array) -> Array:
    numbers: Array = cdshealpix.lonlat_to_healpix(ra * u.deg, dec * u.deg, 29).astype(np.int64)
    return numbers


def inside(ranges: list[healpix.Range], numbers: Array) -> Array:
    found: Array = np.any([(numbers >= a) & (numbers <= b) for a, b in ranges], axis=0)
    return found


@settings(max_examples=60, deadline=None)
@given(LON, LAT, RADIUS)
@example(0.0, 0.0, 1.0)
@example(359.999, 0.0, 0.5)
@example(123.0, 90.0, 2.0)
@example(0.0, -90.0, 0.01)
@example(45.0, math.degrees(math.asin(2 / 3)), 0.1)
def test_a_cone_finds_what_brute_force_finds(
    store: Store, sky: dict[str, Array], ra: float, dec: float, radius: float
) -> None:
    away = separations(sky, ra, dec)
    found = ids(store, f"1 = CONTAINS(POINT(ra, dec), CIRCLE({ra!r}, {dec!r}, {radius!r}))")
    certain = set(sky["star_id"][away < radius - 1e-10].tolist())
    possible = set(sky["star_id"][away <= radius + 1e-10].tolist())
    assert certain <= found <= possible


@settings(max_examples=100, deadline=None)
@given(LON, LAT, RADIUS, st.integers(0, 2**32 - 1))
def test_a_cover_loses_no_point_of_its_circle(
    ra: float, dec: float, radius: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    ranges = healpix.cover_circle(sphere.Circle(ra, dec, radius))
    assert len(ranges) <= healpix.MAX_RANGES
    # points on the border and inside, made around the north pole and turned there
    distance = np.radians(radius) * np.concatenate([np.ones(200), random.random(200)])
    turn = random.random(400) * 2 * np.pi
    local = np.array(
        [np.sin(distance) * np.cos(turn), np.sin(distance) * np.sin(turn), np.cos(distance)]
    )
    a, d = math.radians(ra), math.pi / 2 - math.radians(dec)
    tilt = np.array([[math.cos(d), 0, math.sin(d)], [0, 1, 0], [-math.sin(d), 0, math.cos(d)]])
    spin = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    x, y, z = spin @ tilt @ local
    lon = np.degrees(np.arctan2(y, x)) % 360
    lat = np.degrees(np.arctan2(z, np.hypot(x, y)))
    assert inside(ranges, pixels(lon, lat)).all()


def test_covers_are_tight() -> None:
    random = np.random.default_rng(1)
    for radius in (10.0, 1.0, 0.1, 0.01):
        share = []
        for _ in range(20):
            circle = sphere.Circle(360 * random.random(), 60 * random.random(), radius)
            covered = sum(b - a + 1 for a, b in healpix.cover_circle(circle)) / (12 << 58)
            share.append(covered / ((1 - math.cos(math.radians(radius))) / 2))
        assert 1 <= np.median(share) < 8


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 29), st.integers(0, 11), st.integers(0, 2**29 - 1), st.integers(0, 2**29 - 1))
def test_pixel_centres_are_those_of_cdshealpix(order: int, face: int, x: int, y: int) -> None:
    x, y = x >> (29 - order), y >> (29 - order)
    number = face
    for bit in range(order - 1, -1, -1):
        number = 4 * number + ((x >> bit) & 1) + 2 * ((y >> bit) & 1)
    lon, lat = cdshealpix.healpix_to_lonlat(np.array([number], dtype=np.uint64), order)
    theirs = sphere.vector(lon.deg[0], lat.deg[0])
    assert sphere.separation(theirs, healpix.pixel_centre(order, face, x, y)) < 1e-12


@settings(max_examples=40, deadline=None)
@given(LON, st.floats(-85, 85), st.floats(0.05, 30), st.floats(0.05, 30))
@example(0.0, 0.0, 2.0, 2.0)
def test_a_box_is_what_its_definition_says(
    store: Store, sky: dict[str, Array], ra: float, dec: float, width: float, height: float
) -> None:
    found = ids(store, f"CONTAINS(POINT(ra, dec), BOX({ra!r}, {dec!r}, {width!r}, {height!r})) = 1")
    # turn the centre to (0, 0): the sides are then at fixed tangents
    a, d = np.radians(sky["ra"] - ra), np.radians(sky["dec"])
    d0 = math.radians(dec)
    x = np.cos(d) * np.cos(a) * math.cos(d0) + np.sin(d) * math.sin(d0)
    y = np.cos(d) * np.sin(a)
    z = np.sin(d) * math.cos(d0) - np.cos(d) * np.cos(a) * math.sin(d0)
    east, north = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, x))
    for slack, check in ((-1e-9, set.issubset), (1e-9, set.issuperset)):
        within = (np.abs(east) <= width / 2 + slack) & (np.abs(north) <= height / 2 + slack)
        assert check(set(sky["star_id"][within & (x > 0)].tolist()), found)


def test_a_concave_polygon_is_the_sum_of_its_parts(store: Store) -> None:
    # an L of three squares of about 5 degrees; great circles make the seams of the parts the same
    point = "POINT(ra, dec)"
    shape = "80, 0, 90, 0, 90, 5, 85, 5, 85, 10, 80, 10"
    whole = ids(store, f"1 = CONTAINS({point}, POLYGON({shape}))")
    backwards = ids(
        store, f"1 = CONTAINS({point}, POLYGON(80, 10, 85, 10, 85, 5, 90, 5, 90, 0, 80, 0))"
    )
    upper = ids(store, f"1 = CONTAINS({point}, POLYGON(80, 0, 85, 5, 85, 10, 80, 10))")
    lower = ids(store, f"1 = CONTAINS({point}, POLYGON(80, 0, 90, 0, 90, 5, 85, 5))")
    assert whole == backwards == upper | lower
    assert len(whole) > 50
    assert not ids(store, f"1 = CONTAINS({point}, POLYGON({shape})) AND ra > 85.5 AND dec > 5.5")


def test_a_polygon_over_the_pole_and_over_ra_zero(store: Store) -> None:
    point = "POINT(ra, dec)"
    cap = ids(store, f"1 = CONTAINS({point}, POLYGON(0, 80, 90, 80, 180, 80, 270, 80))")
    assert ids(store, "dec > 83") <= cap <= ids(store, "dec >= 80 - 1e-9")
    seam = ids(store, f"1 = CONTAINS({point}, POLYGON(355, -5, 5, -5, 5, 5, 355, 5))")
    assert ids(store, "(ra > 355 OR ra < 5) AND dec BETWEEN -4.9 AND 4.9") <= seam
    assert not seam & ids(store, "ra BETWEEN 6 AND 354")


@pytest.mark.parametrize("radius", [0.00031, 0.02])
@pytest.mark.parametrize(
    "join",
    [
        "a JOIN sample.stars AS b ON DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) < {r}",
        "a JOIN sample.stars AS b ON {r} >= DISTANCE(b.ra, b.dec, a.ra, a.dec)",
        "a, sample.stars AS b WHERE 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, {r}))",
    ],
)
def test_a_positional_join_finds_all_pairs(
    store: Store, sky: dict[str, Array], join: str, radius: float
) -> None:
    query = f"SELECT a.star_id, b.star_id FROM sample.stars AS {join.format(r=radius)}"
    sql = translate(query, store.catalogue, maxrec=10**7).sql
    assert "adql_cells" in sql
    with store.cursor() as cursor:
        rows = cursor.sql(sql).fetchall()
    pairs = set(rows)
    assert len(pairs) == len(rows)
    assert all((b, a) in pairs for a, b in pairs)
    random = np.random.default_rng(3)
    doubles = sorted({a for a, b in pairs if a != b})
    for star in [*random.choice(doubles, 20), *random.choice(sky["star_id"], 5)]:
        row = int(np.flatnonzero(sky["star_id"] == star)[0])
        away = separations(sky, sky["ra"][row], sky["dec"][row])
        near = set(sky["star_id"][away < radius].tolist())
        assert {b for a, b in pairs if a == star} == near


def test_a_left_positional_join_keeps_every_left_row(store: Store) -> None:
    near = "DISTANCE(POINT(a.ra, a.dec), POINT(b.ra, b.dec)) < 0.001 AND a.star_id <> b.star_id"
    counts = []
    for join in ("LEFT JOIN", "JOIN"):
        query = (
            "SELECT COUNT(DISTINCT a.star_id), COUNT(b.star_id)"
            " FROM (SELECT star_id, ra, dec FROM sample.stars WHERE ra < 30) AS a"
            f" {join} (SELECT star_id, ra, dec FROM sample.stars WHERE ra < 31) AS b ON {near}"
        )
        with store.cursor() as cursor:
            sql = translate(query, store.catalogue, maxrec=1).sql
            counts += cursor.sql(sql).fetchall()
    (kept, matched), (_, inner) = counts
    assert {kept} == {len(ids(store, "ra < 30"))}
    assert matched == inner > 100


REGIONS = st.one_of(
    st.tuples(st.floats(0, 30), st.floats(-20, 20), st.floats(0.1, 15)).map(
        lambda c: f"CIRCLE ICRS {c[0]!r} {c[1]!r} {c[2]!r}"
    ),
    st.tuples(st.floats(0, 30), st.floats(-20, 20), st.floats(0.1, 20), st.floats(0.1, 20)).map(
        lambda b: f"BOX ICRS {b[0]!r} {b[1]!r} {b[2]!r} {b[3]!r}"
    ),
    st.tuples(st.floats(0, 30), st.floats(-20, 20), st.floats(1, 20), st.floats(1, 20)).map(
        lambda t: f"POLYGON {t[0]!r} {t[1]!r} {t[0] + t[2]!r} {t[1]!r} {t[0]!r} {t[1] + t[3]!r}"
    ),
)


def sampled(region: str, count: int) -> Array:
    """Unit vectors in a region, dense over its neighbourhood."""
    parsed = parse_region(region)
    random = np.random.default_rng(5)
    lon = np.radians(random.uniform(-30, 80, count))
    lat = np.radians(random.uniform(-45, 60, count))
    points: Array = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]).T
    if isinstance(parsed, sphere.Circle):
        kept = points @ np.array(parsed.centre) >= math.cos(math.radians(parsed.radius))
        return cast(Array, points[kept])
    return points[np.all(points @ np.array(parsed[0].normals).T >= 0, axis=1)]


@settings(max_examples=60, deadline=None)
@given(REGIONS, REGIONS)
def test_intersects_and_contains_of_regions_agree_with_sampling(
    store: Store, a: str, b: str
) -> None:
    query = (
        f"SELECT TOP 1 INTERSECTS(REGION('{a}'), REGION('{b}')),"
        f" INTERSECTS(REGION('{b}'), REGION('{a}')), CONTAINS(REGION('{a}'), REGION('{b}'))"
        " FROM tap_schema.schemas"
    )
    with store.cursor() as cursor:
        sql = translate(query, store.catalogue, maxrec=1).sql
        ((meets, mirrored, within),) = cursor.sql(sql).fetchall()
    assert meets == mirrored
    in_a, in_b = sampled(a, 20_000), sampled(b, 20_000)
    common = len(set(map(tuple, in_a)) & set(map(tuple, in_b)))
    if common:
        assert meets == 1
    if within == 1:
        assert common == len(in_a)
        assert meets == 1
    if common < len(in_a):
        assert within == 0


@pytest.mark.parametrize(
    ("circle", "expected"),
    [
        ("15, 5, 1", 1),  # inside
        ("8.5, 5, 1", 0),  # off the western side
        ("9.5, 5, 1", 1),
        ("9.2, -0.8, 1", 0),  # off a corner: within reach of both sides' great circles
        ("9.5, -0.5, 1", 1),
        ("15, 5, 60", 1),  # all around
        ("200, -5, 10", 0),  # the other side of the sky
    ],
)
def test_a_circle_meets_a_polygon_exactly(store: Store, circle: str, expected: int) -> None:
    query = (
        f"SELECT TOP 1 INTERSECTS(CIRCLE({circle}), POLYGON(10, 0, 20, 0, 20, 10, 10, 10))"
        " FROM tap_schema.schemas"
    )
    with store.cursor() as cursor:
        sql = translate(query, store.catalogue, maxrec=1).sql
        assert cursor.sql(sql).fetchall() == [(expected,)]


def test_region_texts_that_cannot_be_used() -> None:
    for text, reason in [
        ("", "empty"),
        ("CIRCLE GALACTIC 1 2 3", "GALACTIC"),
        ("POLYGON 1 2 3 4 5", "5 numbers"),
        ("ELLIPSE 1 2 3 4", "ELLIPSE"),
        ("CIRCLE 1 2 x3", "no number"),
        ("CIRCLE 1 2 3..", "no number"),
        ("POLYGON 0 0 1 0 2 0", "one line"),
    ]:
        with pytest.raises(sphere.RegionError, match=reason):
            parse_region(text)


def obscore_file(path: Path, regions: list[str | None]) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE o (obs_id VARCHAR, s_region VARCHAR)")
    for i, region in enumerate(regions):
        connection.execute("INSERT INTO o VALUES (?, ?)", [str(i), region])
    connection.execute(f"COPY o TO '{path}' (FORMAT parquet)")
    connection.close()


def test_a_region_column_is_searched(tmp_path: Path) -> None:
    obscore_file(
        tmp_path / "obscore.parquet",
        [
            "POLYGON ICRS 56 23 58 23 58 25 56 25",
            "CIRCLE 56.75 24.1 0.5",
            "POLYGON 100 0 101 0 101 1",
            "nonsense",
            None,
        ],
    )
    store = Store(tmp_path)

    def found(condition: str) -> list[str]:
        query = f"SELECT obs_id FROM ivoa.ObsCore WHERE {condition} ORDER BY obs_id"
        with store.cursor() as cursor:
            sql = translate(query, store.catalogue, maxrec=100).sql
            return [row[0] for row in cursor.sql(sql).fetchall()]

    assert found("1 = CONTAINS(POINT(56.75, 24.1), s_region)") == ["0", "1"]
    assert found("1 = CONTAINS(POINT(57.9, 24.1), s_region)") == ["0"]
    assert found("CONTAINS(POINT(57.9, 24.1), s_region) = 0") == ["1", "2"]
    assert found("1 = INTERSECTS(CIRCLE(55.5, 24, 1), s_region)") == ["0", "1"]
    assert found("1 = INTERSECTS(s_region, POLYGON(99, 0.2, 100.9, 0.2, 99, 5))") == ["2"]
    assert found("1 = CONTAINS(s_region, CIRCLE(56.75, 24.1, 0.6))") == ["1"]
    assert found("1 = CONTAINS(CIRCLE(56.75, 24.1, 0.4), s_region)") == ["0", "1"]
    stars = found(
        "obs_id IN (SELECT o.obs_id FROM ivoa.ObsCore AS o JOIN sample.stars AS s"
        " ON 1 = CONTAINS(POINT(s.ra, s.dec), o.s_region) WHERE s.hip = 17702)"
    )
    assert stars == ["0", "1"]
    store.close()
