"""Amounts and names as people write them."""

from __future__ import annotations

import pytest
from despejado_spawner.pods.diagnosis.wording import memory_words, sentence


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("16Gi", "16 GiB"),
        ("32Mi", "32 MiB"),
        ("1536Mi", "1.5 GiB"),
        ("2000000000", "1.9 GiB"),
        ("1023", "1023 B"),
        ("0", "0 B"),
        ("much", "much"),
    ],
)
def test_memory_reads_as_people_write_it(amount: str, words: str) -> None:
    assert memory_words(amount) == words


def test_a_sentence_is_one_line_and_ends() -> None:
    assert sentence("a\n  b") == "a b."
    assert sentence("Why?") == "Why?"
