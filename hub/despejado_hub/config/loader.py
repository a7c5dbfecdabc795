"""Load a platform file: read, merge, validate, and say everything that is wrong at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from . import source
from .errors import PlatformError, Problem
from .model import Platform
from .overlay import read_tree
from .relations import RelationError, relation_problems
from .types import SecretReference, SecretSource

Path_ = tuple[str | int, ...]
_SHOWN = 80


def load_platform(path: Path | str) -> Platform:
    """The platform of a file and what it extends.

    Raises PlatformError with every problem, each with key, value, place and what is allowed.
    """
    file = Path(path)
    tree, _ = read_tree(file)
    data = source.to_plain(tree)
    problems: list[Problem] = []
    platform: Platform | None = None
    try:
        platform = Platform.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if not isinstance(detail.get("ctx", {}).get("error"), RelationError):
                problems.append(_problem(tree, detail))
    if isinstance(data, Mapping):
        for relation in relation_problems(data):
            written = _lookup(data, relation.path)
            problems.append(
                Problem(
                    key_text(relation.path),
                    relation.message,
                    value=None if written is _ABSENT else _shown(written),
                    allowed=relation.allowed,
                    advice=relation.advice or _nearest(written, _words(relation.allowed or "")),
                    place=source.find_place(tree, relation.path, of_key=False),
                )
            )
    if problems or platform is None:
        problems.sort(key=_order)
        raise PlatformError(file, problems)
    return platform


def _order(problem: Problem) -> tuple[str, int, int, str]:
    if problem.place is None:
        return ("", 0, 0, problem.key)
    return (str(problem.place.file), problem.place.line, problem.place.column, problem.key)


def key_text(path: Iterable[str | int]) -> str:
    """``labs.sizes.small.cpu``, ``hub.admins[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


_ABSENT = object()


def _lookup(data: Any, path: Path_) -> Any:
    for step in path:
        if not isinstance(data, Mapping) or step not in data:
            return _ABSENT
        data = data[step]
    return data


def _shown(value: object) -> str:
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


_MESSAGES = {
    "int_type": ("is not a whole number", "a whole number, without quotes"),
    "int_from_float": ("is not a whole number", "a whole number"),
    "float_type": ("is not a number", "a number, without quotes"),
    "string_type": ("is not text", "text; put it in quotes if it looks like a number"),
    "is_instance_of": ("is not a path", "a path; in quotes if it looks like a number"),
    "bool_type": ("is neither true nor false", "true or false, without quotes"),
    "model_type": ("is not a section", "a section: indented lines of key: value"),
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


def _problem(tree: source.Node, detail: ErrorDetails) -> Problem:
    written = detail["loc"]
    kind = detail["type"]
    context = detail.get("ctx", {})
    value: str | None = _shown(detail["input"])
    allowed: str | None = None
    advice: str | None = None
    of_key = written[-1:] == ("[key]",)
    if of_key:
        written = written[:-1]
    if kind == "extra_forbidden":
        of_key = True
        known = _known_keys(written[:-1])
        message = "unknown key"
        allowed = ", ".join(known)
        advice = _nearest(written[-1], known)
    elif kind == "missing":
        message, value = "is missing", None
        advice = f"add {written[-1]}: to this section"
    elif kind == "literal_error":
        message, allowed = "is not one of the choices", str(context["expected"])
        advice = _nearest(detail["input"], _words(allowed))
    elif kind in {"platform_value", "plain_secret"}:
        message, allowed = detail["msg"], str(context["allowed"])
        advice = _nearest(detail["input"], context.get("choices", ()))
        if kind == "plain_secret":
            advice = "write it to a file of mode 0400 and name that; change the secret"
    else:
        message, allowed = _limits(detail) or _MESSAGES.get(kind) or (detail["msg"], None)
    if kind == "plain_secret" or _model_at(written[:-1]) in {SecretReference, SecretSource}:
        # Whoever reads this message should not learn the secret from it.
        value = "(not shown)"
    return Problem(
        key_text(written),
        message,
        value=value,
        allowed=allowed or None,
        advice=advice,
        place=source.find_place(tree, written, of_key=of_key),
    )


def _words(allowed: str) -> list[str]:
    return [word.strip(" '\"") for part in allowed.split(",") for word in part.split(" or ")]


def _nearest(value: object, words: Iterable[str]) -> str | None:
    if not isinstance(value, str):
        return None
    near = difflib.get_close_matches(value, list(words), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else None


def _known_keys(path: Path_) -> list[str]:
    model = _model_at(path)
    known = [] if model is None else list(model.model_fields)
    return ["extends", *known] if model is Platform else known


def _model_at(path: Path_) -> type[BaseModel] | None:
    """The section at ``path``, from the model itself; None if a plain value stands there."""
    found: Any = Platform
    for step in path:
        model = _model_in(found)
        if isinstance(step, str) and model is not None and step in model.model_fields:
            found = model.model_fields[step].annotation
            continue
        # An entry of a mapping or of a list: its value is the last argument of the type.
        arguments = [each for each in get_args(_container_in(found)) if each is not Ellipsis]
        if not arguments:
            return None
        found = arguments[-1]
    return _model_in(found)


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
