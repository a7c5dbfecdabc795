"""Image tags: what each form means, how it reads, and that the order is an order."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, date, datetime

import pytest
from despejado_images.aliases import alias_of, resolve_aliases
from despejado_images.tags import Tag, TagError, TagType, parse_tag
from hypothesis import given
from hypothesis import strategies as st

R, W, D = TagType.RELEASE, TagType.WEEKLY, TagType.DAILY
C, E, U, A = TagType.CANDIDATE, TagType.EXPERIMENTAL, TagType.UNKNOWN, TagType.ALIAS

FORMS = [
    ("r21_0_1", R, "Release r21.0.1"),
    ("r170", R, "Release r17.0.0"),
    ("r29_2_0_rsp2697", R, "Release r29.2.0 (RSP Build 2697)"),
    (
        "r22_0_1_c0019.001_rsp19_20210513",
        R,
        "Release r22.0.1 (SAL Cycle 0019, Build 001) (RSP Build 19) [20210513]",
    ),
    (
        "r22_0_1_rsp19_c0019.001_20210513",
        R,
        "Release r22.0.1 (SAL Cycle 0019, Build 001) (RSP Build 19) [20210513]",
    ),
    ("r22_0_0_rc1", C, "Release Candidate r22.0.0-rc1"),
    ("w_2021_22", W, "Weekly 2021_22"),
    ("w_2021_5", W, "Weekly 2021_5"),
    ("w_2021_22_rsp19-arm64", W, "Weekly 2021_22 (RSP Build 19) [arm64]"),
    ("w_2020_53", W, "Weekly 2020_53"),
    ("w_2021_13_c0020", W, "Weekly 2021_13 (SAL Cycle 0020)"),
    ("w_2021_13-arm64-v8", W, "Weekly 2021_13 [arm64-v8]"),
    ("d_2021_05_27_20210527-amd64", D, "Daily 2021_05_27 [20210527] [amd64]"),
    (
        "exp_w_2021_22_c0020.001_rsp19_foo-amd64",
        E,
        "Experimental Weekly 2021_22 (SAL Cycle 0020, Build 001) (RSP Build 19) [foo] [amd64]",
    ),
    ("exp_w_2021_05_13_nosudo", E, "Experimental Weekly 2021_05 [13_nosudo]"),
    ("exp_exp_w_2021_05", E, "Experimental Weekly 2021_05"),
    ("exp_random", E, "Experimental random"),
    ("recommended_c0027-arm64", U, "recommended (SAL Cycle 0027) [arm64]"),
    ("latest-amd64", U, "latest [amd64]"),
    ("", U, "latest"),
    *(
        (text, U, text)
        for text in (
            "not_a_normal_format",
            "v29_1_1",
            "2026_14",
            "exp_",
            "MiXeD_CaSe_TaG",
            "r17_0",
            "d_21_1_1",
            "w_2021_53",
            "w_2021_99",
            "w_2021_00",
            "w_2021_123",
            "d_2021_02_30",
            "d_2021_13_01",
            "w_2021_13-AMD64",
        )
    ),
]


@pytest.mark.parametrize(("text", "kind", "name"), FORMS)
def test_a_tag_reads_as_its_form_says(text: str, kind: TagType, name: str) -> None:
    tag = parse_tag(text)
    assert (tag.type, tag.display_name) == (kind, name)
    assert (tag.reason is not None) == (kind is U)


def test_a_configured_alias_reads_as_a_title() -> None:
    tag = parse_tag("recommended_c0027-arm64", aliases=["recommended"])
    assert (tag.type, tag.display_name) == (A, "Recommended (SAL Cycle 0027) [arm64]")
    assert parse_tag("latest_weekly", aliases=["latest_weekly"]).display_name == "Latest Weekly"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("w_2021_22", date(2021, 6, 3)),
        ("w_2020_53", date(2020, 12, 31)),
        ("d_2021_05_27_x-amd64", date(2021, 5, 27)),
        ("exp_w_2021_22_foo", date(2021, 6, 3)),
    ],
)
def test_dated_tags_know_their_day(text: str, day: date) -> None:
    assert parse_tag(text).date == datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize("text", ["r21_0_1", "exp_random", "w_2021_53", "latest"])
def test_other_tags_have_no_day(text: str) -> None:
    assert parse_tag(text).date is None


def test_a_day_outside_the_calendar_says_why() -> None:
    reason = parse_tag("w_2021_53").reason
    assert reason is not None
    assert "calendar" in reason


@pytest.mark.parametrize("text", ["w_2021_13\n", " w_2021_13", "a b", "../x", "é", "x" * 129])
def test_what_no_registry_accepts_is_refused(text: str) -> None:
    with pytest.raises(TagError):
        parse_tag(text)


CHAINS = [
    (
        "r21_0_1 r21_0_1_rsp29 r21_0_1_rsp103 r21_0_1_rsp103_extra r21_0_1_rsp103_foo-amd64 "
        "r21_0_1_rsp103_foo-arm64 r21_0_1_rsp103_foo r21_0_1_c0031.004 r21_0_1_c0031.004_rsp103 "
        "r21_0_1_c0032.004_rsp102 r21_0_1_c0032.004_rsp103 r21_0_1_c0032.005_rsp101"
    ),
    "r29_0_0_rc1 r29_0_0_rc2 r29_0_0_rc10 r29_0_1_rc1 r30_0_0_rc1",
    "w_2021_1 w_2021_2 w_2021_10 w_2022_01",
    "exp_w_2021_05 exp_w_2021_10 exp_random exp_zebra",
    "d_2021_05_27 d_2021_05_28_c0001.001 d_2021_12_01",
]


@pytest.mark.parametrize("chain", CHAINS)
def test_any_permutation_sorts_into_the_chain(chain: str) -> None:
    ordered = [parse_tag(text) for text in chain.split()]
    shuffler = random.Random(20261121)
    for permutation in (
        itertools.permutations(ordered)
        if len(ordered) <= 6
        else [tuple(shuffler.sample(ordered, len(ordered))) for _ in range(300)]
    ):
        assert sorted(permutation) == ordered


def test_equal_versions_with_different_text_differ_but_have_an_order() -> None:
    short, long = parse_tag("w_2021_1"), parse_tag("w_2021_01")
    assert short != long
    assert long < short
    assert short > long
    assert parse_tag("w_2021_01") == long
    assert len({short, long, parse_tag("w_2021_1")}) == 2


def test_comparing_two_types_is_an_error() -> None:
    with pytest.raises(TypeError, match="Weekly and Release"):
        _ = parse_tag("w_2021_22") < parse_tag("r21_0_1")


numbers = st.integers(0, 99999).map(str)
words = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True).filter(
    lambda word: not word.startswith(("rsp", "c")) and not word[0].isdigit()
)
bases = st.one_of(
    st.tuples(st.integers(2000, 2040), st.integers(1, 52)).map(lambda w: f"w_{w[0]}_{w[1]:02}"),
    st.tuples(numbers, numbers, numbers).map(lambda v: "r" + "_".join(v)),
    st.dates(date(2000, 1, 1)).map(lambda day: f"d_{day:%Y_%m_%d}"),
)


@given(
    base=bases,
    cycle=st.none() | st.tuples(st.from_regex(r"[0-9]{4}", fullmatch=True), numbers),
    rsp=st.none() | numbers,
    extra=st.none() | words,
    architecture=st.none() | st.sampled_from(["amd64", "arm64", "arm64-v8", "ppc64le"]),
    swapped=st.booleans(),
)
def test_every_part_that_is_written_is_found_again(
    base: str,
    cycle: tuple[str, str] | None,
    rsp: str | None,
    extra: str | None,
    architecture: str | None,
    swapped: bool,
) -> None:
    parts = [f"_c{cycle[0]}.{cycle[1]}" if cycle else "", f"_rsp{rsp}" if rsp else ""]
    text = base + "".join(reversed(parts) if swapped else parts)
    text += (f"_{extra}" if extra else "") + (f"-{architecture}" if architecture else "")
    tag = parse_tag(text)
    assert tag.type is not U
    assert (tag.cycle, tag.cycle_build) == (cycle or (None, None))
    assert (tag.rsp_build, tag.extra, tag.architecture) == (rsp, extra, architecture)


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,40}", fullmatch=True))
def test_every_legal_tag_has_a_type_and_a_name(text: str) -> None:
    tag = parse_tag(text, aliases=["recommended"])
    assert tag.display_name
    assert tag.text == text


@given(
    st.lists(
        st.from_regex(
            r"exp_(w_20[12][0-9]_[0-4][0-9]|[a-z]{1,3})(_rsp[0-9]{1,3})?(-[a-z][0-9])?",
            fullmatch=True,
        ),
        max_size=8,
    )
)
def test_the_order_is_total(texts: list[str]) -> None:
    tags = [parse_tag(text) for text in texts]
    backwards = tags[::-1]
    assert sorted(tags) == sorted(backwards)


# Aliases by digest


def test_an_alias_is_named_after_its_target() -> None:
    def name(alias: str, target: str) -> str:
        return alias_of(parse_tag(alias, ["recommended"]), parse_tag(target)).display_name

    assert name("recommended", "w_2077_43") == "Recommended (Weekly 2077_43)"
    assert (
        name("recommended_c0027", "d_2077_10_23_c0045.003")
        == "Recommended (Daily 2077_10_23, SAL Cycle 0045, Build 003)"
    )
    assert (
        name("latest-amd64", "r21_0_2_rsp64_stuff-amd64")
        == "Latest (Release r21.0.2, RSP Build 64 [stuff]) [amd64]"
    )
    assert (
        name("latest_weekly-arm64", "w_2077_45-amd64")
        == "Latest Weekly (Weekly 2077_45 [amd64]) [arm64]"
    )


def test_an_alias_takes_cycle_and_day_of_its_target() -> None:
    alias = alias_of(parse_tag("recommended_c0027"), parse_tag("w_2077_43_c0050.002"))
    assert (alias.type, alias.cycle, alias.cycle_build) == (A, "0050", "002")
    assert alias.date == parse_tag("w_2077_43").date


@given(st.permutations(["w_2077_43", "w_2077_42", "r30_0_1", "d_2077_10_23", "odd", "recommended"]))
def test_the_target_does_not_depend_on_the_listing(texts: list[str]) -> None:
    digests: dict[Tag, str] = {parse_tag(text, ["recommended"]): "sha256:1" for text in texts}
    found = resolve_aliases(digests)
    assert {tag.text: target and target.text for tag, target in found.items()} == {
        "odd": "r30_0_1",
        "recommended": "r30_0_1",
    }


def test_two_aliases_never_resolve_each_other() -> None:
    digests = {parse_tag("recommended", ["recommended"]): "a", parse_tag("odd"): "a"}
    assert {tag.text: target for tag, target in resolve_aliases(digests).items()} == {
        "recommended": None
    }
