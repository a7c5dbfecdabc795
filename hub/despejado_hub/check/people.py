"""Checks around users: secrets and the source of identities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from ..config.model import Platform
from ..config.secrets import SecretError, loose_mode, read_secret
from ..config.types import SecretReference
from ..identity import EmbeddedRegistry, RegistryError
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


def check_identity(platform: Platform, state: Path) -> Iterator[Result]:
    """Whether the registry is whole, and still there if it was there once."""
    path = state / "hub" / "identities.sqlite"
    try:
        there = path.exists()
        homes = any((state / "homes").iterdir()) if (state / "homes").is_dir() else False
    except OSError as error:
        advice = "run this as the platform's user"
        yield Result("identity", "fail", f"{path} cannot be seen: {error.strerror}", advice)
        return
    if not there and homes:
        yield Result(
            "identity",
            "fail",
            f"there are homes, and {path} is gone: users would get other UIDs than their files",
            "restore it from the backup",
        )
        return
    if not there:
        yield Result("identity", "ok", "the registry will be made at the first login")
        return
    registry = EmbeddedRegistry(path, platform.identity, patience=2.0)
    try:
        registry.verify()
        users = sum(1 for entry in registry.entries() if entry.kind == "user")
    except RegistryError as error:
        message, _, advice = str(error).partition(". ")
        yield Result("identity", "fail", message, advice or None)
        return
    yield Result("identity", "ok", f"the registry is whole ({users} UIDs given)")
