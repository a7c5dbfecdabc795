"""Building container images: lab, hub and services, from the folder ``images/``."""

from despejado_images.containers.builder import ImageBuilder
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.models import BuiltImage, ImageProgress

__all__ = ["BuiltImage", "ImageBuildError", "ImageBuilder", "ImageProgress"]
