"""What labs have beside homes: more claims, and what they may write to their node."""

from __future__ import annotations

from pydantic import Field

from despejado_spawner.site.names import LabPath, ObjectTemplate, SubPath
from despejado_spawner.site.values import Memory, Model


class Mount(Model):
    """One more claim in every lab.

    Claim, path and sub-path may hold KubeSpawner's templates, which each start fills in.
    """

    claim: ObjectTemplate = Field(
        title="Claim", description="A claim in the namespace of labs: group spaces, data."
    )
    path: LabPath = Field(title="Path", description="Where it appears in labs.")
    sub_path: SubPath = Field(
        default="",
        title="Sub-path",
        description="A folder of the claim; {unescaped_username} stands for the user's name.",
    )
    read_only: bool = Field(
        default=False, title="Read only", description="Whether labs may only read."
    )


class Temporary(Model):
    """The lab's /tmp."""

    size: Memory | None = Field(
        default=None,
        title="Size",
        description="What /tmp may hold; null is what the pod may write.",
    )
    in_memory: bool = Field(
        default=False,
        title="In memory",
        description="Whether it is memory; then it counts as the lab's.",
    )
