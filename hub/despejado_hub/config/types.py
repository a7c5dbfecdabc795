"""The kinds of value of a platform file, beside those of ``despejado_spawner.site.values``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from despejado_spawner.site.values import Model, matching, refuse
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ..variables import FOREIGN
from . import posix_ids
from .source import SourceText

BUILT_IN = "built-in"
"""In place of an address: the platform's own service on its sample data."""

SIZE_NAMES = (
    "fine",
    "diminutive",
    "tiny",
    "small",
    "medium",
    "large",
    "huge",
    "gargantuan",
    "colossal",
)
"""The sizes that users of Nublado know, smallest first."""


BY_REFERENCE = "a reference: {secret: {file: PATH}} or {secret: {env: NAME}}"


def refuse_clear_secret() -> PydanticCustomError:
    """The error of a secret that stands in the file itself."""
    return PydanticCustomError(
        "plain_secret", "a secret stands here in clear", {"allowed": BY_REFERENCE}
    )


def _posix_id(value: object) -> object:
    refusal = None
    if isinstance(value, int) and not isinstance(value, bool):
        refusal = posix_ids.refusal(value)
    if refusal is not None:
        raise refuse(f"is no number for labs: {refusal}", posix_ids.ALLOWED)
    return value


PosixId = Annotated[
    int,
    BeforeValidator(_posix_id),
    WithJsonSchema({"type": "integer", "minimum": posix_ids.LOWEST, "maximum": posix_ids.HIGHEST}),
]


def _absolute(value: object) -> object:
    """A path as text, relative to the file in which it stands; other types are left to fail."""
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise refuse("is not a path", "a path; relative to this file, absolute, or from ~/")
    try:
        path = Path(str(value)).expanduser()
    except RuntimeError:
        raise refuse("begins with a home folder that is not known", "a path") from None
    folder = value.folder if isinstance(value, SourceText) else Path()
    # Joined, not resolved: a link in the path keeps its name in messages.
    return folder / path


FilePath = Annotated[
    Path,
    BeforeValidator(_absolute),
    WithJsonSchema({"type": "string", "minLength": 1}),
]

URL_ALLOWED = "an http:// or https:// address with a host, without user name, query or fragment"


def is_url(text: str) -> bool:
    """Whether this is an address as ``URL_ALLOWED`` says."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return bool(
        parts.scheme in {"http", "https"}
        and parts.hostname
        and (port is None or port > 0)
        and "@" not in parts.netloc
        and not parts.query
        and not parts.fragment
        and not re.search(r"[\s\\<>\"{}|^`]", text)
    )


def _url(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not is_url(value):
        raise refuse("is not an address that can be used here", URL_ALLOWED)
    return str(value)


Url = Annotated[
    str,
    BeforeValidator(_url),
    WithJsonSchema({"type": "string", "pattern": "^https?://"}),
]


def _url_or_built_in(value: object) -> object:
    if isinstance(value, str) and value != BUILT_IN and not is_url(value):
        raise refuse("is no address", f"{BUILT_IN}, or {URL_ALLOWED}")
    return str(value) if isinstance(value, str) else value


UrlOrBuiltIn = Annotated[
    str,
    BeforeValidator(_url_or_built_in),
    WithJsonSchema({"type": "string", "pattern": f"^({BUILT_IN}$|https?://)"}),
]


def _repository(value: object) -> object:
    if not isinstance(value, str) or value == BUILT_IN or is_url(value):
        return str(value) if isinstance(value, str) else value
    scheme = re.match(r"([a-z][a-z0-9+]*)://", value)
    if scheme:
        if scheme[1] in {"s3", "gs", "davs", "file"}:
            return str(value)
        raise refuse(
            "is no Butler repository",
            f"{BUILT_IN}, a path, or a URL of http(s), s3, gs, davs or file",
        )
    return str(_absolute(value))


Repository = Annotated[
    str,
    BeforeValidator(_repository),
    WithJsonSchema({"type": "string", "minLength": 1, "examples": [BUILT_IN]}),
]


HOST_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"
Host = Annotated[
    str,
    matching(HOST_PATTERN, "is not a host name or address", "a host name, IPv4 or IPv6 address"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
Prefix = Annotated[
    str,
    matching(
        r"/((?!\.{1,2}/)[A-Za-z0-9_.~-]+/)*",
        "is not a URL prefix",
        "/ or a path that begins and ends with /, as /lab/",
    ),
    WithJsonSchema({"type": "string", "pattern": r"^/([A-Za-z0-9_.~-]+/)*$"}),
]
DatasetName = Annotated[
    str,
    matching(
        r"[a-z][a-z0-9_-]{0,62}",
        "is not a name for a data set",
        "lower-case letters, digits, - and _, beginning with a letter",
    ),
]
GroupName = Annotated[
    str,
    matching(
        r"(?=.*[A-Za-z])[A-Za-z0-9._][A-Za-z0-9._-]{0,31}",
        "is not a name for a group",
        "up to 32 letters, digits, '.', '_' and '-', with at least one letter",
    ),
]
ImageTag = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
        "is not an image tag",
        "a tag such as w_2026_43, r30_0_11 or plain",
    ),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"}),
]
Scope = Annotated[
    str,
    matching(
        r"custom:[a-z0-9][a-z0-9_*:-]+[a-z0-9*]",
        "is not a scope that JupyterHub accepts for services",
        "custom: and a name of lower-case letters, digits, - _ and :, as custom:tap:query",
    ),
    WithJsonSchema({"type": "string", "pattern": "^custom:"}),
]
EnvironmentName = Annotated[
    str,
    matching(
        r"[A-Za-z_][A-Za-z0-9_]*",
        "is not the name of an environment variable",
        "letters, digits and _, not beginning with a digit",
    ),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
]


class SecretSource(Model):
    """Where a secret is kept: exactly one of the two."""

    file: FilePath | None = Field(
        default=None,
        title="File",
        description="A file that holds the secret and nothing else, mode 0400.",
    )
    env: EnvironmentName | None = Field(
        default=None,
        title="Environment variable",
        description="An environment variable of the hub that holds the secret.",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_plain_text(cls, value: object) -> object:
        if not isinstance(value, dict | SecretSource):
            raise refuse_clear_secret()
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretSource:
        if (self.file is None) == (self.env is None):
            raise refuse("names not exactly one place", BY_REFERENCE)
        return self


class SecretReference(Model):
    """A secret by reference; the secret itself never stands in a platform file."""

    secret: SecretSource = Field(title="Secret", description="Where the secret is kept.")

    @model_validator(mode="before")
    @classmethod
    def _no_plain_text(cls, value: object) -> object:
        if not isinstance(value, dict | SecretReference):
            raise refuse_clear_secret()
        return value


def _reaches_the_hub(reference: SecretReference) -> SecretReference:
    if (reference.secret.env or "").startswith(FOREIGN):
        raise refuse(
            "names a variable that the hub does not get: one with such a beginning may be of a "
            "platform around this one",
            f"a name that begins with none of {', '.join(FOREIGN)}",
        )
    return reference


HubSecretReference = Annotated[SecretReference, AfterValidator(_reaches_the_hub)]
"""A secret that the hub's own process reads, not the supervisor for it."""
