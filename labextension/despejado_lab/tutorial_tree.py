"""The tree of tutorials, with titles from the notebooks themselves."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

ENTRY_POINTS = "despejado_lab.tutorials"
SUFFIX = ".ipynb"
# A notebook with large outputs is not parsed only to learn its title.
LARGEST_PARSED = 20_000_000
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<text>.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*`]+")
_NUMBER = re.compile(r"^\d+[-_. ]+")


@dataclass(frozen=True)
class Entry:
    """A notebook, or a folder with ``entries``; ``path`` is POSIX, relative to the tutorials."""

    kind: str
    path: str
    title: str
    entries: tuple[Entry, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The entry and all below it, as the tutorials route answers."""
        answer: dict[str, object] = {"kind": self.kind, "path": self.path, "title": self.title}
        if self.kind == "folder":
            answer["entries"] = [entry.as_json() for entry in self.entries]
        return answer


def title_from_name(name: str) -> str:
    """``01-first-look.ipynb`` reads ``First look``."""
    words = _NUMBER.sub("", name.removesuffix(SUFFIX)).replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else name


def _markdown_lines(notebook: object) -> Iterator[str]:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    for cell in cells if isinstance(cells, list) else ():
        if not isinstance(cell, dict) or cell.get("cell_type") != "markdown":
            continue
        source = cell.get("source", "")
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        yield from text.splitlines()


def first_heading(content: str) -> str | None:
    """The first Markdown heading of a notebook (nbformat 4), without its marks, or None."""
    try:
        notebook = json.loads(content)
    except ValueError:
        return None
    fenced = False
    for line in _markdown_lines(notebook):
        if _FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else _HEADING.match(line)
        if heading:
            text = _MARKS.sub("", _LINK.sub(r"\1", heading["text"])).strip()
            if text:
                return text
    return None


def packaged_folders() -> list[Path]:
    """Folders that installed packages offer under the entry point ``despejado_lab.tutorials``.

    Raises ImportError or AttributeError if an offered function cannot be loaded.
    """

    def folder(point: EntryPoint) -> Path:
        return Path(point.load()())

    return [folder(point) for point in sorted(entry_points(group=ENTRY_POINTS))]


class TutorialTree:
    """Walks a folder of tutorials and remembers titles for as long as the files do not change."""

    def __init__(self) -> None:
        self._titles: dict[Path, tuple[tuple[int, int], str]] = {}

    def read(self, root: Path) -> tuple[Entry, ...]:
        """All tutorials below ``root``, in the order of their names. Blocking.

        Hidden files, links to folders and links that lead out of ``root`` are left out, and so are
        folders without notebooks. Raises OSError if ``root`` cannot be listed.
        """
        return self._entries(root, root, root.resolve())

    def _entries(self, folder: Path, root: Path, resolved_root: Path) -> tuple[Entry, ...]:
        found: list[Entry] = []
        with os.scandir(folder) as listing:
            items = sorted(listing, key=lambda item: item.name)
        for item in items:
            path = Path(item.path)
            relative = path.relative_to(root).as_posix()
            if item.name.startswith((".", "_")):
                continue
            if item.is_dir(follow_symlinks=False):
                entries = self._entries(path, root, resolved_root)
                if entries:
                    found.append(Entry("folder", relative, title_from_name(item.name), entries))
            elif (
                item.name.endswith(SUFFIX)
                and item.is_file()
                and path.resolve().is_relative_to(resolved_root)
            ):
                found.append(Entry("notebook", relative, self._title(path)))
        return tuple(found)

    def _title(self, path: Path) -> str:
        state = path.stat()
        key = (state.st_mtime_ns, state.st_size)
        known = self._titles.get(path)
        if known is not None and known[0] == key:
            return known[1]
        title = None
        if state.st_size <= LARGEST_PARSED:
            title = first_heading(path.read_text(encoding="utf-8", errors="replace"))
        title = title or title_from_name(path.name)
        self._titles[path] = (key, title)
        return title
