"""What can go wrong with an environment, in words for the person who reads it."""

from __future__ import annotations

from despejado_images.errors import ImagesError


class EnvironmentBuildError(ImagesError):
    """A build cannot go on; the text says what happened and what to do."""


class UnknownTagError(EnvironmentBuildError):
    """No such image tag. ``nearest`` holds the tags that were probably meant."""

    def __init__(self, tag: str, nearest: tuple[str, ...], note: str = "") -> None:
        self.tag = tag
        self.nearest = nearest
        hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
        super().__init__(f"There is no software environment {tag!r}.{hint}{note and ' ' + note}")
