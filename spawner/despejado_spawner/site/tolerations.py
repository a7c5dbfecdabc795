"""Taints of nodes that labs may meet."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from despejado_spawner.site.names import LabelValue
from despejado_spawner.site.values import Model, choice, words

OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class Toleration(Model):
    """A taint of nodes that labs are allowed to meet (Kubernetes' names)."""

    key: str | None = Field(default=None, title="Key", description="Of the taint; null is every.")
    operator: Annotated[str, choice(OPERATORS), words(*OPERATORS)] = Field(
        default="Equal", title="Operator", description="How key and value are compared."
    )
    value: LabelValue | None = Field(default=None, title="Value", description="Of the taint.")
    effect: Annotated[str, choice(EFFECTS), words(*EFFECTS)] | None = Field(
        default=None, title="Effect", description="Of the taint; null is every."
    )
