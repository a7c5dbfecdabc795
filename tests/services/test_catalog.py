"""The store: its cache, TAP_SCHEMA, ObsCore that appears later, and what SQL cannot reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from despejado_services.catalog.build import SAMPLE, ensure_cache
from despejado_services.catalog.metadata import SchemaFileError, load_schema
from despejado_services.catalog.store import Limits, Store

PARQUET_LIMIT = 12_000_000


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    with store.cursor() as cursor:
        return cursor.sql(sql).fetchall()


def small_sample(folder: Path, count: int) -> Path:
    """A sample like the packaged one with fewer stars."""
    folder.mkdir(exist_ok=True)
    shutil.copy(SAMPLE / "schema.yaml", folder)
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (FROM '{SAMPLE}/stars.parquet' LIMIT {count}) TO '{folder}/stars.parquet'"
        )
    return folder


def write_obscore(folder: Path, select: str) -> None:
    """As the real writer does: beside its place, then renamed."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{folder}/new.parquet'")
    (folder / "new.parquet").replace(folder / "obscore.parquet")


def test_the_packaged_sample_is_small_sorted_and_has_real_nulls() -> None:
    path = SAMPLE / "stars.parquet"
    assert path.stat().st_size <= PARQUET_LIMIT
    with duckdb.connect() as connection:
        source = f"FROM '{path}'"
        (count, distinct, no_color, no_motion), = connection.execute(
            "SELECT count(*), count(DISTINCT star_id), count(*) - count(bv),"
            f" count(*) - count(pm_ra) {source}"
        ).fetchall()  # fmt: skip
        assert (count, distinct) == (121_477, 121_477)
        assert no_color > 0
        assert no_motion > 0
        unsorted, = connection.execute(
            'SELECT count(*) FROM (SELECT _healpix_29 < lag(_healpix_29) OVER (ORDER BY star_id)'
            f" AS back {source}) WHERE back"
        ).fetchone() or (None,)  # fmt: skip
        assert unsorted == 0


def test_the_cache_is_built_once_and_again_when_the_sample_changes(tmp_path: Path) -> None:
    sample = small_sample(tmp_path / "sample", 100)
    data = tmp_path / "data"
    inode = ensure_cache(data, sample).stat().st_ino
    assert ensure_cache(data, sample).stat().st_ino == inode
    small_sample(sample, 50)
    cache = ensure_cache(data, sample)
    assert cache.stat().st_ino != inode
    store = Store(data, sample=sample)
    assert rows(store, "SELECT count(*) FROM sample.stars") == [(50,)]
    assert not list(data.glob("*.tmp*"))


@pytest.mark.parametrize("damage", ["truncated", "garbage", "deleted"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: str) -> None:
    sample = small_sample(tmp_path / "sample", 100)
    cache = ensure_cache(tmp_path, sample)
    if damage == "truncated":
        os.truncate(cache, 5000)
    elif damage == "garbage":
        cache.write_bytes(b"no database" * 10_000)
    else:
        cache.unlink()
    store = Store(tmp_path, sample=sample)
    assert rows(store, "SELECT count(*) FROM sample.stars") == [(100,)]


def test_what_a_dead_builder_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "stars.duckdb.99999.tmp"
    left.write_bytes(b"half")
    ensure_cache(tmp_path, small_sample(tmp_path / "sample", 10))
    assert not left.exists()


def test_several_processes_may_start_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from despejado_services.catalog.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "cursor = store.cursor()\n"
        "print(cursor.sql('SELECT count(*) FROM sample.stars').fetchall())\n"
        "store.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [p.communicate()[0].strip() for p in started] == ["[(121477,)]"] * 3


def test_obscore_is_empty_and_then_appears_and_changes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    count = "SELECT count(*) FROM ivoa.obscore"
    assert rows(store, count) == [(0,)]
    old = store.cursor()
    write_obscore(tmp_path, "SELECT 'a' AS obs_id, 2 AS calib_level, 1.5 AS s_ra, 'x' AS unknown")
    assert rows(store, count) == [(1,)]
    found = rows(store, "SELECT obs_id, calib_level, s_ra, s_dec FROM ivoa.obscore")
    assert found == [("a", 2, 1.5, None)]
    write_obscore(tmp_path, "SELECT 'b' AS obs_id FROM range(3)")
    assert rows(store, count) == [(3,)]
    (tmp_path / "obscore.parquet").unlink()
    assert rows(store, count) == [(0,)]
    # a query that had begun before keeps what it saw
    assert old.sql(count).fetchall() == [(0,)]
    old.close()
    store.close()


def test_an_obscore_file_that_cannot_be_used_leaves_the_stars(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "obscore.parquet").write_bytes(b"not parquet")
    store = Store(tmp_path)
    assert rows(store, "SELECT count(*) FROM ivoa.obscore") == [(0,)]
    assert rows(store, "SELECT count(*) FROM sample.stars") == [(121_477,)]
    assert "obscore.parquet cannot be used" in caplog.text
    write_obscore(tmp_path, "SELECT 'a' AS obs_id, 'high' AS calib_level")
    assert rows(store, "SELECT count(*) FROM ivoa.obscore") == [(0,)]
    assert caplog.text.count("cannot be used") == 2


def test_obscore_has_the_mandatory_columns_with_their_utypes(tmp_path: Path) -> None:
    # ObsCore 1.1, table 6
    mandatory = [
        "dataproduct_type",
        "calib_level",
        "obs_collection",
        "obs_id",
        "obs_publisher_did",
        "access_url",
        "access_format",
        "access_estsize",
        "target_name",
        "s_ra",
        "s_dec",
        "s_fov",
        "s_region",
        "s_resolution",
        "s_xel1",
        "s_xel2",
        "t_min",
        "t_max",
        "t_exptime",
        "t_resolution",
        "t_xel",
        "em_min",
        "em_max",
        "em_res_power",
        "em_xel",
        "o_ucd",
        "pol_states",
        "pol_xel",
        "facility_name",
        "instrument_name",
    ]
    found = rows(
        Store(tmp_path),
        "SELECT column_name FROM tap_schema.columns WHERE table_name = 'ivoa.ObsCore'"
        " AND std = 1 AND utype LIKE 'obscore:%' AND ucd IS NOT NULL",
    )
    assert set(mandatory) <= {name for (name,) in found}


def test_tap_schema_describes_every_column_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    described = rows(
        store,
        "SELECT lower(table_name), trim(lower(column_name), '\"') FROM tap_schema.columns"
        " ORDER BY 1, column_index",
    )
    real = rows(
        store,
        "SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns"
        " WHERE table_schema IN ('sample', 'ivoa', 'tap_schema') AND column_name NOT LIKE '\\_%'"
        " ESCAPE '\\' ORDER BY 1, ordinal_position",
    )
    assert [(t, str(c).lower()) for t, c in real] == described
    broken = rows(
        store,
        "SELECT k.key_id FROM tap_schema.keys k LEFT JOIN tap_schema.tables a ON"
        " a.table_name = k.from_table LEFT JOIN tap_schema.tables b ON"
        " b.table_name = k.target_table WHERE a.table_name IS NULL OR b.table_name IS NULL",
    )
    assert broken == []
    assert len(rows(store, "SELECT * FROM tap_schema.key_columns")) == 5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "ATTACH '/tmp/x.duckdb'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "DROP TABLE cache.main.stars",
        "INSERT INTO sample.stars VALUES (1)",
        "SELECT getenv('HOME')",
    ],
)
def test_sql_reaches_nothing_outside_the_store(tmp_path: Path, sql: str) -> None:
    store = Store(tmp_path, sample=small_sample(tmp_path / "sample", 10))
    with store.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute(sql).fetchall()


def test_variables_of_the_process_are_no_tables(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        secret = connection.sql("SELECT 42 AS answer").fetchnumpy()
    store = Store(tmp_path, sample=small_sample(tmp_path / "sample", 10))
    with store.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.sql("SELECT * FROM secret")
    assert secret is not None


def test_limits_are_set(tmp_path: Path) -> None:
    sample = small_sample(tmp_path / "sample", 10)
    store = Store(tmp_path, limits=Limits(memory="123MiB", threads=1), sample=sample)
    settings = "SELECT current_setting('memory_limit'), current_setting('threads')"
    assert rows(store, settings) == [("123.0 MiB", 1)]


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        sql = "SELECT count(*) FROM sample.stars WHERE mag < 6"
        found = list(pool.map(lambda _: rows(store, sql), range(40)))
    assert found == [found[0]] * 40


def test_a_schema_file_lists_all_its_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(
        "name: x\ndescription: y\ntables:\n  - name: t\n    description: z\n    colour: red\n"
        "    columns:\n      - {name: a, datatype: number, description: d}\n"
    )
    with pytest.raises(SchemaFileError) as caught:
        load_schema(path)
    assert "tables.0.columns.0.datatype" in str(caught.value)
    assert "tables.0.colour" in str(caught.value)
    with pytest.raises(SchemaFileError, match="cannot read"):
        load_schema(tmp_path / "absent.yaml")
