"""What an environment is made of, decided from its tag. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from despejado_images.environments.catalogue import ANCHOR, version_of
from despejado_images.environments.models import EnvironmentKind, sort_of
from despejado_images.image import PLAIN_TAG, UI_TAG
from despejado_images.menu import title_of

# Distributions of the Rubin middleware that may be imported: BSD-3-Clause, or with the choice of
# it. Felis, sdm-schemas and dax-obscore are GPL only and stay out.
MIDDLEWARE = (
    "lsst-daf-relation",
    "lsst-images",
    "lsst-pex-config",
    "lsst-resources",
    "lsst-sphgeom",
    "lsst-utils",
)
# They come in only if something asks for them, and are then of the same week.
_IF_REQUIRED = (
    "astro-metadata-translator",
    "lsst-ctrl-bps",
    "lsst-ctrl-mpexec",
    "lsst-ctrl-platform-s3df",
    "lsst-pipe-base",
    "lsst-verify",
)
_KERNEL = (
    "ipykernel>=6.29",
    "ipywidgets>=8.1",
    # The Butler's DataFrame storage class does not know pandas 3 yet; the plain environment holds
    # the same pandas so that both share its files.
    "pandas>=2.2,<3",
)
_KERNEL_IMPORTS = ("ipykernel.kernelapp", "astropy", "pyvo", "pandas", "matplotlib")
_UI = ("jupyterlab>=4.4,<5", "jupyterhub>=5.5.3,<7")
# rfc3987-syntax builds a grammar at import, which costs a server 0.6-1.2 s for format checks that
# jsonschema does without (jupyter-server/jupyter_server#1559). ipykernel would offer a kernel of
# the server's own environment, beside the one that the user chose.
_UI_EXCLUDES = ("rfc3987-syntax", "ipykernel")


@dataclass(frozen=True, slots=True)
class Recipe:
    """An environment before resolution.

    ``lock`` names a lock file of this package, whose versions are taken as they are if
    ``exact_lock`` and preferred otherwise. ``candidates`` are those requirements that may be met
    by a pre-release, ``constraints`` bind only what is required. ``own`` are our distributions
    and their extras;
    ``imports`` are modules that must import in the finished environment.
    """

    tag: str
    title: str
    kind: EnvironmentKind
    lock: str
    exact_lock: bool
    requirements: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]
    imports: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    excludes: tuple[str, ...] = field(default=())


def recipe_of(tag: str, tags: Mapping[str, str]) -> Recipe:
    """The recipe of a tag, given which versions of the Butler each tag means.

    Raises ``UnknownTagError`` for a tag that is not there.
    """
    sort = sort_of(tag)
    if sort == "ui":
        return Recipe(
            tag=UI_TAG,
            title=title_of(UI_TAG),
            kind="ui",
            lock="ui",
            exact_lock=True,
            requirements=_UI,
            own={"despejado-lab": (), "despejado-tutorials": ()},
            imports=("jupyterlab.labapp", "jupyterhub.singleuser"),
            excludes=_UI_EXCLUDES,
        )
    if sort == "plain":
        return Recipe(
            tag=PLAIN_TAG,
            title=title_of(PLAIN_TAG),
            kind="kernel",
            lock="plain",
            exact_lock=True,
            requirements=_KERNEL,
            own={"despejado": ("notebook",)},
            imports=_KERNEL_IMPORTS,
        )
    version = version_of(tag, tags)
    middleware = tuple(f"{name}<={newest(version)}{_only(name)}" for name in MIDDLEWARE)
    return Recipe(
        tag=tag,
        title=title_of(tag),
        kind="kernel",
        lock="plain",
        exact_lock=False,
        requirements=(*_KERNEL, f"{ANCHOR}=={version}", *middleware),
        candidates=middleware if Version(version).is_prerelease else (),
        own={"despejado": ("notebook",)},
        imports=(*_KERNEL_IMPORTS, "lsst.daf.butler", "lsst.resources", "lsst.sphgeom"),
        constraints=tuple(f"{name}<={newest(version)}" for name in _IF_REQUIRED),
    )


def _only(name: str) -> str:
    return ' ; python_version >= "3.12"' if name == "lsst-images" else ""


def newest(version: str) -> str:
    """The newest version of any Rubin distribution that belongs to a version of the Butler.

    Patches of a week count up in the last two digits (``29.2025.3502``), and another distribution
    may have had more of them.
    """
    parsed = Version(version)
    major, second, third = parsed.release
    if second < 1000:
        return version
    return f"{major}.{second}.{third // 100 * 100 + 99}"
