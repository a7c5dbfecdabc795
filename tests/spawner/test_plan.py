"""Sizes, units, folder names and variables that a plan is made of."""

from __future__ import annotations

import pytest
from despejado_spawner.models import Size
from despejado_spawner.slugs import folder_name
from despejado_spawner.units import format_memory, parse_cpu, parse_memory
from despejado_spawner.variables import thread_count
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12K", 12_000),
        ("12Ki", 12_288),
        ("12MiB", 12_582_912),
        ("1Gi", 2**30),
        ("5", 5),
        (5, 5),
    ],
)
def test_memory_as_kubernetes_writes_it(text: str | int, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "Gi", "-1", "1 Gi", "1gi", "1e3", "١Gi", True])
def test_other_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "cores"), [("450m", 0.45), ("2", 2.0), (0.5, 0.5), ("1.234", 1.234)]
)
def test_cpu_as_kubernetes_writes_it(text: str | float, cores: float) -> None:
    assert parse_cpu(text) == cores


@pytest.mark.parametrize("text", ["1.2345", "1.2m", "nope", "", "-1", True])
def test_other_cpu_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of CPU"):
        parse_cpu(text)


@given(st.integers(1, 2**50))
def test_written_memory_reads_back(amount: int) -> None:
    assert parse_memory(format_memory(amount)) == amount


def test_a_size_is_labelled_with_its_limits() -> None:
    assert Size("small", 1.0, 3 * 2**30).label == "Small (1.0 CPU, 3Gi RAM)"


@pytest.mark.parametrize(
    ("cpu", "threads"), [(3.1, 3), (14, 14), (0.1, 1), (float("nan"), 1), (float("inf"), 1)]
)
def test_threads_follow_the_cpu_limit(cpu: float, threads: int) -> None:
    assert thread_count(cpu) == threads


ODD_NAMES = ["é", "e", "E", "../x", "a b", "a/b", "..", ".", "", "x" * 300, "a..b", "-a", "a---b"]


@pytest.mark.parametrize("name", [*ODD_NAMES, "\x00", "名前", "a\n", "con.", "\ud800"])
def test_a_folder_name_is_one_plain_component(name: str) -> None:
    folder = folder_name(name)
    assert folder.isascii() and folder not in ("", ".", "..") and len(folder) <= 48
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert folder_name(folder) != folder or folder == name  # no name is taken by an odd one


@pytest.mark.parametrize("name", ["rachel", "jane.doe", "a_1", "99bottles"])
def test_an_ordinary_name_is_its_own_folder(name: str) -> None:
    assert folder_name(name) == name


@given(st.lists(st.text() | st.sampled_from(ODD_NAMES), unique=True, max_size=20))
def test_different_names_have_different_folders_even_without_case(names: list[str]) -> None:
    assert len({folder_name(name).lower() for name in names}) == len(names)
