"""What can go wrong with images, in words for the person who reads it."""

from __future__ import annotations


class ImagesError(Exception):
    """Base of the images room's errors; ``reason`` is a stable code for metrics."""

    reason = "image"


class ImageNameError(ImagesError, ValueError):
    """A text that is no name of an image, repository or registry."""


class UnknownImageError(ImagesError):
    """No image of that name is on offer."""


class UnavailableImageError(ImagesError):
    """An image that is on the menu and cannot be started; the text says why."""


class RegistryError(ImagesError):
    """A registry that did not answer as it should; the text says which, and what it said."""

    reason = "image_registry"


class ImageFaultError(RegistryError):
    """One image of a registry that cannot be used; the text says what is wrong with it."""
