"""Read YAML into a tree that remembers where every value stands.

The scalars follow the YAML 1.2 core schema (section 10.3), not 1.1: ``no`` is the country, not
false, and ``12:30`` is text, not 750. Only plain mappings, sequences and scalars are accepted;
anchors, aliases and ``<<`` work within bounds, so that a small file cannot become a huge tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from .errors import Place, PlatformError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 20_000


class SourceText(str):
    """Text that knows the folder of the file it stands in, for relative paths."""

    __slots__ = ("folder",)
    folder: Path


@dataclass(frozen=True)
class Scalar:
    """A single value; text is `SourceText`."""

    value: str | int | float | bool | None
    place: Place


@dataclass(frozen=True)
class Sequence:
    """A list, in the order of the file."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True)
class Mapping:
    """``keys`` says where each key stands, ``entries`` what it holds; both in file order."""

    entries: dict[str, Node]
    keys: dict[str, Place]
    place: Place


Node = Scalar | Sequence | Mapping


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader with the YAML 1.2 core schema's idea of what a plain scalar means."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


def _resolver(tag: str, pattern: str, first: str) -> None:
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolver("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolver("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_resolver("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789")
_resolver("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_CoreLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_resolver("merge", r"^<<$", "<")


class _Mark(Protocol):
    """A position as PyYAML gives it, counted from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass
class _Reader:
    """Turns YAML nodes into ours, collecting problems instead of stopping at the first."""

    file: Path
    problems: list[Problem] = field(default_factory=list)
    seen: int = 0
    open_nodes: list[yaml.Node] = field(default_factory=list)

    def place(self, mark: _Mark | None) -> Place:
        if mark is None:
            return Place(self.file, 1, 1)
        return Place(self.file, mark.line + 1, mark.column + 1)

    def problem(self, key: str, message: str, mark: _Mark | None, **more: str) -> None:
        self.problems.append(Problem(key, message, place=self.place(mark), **more))

    def read(self, node: yaml.Node, path: str) -> Node:
        place = self.place(node.start_mark)
        self.seen += 1
        if self.seen > MAX_NODES:
            problem = Problem(
                path,
                f"the file unfolds to more than {MAX_NODES} values",
                advice="use fewer aliases (*name); a platform needs a few hundred values",
                place=place,
            )
            raise PlatformError(self.file, [problem])
        if any(node is opened for opened in self.open_nodes):
            self.problem(
                path, "an alias that contains itself", node.start_mark, advice="remove the alias"
            )
            return Scalar(None, place)
        self.open_nodes.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path, place)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, path, place)
            return self._scalar(node, path, place)
        finally:
            self.open_nodes.pop()

    def _plain_tag(self, node: yaml.Node, path: str, expected: str) -> None:
        if node.tag != f"tag:yaml.org,2002:{expected}":
            self.problem(
                path,
                f"the YAML tag {node.tag} is not used here",
                node.start_mark,
                advice="remove the tag (the word that begins with !)",
            )

    def _sequence(self, node: yaml.SequenceNode, path: str, place: Place) -> Sequence:
        self._plain_tag(node, path, "seq")
        return Sequence(
            tuple(self.read(item, f"{path}[{i}]") for i, item in enumerate(node.value)), place
        )

    def _mapping(self, node: yaml.MappingNode, path: str, place: Place) -> Mapping:
        self._plain_tag(node, path, "map")
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Mapping] = []
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self.problem(path, "a key must be a plain word", key_node.start_mark)
                continue
            here = f"{path}.{key}" if path else str(key)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged += self._merged(value_node, here)
                continue
            if key in entries:
                self.problem(
                    here,
                    f"this key is here twice; it stands at line {keys[key].line} already",
                    key_node.start_mark,
                    advice="keep one of the two",
                )
                continue
            keys[key] = self.place(key_node.start_mark)
            entries[key] = self.read(value_node, here)
        for mapping in merged:
            for key, value in mapping.entries.items():
                if key not in entries:
                    entries[key] = value
                    keys[key] = mapping.keys[key]
        return Mapping(entries, keys, place)

    def _merged(self, node: yaml.Node, path: str) -> list[Mapping]:
        read = self.read(node, path)
        found = list(read.items) if isinstance(read, Sequence) else [read]
        good = [item for item in found if isinstance(item, Mapping)]
        if len(good) != len(found):
            self.problem(path, "<< takes a mapping or a list of mappings", node.start_mark)
        return good

    def _scalar(self, node: yaml.Node, path: str, place: Place) -> Scalar:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        text = str(node.value)
        if tag == "null":
            return Scalar(None, place)
        if tag == "bool":
            return Scalar(text.lower() == "true", place)
        if tag == "int" and len(text) <= 30:
            return Scalar(int(text, 0) if text[:2] in {"0o", "0x"} else int(text), place)
        if tag == "float":
            return Scalar(float(text), place)
        if tag not in {"str", "int"}:
            self._plain_tag(node, path, "str")
        located = SourceText(text)
        located.folder = self.file.parent
        return Scalar(located, place)


def read_source(file: Path, text: str) -> Mapping:
    """The tree of a YAML document.

    Raises PlatformError with every duplicate key, tag and alias that is refused, or with the one
    syntax error at which the YAML ends to make sense.
    """
    reader = _Reader(file)
    if len(text.encode()) > MAX_BYTES:
        raise PlatformError(file, [Problem("", f"the file is larger than {MAX_BYTES} bytes")])
    try:
        _refuse_deep(file, text)
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        raise PlatformError(file, [_syntax_problem(reader, error)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        message = f"the character U+{error.character:04X} cannot stand in YAML"
        raise PlatformError(file, [Problem("", message, place=Place(file, line, column))]) from None
    if root is None:
        place = Place(file, 1, 1)
        return Mapping({}, {}, place)
    node = reader.read(root, "")
    if not isinstance(node, Mapping):
        reader.problem(
            "", "the file must hold keys and values", root.start_mark, allowed="version: 1, ..."
        )
    if reader.problems:
        raise PlatformError(file, reader.problems)
    assert isinstance(node, Mapping)  # noqa: S101 (said above)
    return node


def _refuse_deep(file: Path, text: str) -> None:
    # The composer recurses; the event stream does not. So depth is measured on the events.
    depth = 0
    for event in yaml.parse(text, Loader=_CoreLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            place = _Reader(file).place(event.start_mark)
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise PlatformError(file, [Problem("", message, place=place)])


def _syntax_problem(reader: _Reader, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "not YAML"
    advice = "check indentation, colons and quotes on this line and the one before"
    if "'\\t'" in what or "tab" in what:
        what, advice = "a tab stands where YAML wants spaces", "indent with spaces"
    elif "undefined alias" in what:
        advice = "define the anchor (&name) before its alias (*name)"
    elif "expected a single document" in what or "another document" in what:
        what, advice = "a second document begins here (---)", "one file holds one platform"
    return Problem("", f"YAML syntax: {what}", advice=advice, place=reader.place(mark))


Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


def to_plain(node: Node) -> Plain:
    """Dictionaries, lists and scalars of a tree; text stays SourceText."""
    if isinstance(node, Mapping):
        return {key: to_plain(value) for key, value in node.entries.items()}
    if isinstance(node, Sequence):
        return [to_plain(item) for item in node.items]
    return node.value


def find_place(node: Node, path: tuple[str | int, ...], *, of_key: bool) -> Place:
    """Where the value at ``path`` stands, or its key; the nearest parent if it is not there."""
    place = node.place
    for step in path:
        if isinstance(node, Mapping) and str(step) in node.entries:
            key_place = node.keys[str(step)]
            node = node.entries[str(step)]
            place = key_place if of_key else node.place
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            break
    return place
