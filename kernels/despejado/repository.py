"""The Butler of a data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import ButlerMissing, RepositoryMissing
from .models import Dataset
from .platform import find_platform

if TYPE_CHECKING:
    from lsst.daf.butler import Butler


def butler(
    dataset: str | None = None, collections: str | Iterable[str] | None = None, **options: Any
) -> Butler:
    """The Butler repository of a data set (the default one if none is named), read-only.

    ``collections`` and ``options`` go to `lsst.daf.butler.Butler.from_config`. Raises
    `ButlerMissing` where the middleware is not installed, `RepositoryMissing` where there is no
    repository (yet), `NoPlatform` and `UnknownName`.
    """
    return open_repository(find_platform().discovery.dataset(dataset), collections, **options)


def open_repository(
    dataset: Dataset, collections: str | Iterable[str] | None, **options: Any
) -> Butler:
    """The Butler of a data set that is already known."""
    config = dataset.repository()
    try:
        from lsst.daf.butler import Butler
    except ModuleNotFoundError as error:
        raise ButlerMissing(
            f"This environment has no Butler ({error.name} is not installed). In a lab: save, stop"
            " it, and choose an image with the Rubin middleware, such as the recommended weekly"
            " (w_...). On your own machine: pip install 'despejado[butler]'."
        ) from error
    if _is_local(config) and not Path(config).exists():
        raise RepositoryMissing(
            f"The Butler repository of data set {dataset.name!r} is not at {config}. The sample"
            " repository is made after the platform's first start, which takes a few minutes: try"
            " again later. Outside a lab a repository that is a folder of the platform's machine"
            " cannot be reached: use it in a lab."
        )
    options.setdefault("writeable", False)
    return Butler.from_config(config, collections=collections, **options)


def _is_local(config: str) -> bool:
    return urlsplit(config).scheme == "" and config.startswith("/")
