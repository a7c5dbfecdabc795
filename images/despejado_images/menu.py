"""The menu of environments: which tags are shown, and which is recommended. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from despejado_images.environments.catalogue import in_menu_order
from despejado_images.environments.models import PLAIN_TAG, UI_TAG, MenuPolicy
from despejado_images.tags import Tag, TagType


def recommended_tag(policy: MenuPolicy, tags: Iterable[str], built: Collection[str]) -> str:
    """What ``recommended`` stands for: as configured, else the newest weekly, else ``plain``.

    Without a catalogue the newest weekly that is built; never a tag that nobody can get.
    """
    if policy.recommended is not None:
        return policy.recommended
    weeklies = _of_type(TagType.WEEKLY, tags) or _of_type(TagType.WEEKLY, built)
    return weeklies[0].text if weeklies else PLAIN_TAG


def menu_tags(policy: MenuPolicy, tags: Collection[str], built: Collection[str]) -> list[str]:
    """Tags to show: recommended, plain, then by type and newest first; each tag once."""
    shown = set(built) - {UI_TAG, PLAIN_TAG}
    for kind, number in (
        (TagType.WEEKLY, policy.weeklies),
        (TagType.RELEASE, policy.releases),
        (TagType.CANDIDATE, policy.candidates),
    ):
        shown.update(tag.text for tag in _of_type(kind, tags)[:number])
    first = [recommended_tag(policy, tags, built), PLAIN_TAG]
    ordered = [*first, *(tag.text for tag in in_menu_order(shown))]
    return list(dict.fromkeys(ordered))


def _of_type(kind: TagType, texts: Iterable[str]) -> list[Tag]:
    return [tag for tag in in_menu_order(texts) if tag.type is kind]
