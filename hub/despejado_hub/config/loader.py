"""Load a platform file: read, merge, validate, and say everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from despejado_spawner.site.mistakes import (
    KeyPath,
    Mistake,
    key_text,
    known_keys,
    mistakes,
    model_at,
    nearest,
    shown,
    words_of,
)
from pydantic import ValidationError, create_model

from . import source
from .errors import PlatformError, Problem
from .identity import settings_model
from .model import Platform
from .overlay import read_tree
from .relations import RELATED, relation_problems
from .types import SecretReference, SecretSource


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
        problems += [
            _problem(tree, mistake)
            for mistake in mistakes(error, _as_written(data), data)
            if mistake.kind != RELATED
        ]
    if isinstance(data, Mapping):
        for relation in relation_problems(data):
            written = _lookup(data, relation.path)
            problems.append(
                Problem(
                    key_text(relation.path),
                    relation.message,
                    value=None if written is _ABSENT else shown(written),
                    allowed=relation.allowed,
                    advice=relation.advice or nearest(written, words_of(relation.allowed or "")),
                    place=source.find_place(tree, relation.path, of_key=False),
                )
            )
    if problems or platform is None:
        problems.sort(key=_order)
        raise PlatformError(file, problems)
    return platform


def _as_written(data: object) -> type[Platform]:
    """The model with the keys of the source of identities that a file names, if it names one."""
    section = data.get("identity") if isinstance(data, Mapping) else None
    try:
        settings = settings_model(section)
    except ValidationError:
        return Platform
    fields: dict[str, Any] = {"identity": (settings, None)}
    return create_model("Platform", __base__=Platform, **fields)


def _order(problem: Problem) -> tuple[str, int, int, str]:
    if problem.place is None:
        return ("", 0, 0, problem.key)
    return (str(problem.place.file), problem.place.line, problem.place.column, problem.key)


_ABSENT = object()


def _lookup(data: Any, path: KeyPath) -> Any:
    for step in path:
        if not isinstance(data, Mapping) or step not in data:
            return _ABSENT
        data = data[step]
    return data


def _problem(tree: source.Node, mistake: Mistake) -> Problem:
    value, advice = mistake.value, mistake.advice
    if mistake.kind == "plain_secret":
        advice = "write it to a file of mode 0400 and name that; change the secret"
    section = model_at(Platform, mistake.path[:-1])
    if mistake.kind == "plain_secret" or section in {SecretReference, SecretSource}:
        # Whoever reads this message should not learn the secret from it.
        value = "(not shown)"
    allowed = mistake.allowed
    if mistake.kind == "extra_forbidden" and section is Platform:
        known = ["extends", *known_keys(Platform, ())]
        allowed, advice = ", ".join(known), nearest(mistake.path[-1], known)
    return Problem(
        key_text(mistake.path),
        mistake.message,
        value=value,
        allowed=allowed,
        advice=advice,
        place=source.find_place(tree, mistake.path, of_key=mistake.of_key),
    )
