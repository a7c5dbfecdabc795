"""Image tags of the Rubin Science Platform: what a tag means, how it reads, how it sorts.

Grammar and names follow the images that today's platforms publish (LSST SQR-059, SQR-066):
``w_2026_43``, ``r30_0_11_rsp2697``, ``d_2026_10_22``, ``r30_0_8_rc2``, ``exp_w_2026_43_fix``, each
optionally followed by ``_cCCCC.BBB`` (SAL cycle and build), ``_rspN`` (platform build), free text
and ``-architecture``. A tag that follows no form, or names a day that is not in the calendar, is
``Unknown`` and says why; text that no registry would accept as a tag is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum


class TagError(ValueError):
    """The text is not a tag at all: no registry accepts it."""


class TagType(Enum):
    """Kinds of tags, in the order of the menu."""

    ALIAS = "Alias"
    RELEASE = "Release"
    WEEKLY = "Weekly"
    DAILY = "Daily"
    CANDIDATE = "Release Candidate"
    EXPERIMENTAL = "Experimental"
    UNKNOWN = "Unknown"

    @property
    def menu_order(self) -> int:
        """Place in the menu, 0 first."""
        return list(TagType).index(self)


Version = tuple[int, int, int, int, int]
"""major, minor, patch, 1 if final and 0 if a candidate, number of the candidate."""

SortKey = tuple[bool, Version, str, int, int, int, str, bool, str, str]


@dataclass(frozen=True, slots=True)
class Tag:
    """One parsed tag. Tags are equal only if their text is; they sort within one type.

    ``base`` is the text of a tag without version (alias, free experimental, unknown). Digits of
    cycle and build are kept as written and compared as integers. ``date`` is 00:00 UTC of the day
    (for a weekly the Thursday of its ISO week). ``reason`` says why a tag is Unknown.
    """

    text: str
    type: TagType
    display_name: str
    base: str = ""
    version: Version | None = None
    date: datetime | None = None
    cycle: str | None = None
    cycle_build: str | None = None
    rsp_build: str | None = None
    extra: str | None = None
    architecture: str | None = None
    reason: str | None = None

    @property
    def sort_key(self) -> SortKey:
        """Ascending order within a type; the text breaks ties, so any two tags have an order.

        What has no version sorts after what has one; a missing number or text sorts first, a
        missing architecture last.
        """
        return (
            self.version is None,
            self.version or (0, 0, 0, 0, 0),
            self.base,
            _number(self.cycle),
            _number(self.cycle_build),
            _number(self.rsp_build),
            self.extra or "",
            self.architecture is None,
            self.architecture or "",
            self.text,
        )

    def __lt__(self, other: Tag) -> bool:
        if self.type is not other.type:
            raise TypeError(f"{self.type.value} and {other.type.value} tags have no common order")
        return self.sort_key < other.sort_key

    def __gt__(self, other: Tag) -> bool:
        return other < self


def _number(digits: str | None) -> int:
    return -1 if digits is None else int(digits)


@dataclass(frozen=True, slots=True)
class _Suffix:
    cycle: str | None = None
    cycle_build: str | None = None
    rsp_build: str | None = None
    extra: str | None = None
    architecture: str | None = None

    def pieces(self) -> str:
        """The suffix as the display name shows it."""
        text = ""
        if self.cycle is not None:
            build = "" if self.cycle_build is None else f", Build {self.cycle_build}"
            text += f" (SAL Cycle {self.cycle}{build})"
        if self.rsp_build is not None:
            text += f" (RSP Build {self.rsp_build})"
        if self.extra is not None:
            text += f" [{self.extra}]"
        if self.architecture is not None:
            text += f" [{self.architecture}]"
        return text


# The OCI distribution specification 1.1, "Pulling manifests": the grammar of a tag.
LEGAL_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_CYCLE = r"_c(?P<cycle>\d+)(?:\.(?P<cycle_build>\d+))?(?![^_-])"
_RSP = r"_rsp(?P<rsp_build>\d+)(?![^_-])"
# An architecture may carry a variant (arm64-v8) and is never in capitals.
_ARCHITECTURE = r"(?:-(?P<architecture>[a-z0-9]+(?:-v[0-9]+)?))?"
_EXTRA = r"(?:_(?P<extra>.+?))?"
_SUFFIXES = (  # cycle before platform build since 12.0.2, after it in older tags
    re.compile(f"(?:{_CYCLE})?(?:{_RSP})?{_EXTRA}{_ARCHITECTURE}", re.ASCII),
    re.compile(f"{_RSP}{_CYCLE}{_EXTRA}{_ARCHITECTURE}", re.ASCII),
)
_UNVERSIONED = re.compile(f"(?P<base>.+?)(?:{_CYCLE})?{_ARCHITECTURE}", re.ASCII)
_OBSOLETE_RELEASE = re.compile(r"r(\d\d)(\d)", re.ASCII)
_CANDIDATE = re.compile(r"r(\d+)_(\d+)_(\d+)_rc(\d+)(?![^_-])", re.ASCII)
_RELEASE = re.compile(r"r(\d+)_(\d+)_(\d+)(?![^_-])", re.ASCII)
_WEEKLY = re.compile(r"w_(\d{4})_(\d{1,2})(?![^_-])", re.ASCII)
_DAILY = re.compile(r"d_(\d{4})_(\d{1,2})_(\d{1,2})(?![^_-])", re.ASCII)
_EXPERIMENTAL = "exp_"


def parse_tag(text: str, aliases: Collection[str] = ()) -> Tag:
    """Parse a tag; ``aliases`` are the names configured as aliases (``recommended``).

    Empty text means ``latest``, as in a registry. Raises ``TagError`` for text that is not a legal
    tag (blanks, line ends, more than 128 characters).
    """
    text = text or "latest"
    if not LEGAL_TAG.fullmatch(text):
        raise TagError(f"{text!r} is not an image tag: letters, digits, '_', '.' and '-' only")
    if (alias := _alias(text, aliases)) is not None:
        return alias
    if text.startswith(_EXPERIMENTAL) and text != _EXPERIMENTAL:
        return _experimental(text)
    return _versioned(text)


def _alias(text: str, aliases: Collection[str]) -> Tag | None:
    if text in aliases:  # the whole name, should a configured alias itself look like a suffix
        return _make(text, TagType.ALIAS, title(text), _Suffix(), base=text)
    match = _UNVERSIONED.fullmatch(text)
    if match is None or match["base"] not in aliases:
        return None
    suffix = _Suffix(match["cycle"], match["cycle_build"], None, None, match["architecture"])
    return _make(text, TagType.ALIAS, title(match["base"]), suffix, base=match["base"])


def title(base: str) -> str:
    """How the base text of an alias reads: ``latest_weekly`` is ``Latest Weekly``."""
    return base.replace("_", " ").title()


def _experimental(text: str) -> Tag:
    rest_text = text
    while rest_text.startswith(_EXPERIMENTAL) and rest_text != _EXPERIMENTAL:
        rest_text = rest_text.removeprefix(_EXPERIMENTAL)
    rest = _versioned(rest_text)
    return Tag(
        text=text,
        type=TagType.EXPERIMENTAL,
        display_name=f"Experimental {rest.display_name}",
        base=rest.base,
        version=rest.version,
        date=rest.date,
        cycle=rest.cycle,
        cycle_build=rest.cycle_build,
        rsp_build=rest.rsp_build,
        extra=rest.extra,
        architecture=rest.architecture,
    )


def _versioned(text: str) -> Tag:
    if obsolete := _OBSOLETE_RELEASE.fullmatch(text):
        return _release(text, TagType.RELEASE, (*_integers(obsolete), 0), _Suffix())
    for pattern, make in (
        (_CANDIDATE, _candidate_of),
        (_RELEASE, _release_of),
        (_WEEKLY, _weekly_of),
        (_DAILY, _daily_of),
    ):
        match = pattern.match(text)
        if match is None:
            continue
        suffix = _suffix(text[match.end() :])
        if suffix is None:
            return _unknown(text, "what follows the version is neither '_text' nor '-architecture'")
        try:
            return make(text, match, suffix)
        except ValueError as error:  # datetime: not in the calendar
            return _unknown(text, f"not in the calendar: {error}")
    return _unknown(text, "follows none of the forms r1_2_3, w_2026_01, d_2026_01_31")


def _suffix(text: str) -> _Suffix | None:
    for pattern in reversed(_SUFFIXES):
        if match := pattern.fullmatch(text):
            return _Suffix(**match.groupdict())
    return None


def _integers(match: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(group) for group in match.groups())


def _candidate_of(text: str, match: re.Match[str], suffix: _Suffix) -> Tag:
    return _release(text, TagType.CANDIDATE, _integers(match), suffix)


def _release_of(text: str, match: re.Match[str], suffix: _Suffix) -> Tag:
    return _release(text, TagType.RELEASE, _integers(match), suffix)


def _release(text: str, kind: TagType, numbers: tuple[int, ...], suffix: _Suffix) -> Tag:
    major, minor, patch, *candidate = numbers
    name = f"{kind.value} r{major}.{minor}.{patch}"
    if candidate:
        name += f"-rc{candidate[0]}"
    version = (major, minor, patch, 0 if candidate else 1, candidate[0] if candidate else 0)
    return _make(text, kind, name, suffix, version=version)


def _weekly_of(text: str, match: re.Match[str], suffix: _Suffix) -> Tag:
    year, week = _integers(match)
    date = datetime.fromisocalendar(year, week, 4).replace(tzinfo=UTC)
    name = f"Weekly {match[1]}_{match[2]}"
    return _make(text, TagType.WEEKLY, name, suffix, version=(year, week, 0, 1, 0), date=date)


def _daily_of(text: str, match: re.Match[str], suffix: _Suffix) -> Tag:
    year, month, day = _integers(match)
    date = datetime(year, month, day, tzinfo=UTC)
    name = f"Daily {match[1]}_{match[2]}_{match[3]}"
    return _make(text, TagType.DAILY, name, suffix, version=(year, month, day, 1, 0), date=date)


def _unknown(text: str, reason: str) -> Tag:
    match = _UNVERSIONED.fullmatch(text)
    if match is None or any(form.match(text) for form in (_RELEASE, _WEEKLY, _DAILY)):
        # Half a known form: showing parts of it as cycle or architecture would guess.
        return Tag(text, TagType.UNKNOWN, text, base=text, reason=reason)
    suffix = _Suffix(match["cycle"], match["cycle_build"], None, None, match["architecture"])
    return _make(text, TagType.UNKNOWN, match["base"], suffix, base=match["base"], reason=reason)


def _make(
    text: str,
    kind: TagType,
    name: str,
    suffix: _Suffix,
    *,
    base: str = "",
    version: Version | None = None,
    date: datetime | None = None,
    reason: str | None = None,
) -> Tag:
    return Tag(
        text=text,
        type=kind,
        display_name=name + suffix.pieces(),
        base=base,
        version=version,
        date=date,
        cycle=suffix.cycle,
        cycle_build=suffix.cycle_build,
        rsp_build=suffix.rsp_build,
        extra=suffix.extra,
        architecture=suffix.architecture,
        reason=reason,
    )
