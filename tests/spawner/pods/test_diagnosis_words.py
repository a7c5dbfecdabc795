"""Amounts and names as people write them."""

from __future__ import annotations

import pytest
from despejado_spawner.pods.diagnosis.wording import (
    download_words,
    memory_words,
    registry_of,
    sentence,
)


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("busybox", "docker.io"),
        ("jupyter/base-notebook:latest", "docker.io"),
        ("quay.io/jupyter/base-notebook", "quay.io"),
        ("registry:5000/lab:1", "registry:5000"),
        ("localhost/lab", "localhost"),
        ("registry.example.org/a/b@sha256:1", "registry.example.org"),
    ],
)
def test_the_registry_of_an_image_is_named(image: str, host: str) -> None:
    assert registry_of(image) == host


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


def test_downloads_are_told_in_decimal_units() -> None:
    assert download_words(1_230_000_000) == "1.2 GB"
    assert download_words(300_400_000) == "300 MB"
    assert download_words(10) == "1 MB"


def test_a_sentence_is_one_line_and_ends() -> None:
    assert sentence("a\n  b") == "a b."
    assert sentence("Why?") == "Why?"
