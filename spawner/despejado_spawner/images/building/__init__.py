"""Building container images: lab, hub and services, from the folder ``images/``."""

from despejado_spawner.images.building.builder import ImageBuilder
from despejado_spawner.images.building.errors import ImageBuildError
from despejado_spawner.images.building.models import BuiltImage, ImageProgress

__all__ = ["BuiltImage", "ImageBuildError", "ImageBuilder", "ImageProgress"]
