"""The site of the documentation: built without a warning, whole, and good without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
"""Elements that fetch something when a page is opened, and where they say what."""


class Loaded(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADS.get(tag, ""))
        if address:
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*command, "--jobs", "auto", ROOT / "docs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pages(site: Path) -> Iterator[Path]:
    yield from site.rglob("*.html")


def test_every_document_and_every_room_has_its_page(site: Path) -> None:
    for document in (ROOT / "docs").glob("*.md"):
        assert (site / f"{document.stem}.html").is_file()
    for package in ROOT.glob("*/despejado*/__init__.py"):
        name = package.parent.name
        assert (site / "api" / name / f"{name}.html").is_file()


def test_the_search_finds_a_word_of_the_docs_and_one_of_the_code(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    assert "pleiad" in index  # words are stemmed
    assert "parse_tag" in index


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    elsewhere = set()
    for page in pages(site):
        found = Loaded()
        found.feed(page.read_text())
        elsewhere |= {each for each in found.addresses if re.match(r"(https?:)?//", each)}
    assert elsewhere == set()
