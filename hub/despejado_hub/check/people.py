"""Checks around users: secrets, the source of identities, and what their labs can have."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from despejado_images.environments import EnvironmentImages
from despejado_spawner.units import format_memory
from pydantic import BaseModel

from ..config import derive
from ..config.model import Platform
from ..config.secrets import SecretError, loose_mode, read_secret
from ..config.types import SecretReference
from ..identity import EmbeddedRegistry, RegistryError
from ..menu import environment_store
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


def check_labs(platform: Platform, state: Path) -> Iterator[Result]:
    """What labs as processes of this machine can have of what the file says."""
    if os.geteuid() != 0:
        yield Result(
            "labs",
            "warn",
            f"all labs will run as {_own_name()}, who can read every home",
            "start the platform as root to give each user a UID of their own",
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    large = [size for size in derive.lab_sizes(platform) if size.memory > memory]
    if large:
        names = ", ".join(size.name for size in large)
        yield Result(
            "sizes",
            "warn",
            f"larger than this machine's memory ({memory / 2**30:.0f} GiB): {names} "
            f"(up to {format_memory(max(size.memory for size in large))})",
            "make them smaller, or take them away with null",
        )
    else:
        yield Result("sizes", "ok", f"{len(platform.labs.sizes)} on the menu fit this machine")
    yield _images(platform, state)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"UID {os.geteuid()}"


def _images(platform: Platform, state: Path) -> Result:
    source = EnvironmentImages(environment_store(platform, state / "environments"))
    images = source.choices()
    ready = [image.tag for image in images if image.state == "ready"]
    failed = [image for image in images if image.state == "failed"]
    if failed:
        return Result(
            "images",
            "warn",
            f"{failed[0].tag} could not be built: {failed[0].reason}",
            f"despejado images build {failed[0].tag}",
        )
    if source.warnings:
        message = " ".join(source.warnings).rstrip(".")
        return Result("images", "warn", message, "change labs.images.recommended")
    if not ready:
        return Result("images", "ok", "none is built yet; the first start builds what it needs")
    return Result("images", "ok", f"ready: {', '.join(ready)}")
