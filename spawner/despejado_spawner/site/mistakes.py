"""What is wrong with a site's settings, said to the person who wrote them. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
_SHOWN = 80


@dataclass(frozen=True)
class Mistake:
    """One mistake: where, what, which value, what would be right.

    ``kind`` is pydantic's or a validator's own; ``of_key`` says that the key is wrong, not what
    it holds.
    """

    path: KeyPath
    kind: str
    message: str
    value: str | None
    allowed: str | None
    advice: str | None
    of_key: bool

    def sentence(self, where: str) -> str:
        """For one line, with ``where`` before the key."""
        text = f"{key_text((where, *self.path))}: {self.message}"
        if self.value is not None:
            text += f" ({self.value})"
        text += "."
        if self.allowed:
            text += f" Allowed: {self.allowed}."
        if self.advice:
            end = "" if self.advice.endswith("?") else "."
            text += f" {self.advice[0].upper()}{self.advice[1:]}{end}"
        return text


def mistakes(error: ValidationError, of: Any, data: Any) -> Iterator[Mistake]:
    """Every mistake that pydantic has found in ``data``, plain configuration of the type ``of``."""
    for detail in error.errors(include_url=False):
        yield _mistake(detail, of, data)


def key_text(path: Iterable[str | int]) -> str:
    """``labs.sizes.small.cpu``, ``hub.admins[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def shown(value: object) -> str:
    """A value of a file, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping (" + ", ".join(map(str, value)) + ")" if value else "{}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def nearest(value: object, words: Iterable[str]) -> str | None:
    """A guess at the word that was meant; None without a good one."""
    if not isinstance(value, str):
        return None
    near = difflib.get_close_matches(value, list(words), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else None


def words_of(allowed: str) -> list[str]:
    """The single words of what is allowed."""
    return [word.strip(" '\"") for part in allowed.split(",") for word in part.split(" or ")]


_MESSAGES = {
    "int_type": ("is not a whole number", "a whole number, without quotes"),
    "int_from_float": ("is not a whole number", "a whole number"),
    "float_type": ("is not a number", "a number, without quotes"),
    "string_type": ("is not text", "text; put it in quotes if it looks like a number"),
    "is_instance_of": ("is not a path", "a path; in quotes if it looks like a number"),
    "bool_type": ("is neither true nor false", "true or false, without quotes"),
    "model_type": ("is not a section", "a section: indented lines of key: value"),
    "model_attributes_type": ("is not a section", "a section: indented lines of key: value"),
    "dict_type": ("is not a section", "a section: indented lines of name: value"),
    "tuple_type": ("is not a list", "a list: lines that begin with -, or [a, b]"),
    "list_type": ("is not a list", "a list: lines that begin with -, or [a, b]"),
}


def _limits(detail: ErrorDetails) -> tuple[str, str] | None:
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind in {"greater_than_equal", "less_than_equal", "greater_than", "less_than"}:
        name, bound = next(iter(context.items()))
        words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        small = name in {"ge", "gt"}
        return ("is too small" if small else "is too large", f"{words[name]} {bound}")
    if kind.endswith("too_short"):
        return "is too short", f"at least {context['min_length']} {_unit(kind)}"
    if kind.endswith("too_long"):
        return "is too long", f"at most {context['max_length']} {_unit(kind)}"
    return None


def _unit(kind: str) -> str:
    return "characters" if kind.startswith("string") else "entries"


def _mistake(detail: ErrorDetails, of: Any, data: Any) -> Mistake:
    path = _as_written(detail["loc"], data)
    kind = detail["type"]
    context = detail.get("ctx", {})
    value: str | None = shown(detail["input"])
    allowed: str | None = None
    advice: str | None = None
    of_key = path[-1:] == ("[key]",)
    if of_key:
        path = path[:-1]
    if kind == "extra_forbidden":
        of_key = True
        known = known_keys(of, detail["loc"][:-1])
        message = "unknown key"
        allowed = ", ".join(known)
        advice = nearest(path[-1], known)
    elif kind == "missing":
        message, value = "is missing", None
        advice = f"add {path[-1]}: to this section"
    elif kind == "union_tag_not_found":
        path, value = (*path, "type"), None
        message, advice = "is missing", "add type: to this section"
    elif kind == "union_tag_invalid":
        path, value = (*path, "type"), shown(context["tag"])
        message, allowed = "is not one of the choices", str(context["expected_tags"])
        advice = nearest(context["tag"], words_of(allowed))
    elif kind == "literal_error":
        message, allowed = "is not one of the choices", str(context["expected"])
        advice = nearest(detail["input"], words_of(allowed))
    elif "allowed" in context:
        message, allowed = detail["msg"], str(context["allowed"])
        advice = nearest(detail["input"], context.get("choices", ()))
    else:
        message, allowed = _limits(detail) or _MESSAGES.get(kind) or (detail["msg"], None)
    return Mistake(path, kind, message, value, allowed or None, advice, of_key)


def _as_written(path: KeyPath, data: Any) -> KeyPath:
    """The path in the data: an entry that stands alone in place of a list has no number."""
    steps: list[str | int] = []
    for step in path:
        if isinstance(step, int) and not isinstance(data, Sequence):
            continue
        if _is_tag(step, data):
            continue
        steps.append(step)
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            data = ()
    return tuple(steps)


def _is_tag(step: str | int, data: Any) -> bool:
    """Whether a step is not a key but the ``type`` by which pydantic chose among models."""
    return isinstance(data, Mapping) and step not in data and data.get("type") == step


def known_keys(of: Any, path: KeyPath) -> list[str]:
    """The keys that the section at ``path`` may have."""
    model = model_at(of, path)
    return [] if model is None else list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """The annotations of a section by their keys."""
    fields = model.model_fields.items()
    return {field.alias or name: field.annotation for name, field in fields}


def model_at(of: Any, path: KeyPath) -> type[BaseModel] | None:
    """The section at ``path``, from the type itself; None if a plain value stands there."""
    found: Any = of
    for step in path:
        tagged = _tagged(found, step)
        if tagged is not None:
            found = tagged
            continue
        model = _model_in(found)
        if isinstance(step, str) and model is not None and step in _fields(model):
            found = _fields(model)[step]
            continue
        # An entry of a mapping or of a list: its value is the last argument of the type.
        arguments = [each for each in get_args(_container_in(found)) if each is not Ellipsis]
        if not arguments:
            return None
        found = arguments[-1]
    return _model_in(found)


def _tagged(annotation: Any, tag: str | int) -> type[BaseModel] | None:
    """Of several models that ``annotation`` allows, the one whose ``type`` is ``tag``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get("type")
        return annotation if field and tag in get_args(field.annotation) else None
    if get_origin(annotation) in {dict, tuple}:
        return None
    models = (_tagged(argument, tag) for argument in get_args(annotation))
    return next((model for model in models if model is not None), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of ``Model``, ``Model | None`` or ``Annotated[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {dict, tuple}:
        return None
    models = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in models if model is not None), None)


def _container_in(annotation: Any) -> Any:
    if get_origin(annotation) in {dict, tuple}:
        return annotation
    found = (_container_in(argument) for argument in get_args(annotation))
    return next((each for each in found if each is not None), None)
