"""Regions in the store: a circle around each, and for convex polygons the edges.

A region is five values: the unit vector of a centre (x, y, z), a radius r in radians, and
``edges``. For a circle ``edges`` is empty and the circle is exact. For a polygon the circle only
contains it, and each edge has twelve numbers: its normal n (to the inside), its first vertex v,
and n x v and w x n with the next vertex w, which tell whether the foot of a perpendicular lies on
the edge. A point is inside where n.p >= 0 for all edges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from despejado_services.geometry.sphere import Circle, ConvexPolygon, cross
from despejado_services.geometry.stc import Region

EDGE = 12
_SLACK = 1e-9  # the circle around a polygon must not cut its corners off


@dataclass(frozen=True)
class RegionRow:
    """The five values of one convex region."""

    x: float
    y: float
    z: float
    r: float
    edges: tuple[float, ...]


def region_row(region: Circle | ConvexPolygon) -> RegionRow:
    """Centre, radius (radians) and edges of a region, as ObsCore's rows keep them."""
    if isinstance(region, Circle):
        return RegionRow(*region.centre, math.radians(region.radius), ())
    following = region.vertices[1:] + region.vertices[:1]
    edges: list[float] = []
    for normal, vertex, after in zip(region.normals, region.vertices, following, strict=True):
        edges += [*normal, *vertex, *cross(normal, vertex), *cross(after, normal)]
    return RegionRow(*region.centre, region.radius + _SLACK, tuple(edges))


def pieces(region: Region) -> tuple[Circle | ConvexPolygon, ...]:
    """The convex parts of a region."""
    return (region,) if isinstance(region, Circle) else region
