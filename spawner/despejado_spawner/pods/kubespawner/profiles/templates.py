"""KubeSpawner's text templates, filled without ever failing on text that is not meant for them.

KubeSpawner fills ``{username}`` and its like by ``str.format`` into every text of a pod, also into
environment values, where braces are mostly JSON, a shell's or a prompt's: one of them ends the
start. It fills ``{value}``, the text of a user, in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

_SPEC = re.compile(r"(?:[^{}]?[<>=^])?[-+ #0]{0,3}\d{0,3}[A-Za-z%]?")
"""Widths of more than three digits are no text that a site means, but memory."""
_FIELD = re.compile(r"(\w+)(?:\[\d+\])?")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_VALUE = "{value}"


class Template(str):
    """A template whose ``format`` is :func:`expand`.

    KubeSpawner computes the values and calls ``template.format`` in one method; a template that
    knows how it is to be filled needs no copy of that method.
    """

    __slots__ = ()

    def format(self, *args: object, **values: object) -> str:
        """The template filled by :func:`expand`; values without a name are not looked at."""
        return expand(str(self), values)


def expand(template: str, values: Mapping[str, Any]) -> str:
    """``template`` with its ``{name}`` placeholders filled.

    A text that ``str.format`` can fill from ``values`` is filled as it does, ``{{`` for ``{`` and
    ``{name[0]}`` included. In any other text (JSON, ``${shell}``, lone braces) the known
    ``{name}`` are filled and all else is kept as it is. Attributes are never looked up.
    """
    if _is_format(template, values):
        try:
            return template.format(**values)
        except (IndexError, TypeError, ValueError):
            pass  # a spec or an index that this value does not have
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), template)


def fill_value(template: Any, value: str) -> Any:
    """A copy of ``template`` (any nesting) with ``{value}`` in its texts replaced.

    As a text that ``str.format`` can fill, it also has ``{{`` for ``{``; placeholders of other
    names are kept, as KubeSpawner fills them later.
    """
    if isinstance(template, str):
        return _filled(template, value)
    if isinstance(template, dict):
        return {fill_value(k, value): fill_value(v, value) for k, v in template.items()}
    if isinstance(template, list | tuple | set):
        return type(template)(fill_value(item, value) for item in template)
    return template


def _is_format(template: str, values: Mapping[str, Any]) -> bool:
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        return False
    for _, name, spec, _ in parts:
        if name is None:
            continue
        field = _FIELD.fullmatch(name)
        if field is None or field[1] not in values or not _SPEC.fullmatch(spec or ""):
            return False
    return True


def _filled(template: str, value: str) -> str:
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        return template.replace(_VALUE, value)
    names = [(name, spec, conversion) for _, name, spec, conversion in parts if name is not None]
    if any(spec or conversion or not name.isidentifier() for name, spec, conversion in names):
        return template.replace(_VALUE, value)
    return "".join(
        literal + ("" if name is None else value if name == "value" else f"{{{name}}}")
        for literal, name, _, _ in parts
    )
