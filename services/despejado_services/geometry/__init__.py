"""Positions, regions and pixels on the sphere; pure arithmetic, standard library only."""
