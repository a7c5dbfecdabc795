"""Laptop images: software environments that uv builds on demand and keeps."""

from despejado_images.environments.errors import EnvironmentBuildError, UnknownTagError
from despejado_images.environments.models import (
    BuildProgress,
    Catalogue,
    Environment,
)
from despejado_images.environments.source import EnvironmentImages
from despejado_images.environments.store import EnvironmentStore
from despejado_images.image import PLAIN_TAG, UI_TAG

__all__ = [
    "PLAIN_TAG",
    "UI_TAG",
    "BuildProgress",
    "Catalogue",
    "Environment",
    "EnvironmentBuildError",
    "EnvironmentImages",
    "EnvironmentStore",
    "UnknownTagError",
]
