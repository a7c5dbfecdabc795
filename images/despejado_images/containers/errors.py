"""What can go wrong with an image, in words for the person who builds it."""

from __future__ import annotations

from despejado_images.environments.errors import EnvironmentBuildError


class ImageBuildError(EnvironmentBuildError):
    """An image cannot be built, tested or pushed; the text says what happened and what to do."""
