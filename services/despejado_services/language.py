"""What of ADQL 2.1 is understood beyond its core, for the capabilities (TAPRegExt 1.0 §2.3).

Apart from the translator, so that the capabilities can be told without loading it. The tests
check that everything named here works.
"""

from __future__ import annotations

GEOMETRY = (
    "AREA", "BOX", "CENTROID", "CIRCLE", "CONTAINS", "COORD1", "COORD2", "COORDSYS", "DISTANCE",
    "INTERSECTS", "POINT", "POLYGON", "REGION",
)  # fmt: skip

FUNCTIONS = (
    (
        "scisql_nanojanskyToAbMag(flux DOUBLE) -> DOUBLE",
        "AB magnitude of a flux in nJy; null for a flux that is not positive.",
    ),
    (
        "scisql_nanojanskyToAbMagSigma(flux DOUBLE, flux_sigma DOUBLE) -> DOUBLE",
        "Error of the AB magnitude of a flux and its error in nJy.",
    ),
    (
        "ivo_healpix_index(hpx_order INTEGER, ra DOUBLE, dec DOUBLE) -> BIGINT",
        "Index of the HEALPix pixel (nested scheme) of a table's main position.",
    ),
)
"""Signature and description of each user-defined function."""

OPTIONAL = (
    ("features-adql-string", ("LOWER", "UPPER", "ILIKE")),
    ("features-adql-conditional", ("COALESCE",)),
    ("features-adql-sets", ("UNION", "EXCEPT", "INTERSECT")),
    ("features-adql-common-table", ("WITH",)),
    ("features-adql-type", ("CAST",)),
    ("features-adql-unit", ("IN_UNIT",)),
    ("features-adql-offset", ("OFFSET",)),
)
"""Other optional features: the kind, without the TAPRegExt prefix, and its forms."""
