"""What a user may start: the section ``labs`` of ``platform.yaml``."""

from __future__ import annotations

from typing import Annotated

from despejado_spawner.site.sizes import Limits
from despejado_spawner.site.values import Cpu, Memory, Model, choice, words
from pydantic import Field

from .kubernetes import KubernetesLabs
from .types import SIZE_NAMES, ImageTag

SizeName = Annotated[
    str,
    choice(SIZE_NAMES),
    words(*SIZE_NAMES),
]


class SizeRequests(Model):
    """What a lab is guaranteed; at most its limits."""

    cpu: Cpu | None = Field(
        default=None, title="Guaranteed CPU", description="CPU cores that the lab is sure to get."
    )
    memory: Memory | None = Field(
        default=None, title="Guaranteed memory", description="Memory that the lab is sure to get."
    )


class LabSize(Limits):
    """One size on the menu: the limits of a lab."""

    requests: SizeRequests = Field(
        default_factory=SizeRequests,
        title="Requests",
        description="What the lab is guaranteed, where the machine can do so.",
    )


class Images(Model):
    """Which software the menu offers.

    On one machine an image is an environment made by uv, in a cluster one of a registry.
    """

    recommended: ImageTag = Field(
        default="latest-weekly",
        title="Recommended",
        description="The image that is chosen at first: a tag, or latest-weekly.",
    )
    weeklies: int = Field(
        default=3,
        ge=0,
        le=100,
        title="Weeklies",
        description="How many of the newest weeklies to offer.",
    )
    releases: int = Field(
        default=1,
        ge=0,
        le=100,
        title="Releases",
        description="How many of the newest releases to offer.",
    )
    candidates: int = Field(
        default=0,
        ge=0,
        le=100,
        title="Release candidates",
        description="How many of the newest release candidates to offer.",
    )
    dailies: int = Field(
        default=0,
        ge=0,
        le=100,
        title="Dailies",
        description="How many of the newest dailies to offer.",
    )
    cycle: int | None = Field(
        default=None,
        ge=0,
        title="Cycle",
        description="Offer only images of this SAL cycle; null offers only those of none.",
    )
    architectures: tuple[ImageTag, ...] = Field(
        default=(),
        strict=False,
        title="Architectures",
        description="What images may be for beside amd64, such as arm64; tags that end in one of "
        "these are offered too.",
    )
    aliases: tuple[ImageTag, ...] = Field(
        default=(),
        strict=False,
        title="Aliases",
        description="Moving tags of the repository to offer, such as recommended or "
        "latest_weekly, each with the name of what it stands for.",
    )


def _default_sizes() -> dict[str, LabSize]:
    return {"small": LabSize(cpu=1.0, memory=3 * 2**30)}


class Labs(Model):
    """What a user may start."""

    spawner: Annotated[
        str,
        choice(("local", "kubernetes")),
        words("local", "kubernetes"),
    ] = Field(
        default="local",
        title="Spawner",
        description="local: labs are processes of this machine. kubernetes: labs are pods.",
    )
    sizes: dict[SizeName, LabSize] = Field(
        default_factory=_default_sizes,
        min_length=1,
        title="Sizes",
        description="The sizes on the menu, by name, in the order of the menu: "
        + ", ".join(SIZE_NAMES)
        + ".",
    )
    default_size: SizeName = Field(
        default="small", title="Default size", description="The size that is chosen at first."
    )
    images: Images = Field(
        default_factory=Images,
        title="Images",
        description="Which software the menu offers.",
    )
    kubernetes: KubernetesLabs | None = Field(
        default=None,
        title="Kubernetes",
        description="Where and how labs run as pods; for spawner: kubernetes.",
    )
    named_servers: int = Field(
        default=0,
        ge=0,
        le=100,
        title="Named servers",
        description="Labs that a user may run beside the first one.",
    )

    @property
    def pods(self) -> KubernetesLabs | None:
        """How labs run as pods; None where they are processes."""
        return self.kubernetes if self.spawner == "kubernetes" else None
