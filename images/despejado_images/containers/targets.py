"""Which images there are, and what is inside each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from despejado_images.containers.models import ImageKind, Target
from despejado_images.environments.recipe import Recipe
from despejado_images.image import PLAIN_TAG, UI_TAG

HUB, SERVICES, STOCK = "hub", "services", "stock"
PLATFORM = (HUB, SERVICES)
"""Images of the platform's own parts; every other name is the tag of a lab."""

LAB_UI = "/opt/despejado/ui"
LAB_STACK = "/opt/despejado/stack"
_PREFIXES = {
    HUB: "/opt/despejado/hub",
    SERVICES: "/opt/despejado/services",
    STOCK: "/opt/jupyter",
}
_STOCK_TAG = "1"


@dataclass(frozen=True, slots=True)
class Part:
    """An environment of an image: where it is and what it is made of."""

    prefix: str
    recipe: Recipe


def target_of(name: str, version: str) -> Target:
    """The image that a name means; ``version`` is the platform's, the tag of its own parts."""
    if name == HUB:
        return Target("hub", version, "despejado/hub", "hub")
    if name == SERVICES:
        return Target("services", version, "despejado/services", "services")
    if name == STOCK:
        return Target("stock", _STOCK_TAG, "despejado-tests/stock", "tests/stock")
    return Target("lab", name, "despejado/lab", "lab")


def is_lab(name: str) -> bool:
    """Whether a name is the tag of a lab image. ``ui`` is part of all of them, and none itself."""
    return name not in (*PLATFORM, STOCK, UI_TAG)


def platform_part(name: str, version: str) -> Part:
    """What is in an image that is no lab."""
    return Part(_PREFIXES[name], _RECIPES[name](version))


def smoke_command(kind: ImageKind, imports: tuple[str, ...]) -> tuple[str, ...]:
    """How the smoke test of an image starts in it; it takes JSON, the modules to import."""
    import json

    prefix = LAB_UI if kind == "lab" else _PREFIXES[kind]
    return (f"{prefix}/bin/python", "-I", "-B", "/mnt/smoke/smoke.py", json.dumps(imports))


def kernel_spec(tag: str, title: str) -> Mapping[str, object]:
    """The kernel of a lab image for somebody who starts it without the platform.

    The platform's labs bring their own (``process.kernel_spec``), which says the same.
    """
    return {
        "argv": [
            f"{LAB_STACK}/bin/python",
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            "--IPKernelApp.extra_extensions=despejado",
        ],
        "display_name": title,
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True, "despejado": {"image": tag}},
    }


def lab_files(tag: str, title: str) -> dict[str, Mapping[str, object]]:
    """Files of the stack's layer: the kernel, and where the browser half of its widgets is."""
    extensions = f"{LAB_STACK}/share/jupyter/labextensions"
    return {
        "/usr/local/share/jupyter/kernels/python3/kernel.json": kernel_spec(tag, title),
        "/usr/local/etc/jupyter/jupyter_lab_config.json": {
            "LabApp": {"extra_labextensions_path": [extensions]}
        },
    }


# The hub's own pages: 60 MB that a single-user server never sends.
LAB_UI_WITHOUT = ("share/jupyterhub/static/components",)
LAB_LINKS = {"/opt/despejado/image.json": "stack/despejado-environment.json"}


def _hub(version: str) -> Recipe:
    return Recipe(
        tag=version,
        title=f"Despejado hub {version}",
        kind="kernel",
        lock=HUB,
        exact_lock=True,
        requirements=(),
        own={
            "despejado-hub": ("kubernetes",),
            "despejado-images": ("registry",),
            "despejado-spawner": ("kubernetes",),
        },
        imports=("jupyterhub.app", "kubespawner", "despejado_hub.cli"),
    )


def _services(version: str) -> Recipe:
    return Recipe(
        tag=version,
        title=f"Despejado data services {version}",
        kind="kernel",
        lock=SERVICES,
        exact_lock=True,
        requirements=(),
        own={"despejado-services": ()},
        imports=("duckdb", "pyarrow", "despejado_services"),
    )


def _stock(_: str) -> Recipe:
    return Recipe(
        tag=_STOCK_TAG,
        title="Plain JupyterHub and JupyterLab",
        kind="kernel",
        lock=STOCK,
        exact_lock=True,
        requirements=("jupyterhub>=6.1,<7", "jupyterlab>=4.4,<5", "ipykernel>=6.29"),
        own={},
        imports=("jupyterlab.labapp", "jupyterhub.singleuser"),
    )


_RECIPES = {HUB: _hub, SERVICES: _services, STOCK: _stock}

__all__ = [
    "HUB",
    "LAB_LINKS",
    "LAB_STACK",
    "LAB_UI",
    "LAB_UI_WITHOUT",
    "PLAIN_TAG",
    "PLATFORM",
    "SERVICES",
    "STOCK",
    "UI_TAG",
    "Part",
    "is_lab",
    "kernel_spec",
    "lab_files",
    "platform_part",
    "smoke_command",
    "target_of",
]
