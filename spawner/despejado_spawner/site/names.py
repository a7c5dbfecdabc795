"""Names as Kubernetes checks them: objects, labels, images, ports, addresses, paths in labs."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from despejado_images.errors import ImageNameError
from despejado_images.reference import parse_reference, parse_repository
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from despejado_spawner.site.values import Spelling, matching, refuse

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that Kubernetes itself puts on every namespace."""

KubernetesName = Annotated[
    str,
    matching(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "is not a name of Kubernetes (RFC 1123)",
        "up to 63 lower-case letters, digits and -, beginning and ending with none of the -",
    ),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"}),
]
_PART = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}$){_PART}(\.{_PART})*"
_OBJECT = "is not a name of Kubernetes (RFC 1123)", "up to 253 lower-case letters, digits, - and ."
ObjectName = Annotated[
    str,
    matching(_SUBDOMAIN, *_OBJECT),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"}),
]
_TEMPLATE = re.compile(r"\{[a-z_]+\}", re.ASCII)


def _template(value: str) -> str:
    if not re.fullmatch(_SUBDOMAIN, _TEMPLATE.sub("x", value), re.ASCII):
        what, allowed = _OBJECT
        raise refuse(what, f"{allowed}, and templates such as {{username}}")
    return value


ObjectTemplate = Annotated[str, AfterValidator(_template), WithJsonSchema({"type": "string"})]
"""An :data:`ObjectName` that may hold KubeSpawner's templates, which each start fills in."""


def _repository(value: str) -> str:
    try:
        return str(parse_repository(value))
    except ImageNameError:
        raise refuse(
            "is not a repository of images",
            "host[:port]/path without a tag, as registry.example.org/despejado/lab",
        ) from None


def _reference(value: str) -> str:
    try:
        parse_reference(value)
    except ImageNameError:
        raise refuse(
            "is not an image", "host[:port]/path:tag, or with @sha256: and a digest"
        ) from None
    return value


ImageRepository = Annotated[
    str,
    AfterValidator(_repository),
    WithJsonSchema({"type": "string", "examples": ["registry.example.org/despejado/lab"]}),
]
ImageReference = Annotated[
    str,
    AfterValidator(_reference),
    WithJsonSchema({"type": "string", "examples": ["registry.example.org/despejado/hub:1"]}),
]


def _inside(value: str) -> str:
    if not value.startswith("/") or ".." in value.split("/") or "//" in value or "\0" in value:
        raise refuse("is not a path in labs", "an absolute path without ..")
    return value.rstrip("/") or "/"


LabPath = Annotated[
    str, AfterValidator(_inside), WithJsonSchema({"type": "string", "pattern": "^/"})
]


def _sub_path(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise refuse("is not a path in the claim", "a relative path without ..")
    return value


SubPath = Annotated[str, AfterValidator(_sub_path)]

LABEL = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
LABEL_ALLOWED = "up to 63 letters, digits, -, _ and ."
LabelValue = Annotated[
    str,
    matching(
        f"({LABEL})?",
        "is not the value of a label",
        f"{LABEL_ALLOWED}, or empty",
    ),
]
LabelKey = Annotated[
    str,
    matching(
        rf"({_SUBDOMAIN.replace('$', '/')}/)?{LABEL}",
        "is not the name of a label",
        "up to 63 letters, digits, -, _ and ., with a domain and / before them if need be",
    ),
]
Labels = dict[LabelKey, LabelValue]


def _of_name(value: object) -> object:
    return {NAMESPACE_LABEL: value} if isinstance(value, str) else value


NamespaceLabels = Annotated[Labels, Spelling(_of_name, lambda _: {"type": "string"})]
"""The labels of namespaces; a name stands for the label that says it."""


def _network(value: object) -> str:
    # A number would be taken as an address.
    text = value if isinstance(value, str) else ""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise refuse(
            "is neither an address nor a network; a NetworkPolicy knows no host names",
            "an address (192.0.2.7) or a network without host bits (192.0.2.0/24)",
        ) from None


Cidr = Annotated[
    str,
    BeforeValidator(_network),
    WithJsonSchema({"type": "string", "examples": ["192.0.2.0/24"]}),
]
PortNumber = Annotated[int, Field(ge=1, le=65535)]


def _port(value: object) -> object:
    if isinstance(value, str):
        # RFC 6335, section 5.1.
        if re.fullmatch(r"(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?", value, re.ASCII):
            return str(value)
    elif isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    raise refuse(
        "is not a port", "a number from 1 to 65535, or the name that containers give their port"
    )


Port = Annotated[
    int | str,
    BeforeValidator(_port),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": "^[a-z0-9-]{1,15}$"},
            ],
            "examples": [443],
        }
    ),
]
