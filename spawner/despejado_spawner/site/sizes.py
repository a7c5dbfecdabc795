"""The sizes of labs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from despejado_spawner import units
from despejado_spawner.models import Size
from despejado_spawner.site.quantity import CPU_ALLOWED, MEMORY_ALLOWED
from despejado_spawner.site.values import Cpu, Memory, Model, matching, parsed, refuse

SizeKey = Annotated[
    str, matching(r"[^A-Z]+", "is not a name of a size", "a name in lower case, as small")
]
# Unlike a limit, what is guaranteed may be nothing.
_CpuGuarantee = Annotated[
    float, parsed(units.parse_cpu, "is not a number of CPU cores", CPU_ALLOWED)
]
_MemoryGuarantee = Annotated[
    int, parsed(units.parse_memory, "is not an amount of memory", MEMORY_ALLOWED)
]


class Limits(Model):
    """What a lab may use."""

    cpu: Cpu = Field(title="CPU", description="CPU cores that the lab may use: 1, 0.5, 500m.")
    memory: Memory = Field(title="Memory", description="Memory that the lab may use: 3Gi.")


class SizeLimits(Limits):
    """One size of the trait `sizes`: limits, and what is guaranteed."""

    cpu_guarantee: _CpuGuarantee | None = Field(
        default=None, title="Guaranteed CPU", description="CPU cores that the lab is sure to get."
    )
    memory_guarantee: _MemoryGuarantee | None = Field(
        default=None, title="Guaranteed memory", description="Memory that the lab is sure to get."
    )

    @model_validator(mode="after")
    def _at_most_the_limits(self) -> SizeLimits:
        for key, limit in (("cpu", self.cpu), ("memory", self.memory)):
            guarantee = getattr(self, f"{key}_guarantee")
            if guarantee is not None and guarantee > limit:
                raise refuse(f"has a {key}_guarantee above the limit {key}", f"at most {limit}")
        return self


Sizes = Annotated[dict[SizeKey, SizeLimits], Field(min_length=1)]
"""Sizes by name, in the order of the menu."""


def named_sizes(sizes: dict[str, SizeLimits]) -> tuple[Size, ...]:
    """The sizes with their names, in the order of the menu."""
    return tuple(Size(name, **_fields(limits)) for name, limits in sizes.items())


def _fields(limits: SizeLimits) -> dict[str, Any]:
    return dict(limits)
