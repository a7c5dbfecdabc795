"""The menu of a repository: from its tags, and what its registry says of those shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from despejado_images.aliases import resolve_aliases
from despejado_images.errors import ImageFaultError, RegistryError
from despejado_images.image import PLAIN_TAG, Image, cannot_start
from despejado_images.manifests import ImageFacts, clean, versions_of
from despejado_images.menu import (
    MenuPolicy,
    best_tag,
    cycle_of,
    fits_nodes,
    newest,
    recommendation_warning,
    sort_tags,
    wanted_name,
)
from despejado_images.tags import Tag, TagType, parse_tag

TITLE_LABEL = "org.opencontainers.image.title"
LAUNCHER_LABEL = "dev.despejado.launcher"
VERSIONS_LABEL = "dev.despejado.versions"
_FIRST_ARCHITECTURE = "amd64"

Answer = ImageFacts | RegistryError


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of a menu, and what its operator should mend."""

    images: tuple[Image, ...] = ()
    warnings: tuple[str, ...] = ()


def architectures_of(policy: MenuPolicy) -> tuple[str, ...]:
    """What images may be for, the first choice first."""
    return tuple(dict.fromkeys((_FIRST_ARCHITECTURE, *policy.architectures)))


def shown_tags(policy: MenuPolicy, texts: Sequence[str]) -> list[str]:
    """The tags of a repository that the policy offers: aliases, plain, then by type."""
    tags = [parse_tag(text, policy.aliases) for text in texts]
    aliases = [tag for tag in tags if tag.type is TagType.ALIAS and fits_nodes(policy, tag)]
    best = best_tag(policy, tags)
    shown = {*newest(policy, tags), *([best] if best else [])}
    shown |= {tag for tag in tags if tag.text == policy.recommended}
    plain = [tag for tag in tags if tag.text == PLAIN_TAG]
    ordered = [*sort_tags(aliases), *plain, *sort_tags(shown)]
    return list(dict.fromkeys(tag.text for tag in ordered))


def list_images(
    repository: str,
    policy: MenuPolicy,
    answers: Mapping[str, Answer],
    earlier: Sequence[Image] = (),
) -> Listing:
    """The menu of the shown tags by what the registry answers, the recommended image first.

    Of a tag that the registry does not tell of now, the line of ``earlier`` stays.
    """
    known = {name: image for image in earlier if image.can_start for name in _names(image)}
    tags = {text: parse_tag(text, policy.aliases) for text in answers}
    lines = {
        text: _line(repository, tags[text], answer, known.get(text))
        for text, answer in answers.items()
    }
    lines = _with_aliases(policy, tags, lines)
    images = list(lines.values())
    recommended = _recommended(policy, images)
    warning = recommendation_warning(policy, _asked_by(policy, recommended))
    broken = [cannot_start(image) for image in images if not image.can_start]
    if recommended is not None:
        images.remove(recommended)
        images.insert(0, replace(recommended, recommended=True))
    return Listing(tuple(images), (*([warning] if warning else ()), *broken))


def _line(repository: str, tag: Tag, answer: Answer, earlier: Image | None) -> Image:
    if isinstance(answer, ImageFacts):
        labels = answer.labels
        return Image(
            tag.text,
            clean(labels.get(TITLE_LABEL)) or _title(tag),
            reference=f"{repository}@{answer.digest}",
            digest=answer.digest,
            versions=versions_of(labels.get(VERSIONS_LABEL, "")),
            created=answer.created,
            size_bytes=answer.size_bytes,
            launcher=labels.get(LAUNCHER_LABEL) == "true",
        )
    if earlier is not None and not isinstance(answer, ImageFaultError):
        title = earlier.title if tag.text == earlier.tag else _title(tag)
        return replace(earlier, tag=tag.text, title=title, recommended=False, also=())
    return Image(tag.text, _title(tag), state="unavailable", reason=str(answer))


def _title(tag: Tag) -> str:
    return "Plain Python" if tag.text == PLAIN_TAG else tag.display_name


def _with_aliases(
    policy: MenuPolicy, tags: Mapping[str, Tag], lines: Mapping[str, Image]
) -> dict[str, Image]:
    """Aliases with the names of their targets, which lose their own lines to them."""
    digests = {
        tags[text]: image.digest
        for text, image in lines.items()
        if image.digest and tags[text].type is not TagType.UNKNOWN
    }
    shown = dict(lines)
    for alias, target in resolve_aliases(digests).items():
        if policy.cycle is not None and cycle_of(alias) != policy.cycle:
            del shown[alias.text]
            continue
        line = shown[alias.text]
        if target is None:
            # Its own title tells what it is now, where the image has one.
            title = alias.display_name
            more = "" if line.title.startswith(title) else f" ({line.title})"
            shown[alias.text] = replace(line, title=f"{title}{more}")
        elif shown.pop(target.text, None) is not None:
            shown[alias.text] = replace(line, title=alias.display_name, also=(target.text,))
        else:
            shown[alias.text] = replace(line, title=alias.display_name)
    return shown


def _recommended(policy: MenuPolicy, images: Sequence[Image]) -> Image | None:
    """As configured, else the alias of that name, the newest weekly or release, or the first."""
    able = [image for image in images if image.can_start]
    wanted = wanted_name(policy)
    for image in able:
        if wanted in _asked_by(policy, image):
            return image
    named = {name: image for image in able for name in _names(image)}
    best = best_tag(policy, map(parse_tag, named))
    return next(iter(able), None) if best is None else named[best.text]


def _names(image: Image) -> tuple[str, ...]:
    return (image.tag, *image.also)


def _asked_by(policy: MenuPolicy, image: Image | None) -> tuple[str, ...]:
    """Names by which a policy may recommend an image; ``recommended_c0042`` is ``recommended``."""
    if image is None:
        return ()
    tag = parse_tag(image.tag, policy.aliases)
    return (*_names(image), *((tag.base,) if tag.type is TagType.ALIAS else ()))
