"""Labs as pods: the section ``labs.kubernetes`` of ``platform.yaml``.

What becomes of each key is in :mod:`despejado_hub.config.pods`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from despejado_spawner.pods.plan.network import parse_network_config
from despejado_spawner.site.homes import SettingsError
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from .types import Duration, Host, Memory, Model, SecretReference, choice, matching, refuse

KubernetesName = Annotated[
    str,
    matching(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "is not a name of Kubernetes (RFC 1123)",
        "up to 63 lower-case letters, digits and -, beginning and ending with none of the -",
    ),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"}),
]
ObjectName = Annotated[
    str,
    matching(
        r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "is not a name of Kubernetes (RFC 1123)",
        "up to 253 lower-case letters, digits, - and .",
    ),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"}),
]
ImageRepository = Annotated[
    str,
    matching(
        r"[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+",
        "is not a repository of images",
        "host[:port]/path without a tag, as registry.example.org/despejado/lab",
    ),
    WithJsonSchema({"type": "string", "examples": ["registry.example.org/despejado/lab"]}),
]
ImageReference = Annotated[
    str,
    matching(
        r"[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?",
        "is not an image",
        "host[:port]/path:tag, or with @sha256: and a digest",
    ),
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


def _network(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    try:
        parse_network_config(value)
    except SettingsError as error:
        raise refuse(f"cannot be: {error}", "the keys in docs/kubernetes.md, Networks") from None
    return value


def _label(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(
        r"(([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?)", value
    ):
        raise refuse(
            "is not the value of a label", "up to 63 letters, digits, -, _ and ., or empty"
        )
    return str(value) if isinstance(value, str) else value


LabelValue = Annotated[str, BeforeValidator(_label)]


class PodImages(Model):
    """Where the images of labs come from."""

    repository: ImageRepository = Field(
        title="Repository",
        description="A repository of a registry (OCI distribution) whose tags make the menu, by "
        "labs.images.",
    )
    pull_policy: Annotated[
        str,
        choice(("IfNotPresent", "Always", "Never")),
        WithJsonSchema({"type": "string", "enum": ["IfNotPresent", "Always", "Never"]}),
    ] = Field(
        default="IfNotPresent",
        title="Pull policy",
        description="When a node asks the registry. Images are named by digest, so the first is "
        "safe.",
    )
    pull_secrets: tuple[ObjectName, ...] = Field(
        default=(),
        strict=False,
        title="Pull secrets",
        description="Secrets in the namespace of labs with which nodes log in to the registry.",
    )
    credentials: SecretReference | None = Field(
        default=None,
        title="Credentials",
        description="With which the hub lists the tags: user:password, or a Docker config.json.",
    )


class Provisioner(Model):
    """The small job that makes home folders, in a namespace where users run nothing."""

    namespace: KubernetesName = Field(
        title="Namespace", description="The namespace of the jobs; not that of labs."
    )
    claim: ObjectName = Field(
        title="Claim", description="The claim there of the same volume as that of the homes."
    )
    image: ImageReference = Field(
        title="Image", description="An image with a POSIX shell and find; that of the hub does."
    )
    timeout: Annotated[Duration, Field(ge=1)] = Field(
        default=60, title="Timeout", description="How long a job may take."
    )
    pull_secrets: tuple[ObjectName, ...] = Field(
        default=(),
        strict=False,
        title="Pull secrets",
        description="Secrets there with which nodes log in to the registry.",
    )


class PodHomes(Model):
    """Home folders of labs that are pods: a claim for all, or one for each user."""

    claim: ObjectName | None = Field(
        default=None,
        title="Claim",
        description="The claim (ReadWriteMany) with all homes; without it each user gets a claim "
        "of their own, which outlives the lab.",
    )
    path: LabPath = Field(
        default="/home", title="Path", description="The folder in labs that homes appear in."
    )
    provisioner: Provisioner | None = Field(
        default=None,
        title="Provisioner",
        description="Who makes a new user's folder on the claim; without, folders must be there.",
    )
    storage_class: ObjectName | None = Field(
        default=None,
        title="Storage class",
        description="Of users' own claims; null is the cluster's default.",
    )
    capacity: Memory = Field(
        default=10 * 2**30, title="Capacity", description="Of users' own claims, such as 10Gi."
    )


class Mount(Model):
    """One more claim in every lab."""

    claim: ObjectName = Field(
        title="Claim", description="A claim in the namespace of labs: group spaces, data."
    )
    path: LabPath = Field(title="Path", description="Where it appears in labs.")
    sub_path: SubPath = Field(
        default="",
        title="Sub-path",
        description="A folder of the claim; {unescaped_username} stands for the user's name.",
    )
    read_only: bool = Field(
        default=False, title="Read only", description="Whether labs may only read."
    )


class DataMount(Model):
    """The folder data of the platform's state, with the sample repository, in labs."""

    claim: ObjectName = Field(title="Claim", description="A claim in the namespace of labs.")
    sub_path: SubPath = Field(
        default="", title="Sub-path", description="The folder of the claim that is the data."
    )
    path: LabPath = Field(
        default="/data/despejado", title="Path", description="Where it appears in labs, read only."
    )


class Temporary(Model):
    """The lab's /tmp."""

    size: Memory | None = Field(
        default=None,
        title="Size",
        description="What /tmp may hold; null is what the pod may write.",
    )
    in_memory: bool = Field(
        default=False,
        title="In memory",
        description="Whether it is memory; then it counts as the lab's.",
    )


class Toleration(Model):
    """A taint of nodes that labs are allowed to meet (Kubernetes' names)."""

    key: str | None = Field(default=None, title="Key", description="Of the taint; null is every.")
    operator: Annotated[
        str,
        choice(("Equal", "Exists")),
        WithJsonSchema({"type": "string", "enum": ["Equal", "Exists"]}),
    ] = Field(default="Equal", title="Operator", description="How key and value are compared.")
    value: LabelValue | None = Field(default=None, title="Value", description="Of the taint.")
    effect: (
        Annotated[
            str,
            choice(("NoSchedule", "PreferNoSchedule", "NoExecute")),
            WithJsonSchema(
                {"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]}
            ),
        ]
        | None
    ) = Field(default=None, title="Effect", description="Of the taint; null is every.")


class KubernetesLabs(Model):
    """Where and how labs run as pods."""

    namespace: KubernetesName = Field(
        title="Namespace", description="The namespace of all labs; see despejado render role."
    )
    platform_host: Host = Field(
        title="Platform host",
        description="An address of the hub's machine that pods reach; hub and proxy listen there "
        "too.",
    )
    images: PodImages = Field(title="Images", description="Where the images of labs come from.")
    homes: PodHomes | None = Field(
        default=None,
        title="Homes",
        description="Home folders; null gives labs an empty one that is lost with the lab.",
    )
    mounts: tuple[Mount, ...] = Field(
        default=(), strict=False, title="Mounts", description="More claims in every lab."
    )
    scratch: Mount | None = Field(
        default=None,
        title="Scratch",
        description="A claim for large files of short life; a lab whose home is full goes there.",
    )
    data: DataMount | None = Field(
        default=None,
        title="Data",
        description="The platform's own data in labs; datasets with butler: built-in need it.",
    )
    temporary: Temporary = Field(
        default_factory=Temporary, title="Temporary", description="The lab's /tmp."
    )
    ephemeral_storage: Memory | None = Field(
        default=None,
        title="Ephemeral storage",
        description="What a lab may write to its node's disk; a lab that writes more is evicted.",
    )
    network: (
        Annotated[
            dict[str, Any],
            BeforeValidator(_network),
            WithJsonSchema({"type": "object"}),
        ]
        | None
    ) = Field(
        default={"internet": True},
        title="Network",
        description="What labs may reach beside the platform and DNS, as a NetworkPolicy each "
        "(docs/kubernetes.md, Networks); null makes none.",
    )
    node_selector: dict[str, LabelValue] = Field(
        default_factory=dict,
        title="Node selector",
        description="Labels of the nodes that labs may run on.",
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(), strict=False, title="Tolerations", description="Taints that labs may meet."
    )
    pod_security: Annotated[
        str,
        choice(("restricted", "as-configured")),
        WithJsonSchema({"type": "string", "enum": ["restricted", "as-configured"]}),
    ] = Field(
        default="restricted",
        title="Pod security",
        description="restricted: labs pass Kubernetes' level of that name.",
    )
    autoscaler: bool = Field(
        default=False,
        title="Autoscaler",
        description="Whether the cluster adds nodes: then a lab without a place waits.",
    )
