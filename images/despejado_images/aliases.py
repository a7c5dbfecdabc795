"""Aliases by digest: which versioned tag a moving tag such as ``recommended`` stands for now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from despejado_images.tags import Tag, TagType, title

_MOVING = (TagType.ALIAS, TagType.UNKNOWN)


def alias_of(tag: Tag, target: Tag) -> Tag:
    """The alias ``tag`` once it is known that it names the same image as ``target``.

    The name becomes ``Base (Target)``, for example ``Recommended (Weekly 2077_43)``. The alias
    takes the cycle of its target, and date and architecture where it has none of its own.
    """
    architecture = tag.architecture or target.architecture
    inside = target.display_name
    if target.architecture is not None and target.architecture == architecture:
        inside = inside.removesuffix(f" [{target.architecture}]")
    inside = inside.replace(" (", ", ").replace(")", "")
    name = f"{title(tag.base)} ({inside})" + (f" [{architecture}]" if architecture else "")
    return replace(
        tag,
        type=TagType.ALIAS,
        display_name=name,
        cycle=target.cycle,
        cycle_build=target.cycle_build,
        date=tag.date or target.date,
        architecture=architecture,
        reason=None,
    )


def resolve_aliases(digests: Mapping[Tag, str]) -> dict[Tag, Tag | None]:
    """Each alias of a registry listing and its target; unresolved aliases have None.

    Only aliases and unknown tags are resolved, only against other types: two aliases never resolve
    each other. Of several targets with one digest the first in the menu's order of types wins,
    then the newest, whatever the order of the listing. Keys are the resolved tags.
    """
    targets: dict[str, Tag] = {}
    for tag, digest in digests.items():
        if tag.type in _MOVING:
            continue
        known = targets.get(digest)
        if known is None or _preferred(tag, known):
            targets[digest] = tag
    resolved: dict[Tag, Tag | None] = {}
    for tag, digest in digests.items():
        target = targets.get(digest) if tag.type in _MOVING else None
        if target is not None:
            resolved[alias_of(tag, target)] = target
        elif tag.type is TagType.ALIAS:
            resolved[tag] = None
    return resolved


def _preferred(tag: Tag, other: Tag) -> bool:
    if tag.type is not other.type:
        return tag.type.menu_order < other.type.menu_order
    return other < tag
