"""Labs as pods: the section ``labs.kubernetes`` of ``platform.yaml``.

What becomes of each key is in :mod:`despejado_hub.labs.pods.settings`.
"""

from __future__ import annotations

from typing import Annotated

from despejado_spawner.site.homes import HomeClaims
from despejado_spawner.site.model import PodSettings
from despejado_spawner.site.names import (
    ImageRepository,
    KubernetesName,
    LabelValue,
    LabPath,
    ObjectName,
    SubPath,
)
from despejado_spawner.site.storage import Mount
from despejado_spawner.site.tolerations import Toleration
from despejado_spawner.site.values import Memory, Model, choice, words
from pydantic import Field

from .types import Host, HubSecretReference

PULL_POLICIES = ("IfNotPresent", "Always", "Never")


class PodImages(Model):
    """Where the images of labs come from."""

    repository: ImageRepository = Field(
        title="Repository",
        description="A repository of a registry (OCI distribution) whose tags make the menu, by "
        "labs.images.",
    )
    pull_policy: Annotated[str, choice(PULL_POLICIES), words(*PULL_POLICIES)] = Field(
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
    credentials: HubSecretReference | None = Field(
        default=None,
        title="Credentials",
        description="With which the hub lists the tags: user:password, or a Docker config.json.",
    )


class PodHomes(HomeClaims):
    """Home folders of labs that are pods: a claim for all, or one for each user."""

    storage_class: ObjectName | None = Field(
        default=None,
        title="Storage class",
        description="Of users' own claims; null is the cluster's default.",
    )
    capacity: Memory = Field(
        default=10 * 2**30, title="Capacity", description="Of users' own claims, such as 10Gi."
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


class KubernetesLabs(PodSettings):
    """Where and how labs run as pods: the site's settings, and what the platform adds."""

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
    node_selector: dict[str, LabelValue] = Field(
        default_factory=dict,
        title="Node selector",
        description="Labels of the nodes that labs may run on.",
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(), strict=False, title="Tolerations", description="Taints that labs may meet."
    )
