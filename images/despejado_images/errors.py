"""What can go wrong with images, in words for the person who reads it."""

from __future__ import annotations


class ImagesError(Exception):
    """Base of the images room's errors; ``reason`` is a stable code for metrics."""

    reason = "image"
