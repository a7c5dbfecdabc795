"""Where home folders are, and who makes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from despejado_spawner.site.names import ImageReference, KubernetesName, LabPath, ObjectName
from despejado_spawner.site.values import Duration, Model, choice, refuse, words

Layout = Literal["username", "initial/username"]
LAYOUTS: tuple[Layout, ...] = ("username", "initial/username")


class Provisioner(Model):
    """The small job that makes home folders, in a namespace where users run nothing.

    Pod Security *restricted* has no room for a container that may change owners, so it runs where
    no lab does, on a claim of the same storage that the labs' claim has.
    """

    namespace: KubernetesName = Field(
        title="Namespace", description="The namespace of the jobs; not that of labs."
    )
    claim: ObjectName = Field(
        title="Claim", description="The claim there of the same volume as that of the homes."
    )
    image: ImageReference = Field(
        title="Image", description="An image with python3; those of labs do."
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


class HomeClaims(Model):
    """What ``platform.yaml`` and the trait `homes` say alike."""

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


class Homes(HomeClaims):
    """Where homes are: on one shared claim, or each on its own."""

    own_claim: bool = Field(
        default=False,
        title="Own claim",
        description="Whether each user has a claim of their own, by KubeSpawner's "
        "pvc_name_template, storage_class and storage_capacity.",
    )
    layout: Annotated[Layout, choice(LAYOUTS), words(*LAYOUTS)] = Field(
        default="username",
        title="Layout",
        description="username: the home of rachel is rachel below path and below the claim's "
        "root. initial/username: it is r/rachel.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Homes:
        if (self.claim is None) != self.own_claim:
            raise refuse(
                "needs either claim, shared by all labs, or own_claim: true",
                "{claim: NAME} or {own_claim: true}",
            )
        if self.own_claim and self.provisioner is not None:
            raise refuse(
                "has a provisioner, which makes folders of a shared claim; own_claim needs none",
                "{claim: NAME, provisioner: {...}} or {own_claim: true}",
            )
        return self

    def folder(self, name: str) -> str:
        """``rachel`` or ``r/rachel``: a user's folder below ``path`` and below the claim's root."""
        return f"{name[:1]}/{name}" if self.layout == "initial/username" else name
