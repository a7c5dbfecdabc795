"""Whether the secrets that a platform file refers to can be read."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ..config.model import Platform
from ..config.secrets import SecretError, loose_mode, read_secret
from ..config.types import SecretReference
from .result import Result


def secrets_of(model: BaseModel, path: str = "") -> Iterator[tuple[str, SecretReference]]:
    """Every reference to a secret with its key."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretReference):
            yield f"{path}{name}", value
        elif isinstance(value, BaseModel):
            yield from secrets_of(value, f"{path}{name}.")


def check_secrets(platform: Platform) -> Iterator[Result]:
    """Whether every secret that the file refers to can be read, and by nobody else."""
    references = list(secrets_of(platform))
    if not references:
        yield Result("secrets", "ok", "the file refers to none")
    for key, reference in references:
        name = f"secret {key}"
        try:
            read_secret(reference)
        except SecretError as error:
            message, _, advice = str(error).partition(". ")
            yield Result(name, "fail", message, advice or None)
            continue
        file = reference.secret.file
        mode = None if file is None else loose_mode(file)
        if mode is not None:
            yield Result(
                name, "fail", f"{file} has mode {mode}: others can use it", f"chmod 0400 {file}"
            )
        else:
            where = file or f"the variable {reference.secret.env}"
            yield Result(name, "ok", f"read from {where}")
