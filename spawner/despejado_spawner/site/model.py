"""All that a site says of its labs, the same for each of them.

A new setting of pods stands in :class:`PodSettings`: ``platform.yaml`` then has it, and it reaches
the builders of :mod:`despejado_spawner.pods.plan` by the trait of its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from despejado_spawner.models import Size
from despejado_spawner.site.homes import Homes
from despejado_spawner.site.network import Internet, Network
from despejado_spawner.site.options import SiteOptions
from despejado_spawner.site.sizes import SizeLimits, named_sizes
from despejado_spawner.site.storage import Mount, Temporary
from despejado_spawner.site.values import Memory, Model, choice, words

POD_SECURITY = ("restricted", "as-configured")
_OPEN = Network(internet=Internet())


class PodSettings(Model):
    """What labs that are pods have, as ``platform.yaml`` and the traits say it alike."""

    mounts: tuple[Mount, ...] = Field(
        default=(), strict=False, title="Mounts", description="More claims in every lab."
    )
    temporary: Temporary = Field(
        default_factory=Temporary, title="Temporary", description="The lab's /tmp."
    )
    ephemeral_storage: Memory | None = Field(
        default=None,
        title="Ephemeral storage",
        description="What a lab may write to its node's disk; a lab that writes more is evicted.",
    )
    network: Network | None = Field(
        default_factory=lambda: _OPEN,
        title="Network",
        description="What labs may reach beside the platform and DNS, as a NetworkPolicy each "
        "(docs/kubernetes.md, Networks); null makes none.",
        json_schema_extra={"default": {"internet": True}},
    )
    pod_security: Annotated[str, choice(POD_SECURITY), words(*POD_SECURITY)] = Field(
        default="restricted",
        title="Pod security",
        description="restricted: labs pass Kubernetes' level of that name.",
    )
    autoscaler: bool = Field(
        default=False,
        title="Autoscaler",
        description="Whether the cluster adds nodes: then a lab without a place waits.",
    )

    @property
    def restricted(self) -> bool:
        """Whether labs pass Kubernetes' level *restricted* of Pod Security."""
        return self.pod_security == "restricted"


class Site(PodSettings):
    """A site, as a spawner knows it."""

    network: Network | None = None
    homes: Homes | None = None
    sizes: dict[str, SizeLimits] = Field(default_factory=dict)
    default_size: str = ""
    options: SiteOptions = Field(default_factory=dict)
    discovery: Mapping[str, Any] = Field(default_factory=dict)
    base_passwd: str = ""
    base_group: str = ""

    @property
    def lab_sizes(self) -> tuple[Size, ...]:
        """The sizes with their names, in the order of the menu."""
        return named_sizes(self.sizes)


TRAITS: Mapping[str, str] = {"mounts": "lab_mounts", "options": "lab_options"}
"""The names of traits that are not the setting's own."""


def trait_of(setting: str) -> str:
    """The name of the spawner's trait that holds a setting of the site."""
    return TRAITS.get(setting, setting)
