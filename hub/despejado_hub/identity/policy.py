"""The keys of ``identity`` for the embedded registry."""

from __future__ import annotations

from typing import Annotated, Literal

from despejado_spawner.site.values import Model, refuse
from pydantic import Field, PlainValidator, WithJsonSchema

from despejado_hub.config.identity import IdentitySettings
from despejado_hub.config.types import GroupName, PosixId

EVERYONE: Literal["everyone"] = "everyone"


def _members(value: object) -> object:
    if value == EVERYONE:
        return EVERYONE
    if not isinstance(value, list | tuple) or not all(
        isinstance(name, str) and 0 < len(name) <= 255 for name in value
    ):
        raise refuse("is neither a list of user names nor everyone", f"{EVERYONE}, or [name, name]")
    return tuple(map(str, value))


Members = Annotated[
    tuple[str, ...] | Literal["everyone"],
    PlainValidator(_members),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": EVERYONE},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
            ]
        }
    ),
]


class GroupPolicy(Model):
    """A POSIX group beside the users' own."""

    gid: PosixId | None = Field(
        default=None,
        title="GID",
        description="The GID, where file servers know one; without it the registry gives one.",
    )
    members: Members = Field(
        default=EVERYONE,
        title="Members",
        description="A list of user names, or the word everyone.",
    )


class IdentityPolicy(IdentitySettings):
    """What the embedded registry is told."""

    first_uid: PosixId = Field(
        default=5000,
        title="First UID",
        description="UIDs are given from here on; a user's primary group has the same number.",
    )
    first_gid: PosixId = Field(
        default=4000,
        title="First GID",
        description="GIDs of groups without one of their own are given from here on.",
    )
    groups: dict[GroupName, GroupPolicy] = Field(
        default_factory=dict,
        title="Groups",
        description="Groups that users have beside their own, by name.",
    )
