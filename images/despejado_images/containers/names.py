"""What images are called: in this machine's storage, and where they are pushed to. Pure."""

from __future__ import annotations

from despejado_images.containers.errors import ImageBuildError
from despejado_images.errors import ImageNameError
from despejado_images.reference import parse_registry

LOCAL = "localhost"
_DEFAULT_PREFIX = "despejado/"


def local_reference(repository: str, tag: str) -> str:
    """The name of an image in this machine's storage."""
    return f"{LOCAL}/{repository}:{tag}"


def remote_reference(registry: str, repository: str, tag: str) -> str:
    """The name of an image in a registry.

    A path of ``registry`` takes the place of the first part of ``repository``. Raises
    ``ImageBuildError`` for what is no registry.
    """
    try:
        host, path = parse_registry(registry)
    except ImageNameError as error:
        raise ImageBuildError(str(error)) from None
    if path:
        repository = f"{path}/{repository.removeprefix(_DEFAULT_PREFIX)}"
    return f"{host}/{repository}:{tag}"
