"""Laptop images: software environments that uv builds on demand and keeps."""

from despejado_images.environments.errors import EnvironmentBuildError, UnknownTagError
from despejado_images.environments.models import (
    PLAIN_TAG,
    RECOMMENDED_TAG,
    UI_TAG,
    BuildProgress,
    Catalogue,
    Environment,
    EnvironmentChoice,
    MenuPolicy,
)
from despejado_images.environments.store import EnvironmentStore

__all__ = [
    "PLAIN_TAG",
    "RECOMMENDED_TAG",
    "UI_TAG",
    "BuildProgress",
    "Catalogue",
    "Environment",
    "EnvironmentBuildError",
    "EnvironmentChoice",
    "EnvironmentStore",
    "MenuPolicy",
    "UnknownTagError",
]
