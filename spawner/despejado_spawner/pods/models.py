"""What a lab is on Kubernetes, decided. Frozen values without I/O.

:class:`~despejado_spawner.models.LabPlan` says what a lab is, wherever it runs; a
:class:`PodPlan` adds what only a cluster has. Kubernetes objects are plain dictionaries as the
API has them (``camelCase``), so that what is built, what is created, what is watched and what a
golden file shows is the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from despejado_spawner.errors import SpawnerError
from despejado_spawner.models import NOTHING, LabPlan
from despejado_spawner.site.homes import Provisioner
from despejado_spawner.site.model import PodSettings
from despejado_spawner.site.options import NO_EFFECT, Effect

Manifest = dict[str, Any]
"""A Kubernetes object as the API's JSON has it."""


class PlanError(SpawnerError, ValueError):
    """A lab that cannot be built as the site describes it; the text names what and where."""

    reason = "invalid"


@dataclass(frozen=True)
class ClaimMount:
    """A persistent volume claim, or a folder of one, mounted into the lab.

    ``path`` is absolute, as the lab sees it. ``sub_path`` is a folder of the volume, empty for
    its root. Several mounts of one claim share one volume of the pod.
    """

    claim: str
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class Home:
    """Where the user's files are: ``mount`` holds the home, whose path is ``LabPlan.home``.

    ``own_claim`` says that the claim is this user's alone: its root then belongs to the user by
    the pod's ``fsGroup``. A shared claim never gets one (a change of owner would walk through the
    files of everybody); there ``provisioner`` makes the folder.
    """

    mount: ClaimMount
    own_claim: bool = False
    provisioner: Provisioner | None = None


@dataclass(frozen=True)
class NetworkRules:
    """The peers of a lab, as rules of a ``networking.k8s.io/v1`` NetworkPolicy.

    ``ingress`` and ``egress`` are entries of ``spec.ingress`` and ``spec.egress``; an empty
    sequence allows nothing.
    """

    ingress: tuple[Mapping[str, Any], ...] = ()
    egress: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class PodPlan:
    """One start of one lab as a pod.

    ``base`` is the pod that the site's KubeSpawner traits describe (node selector, tolerations,
    extra containers and so on); the lab is laid over it. ``start_id`` tells the objects of this
    start from those of an earlier one of the same name, which the cluster may still be removing.
    ``launcher`` says whether the image has ``/opt/despejado/bin/lab`` (``images/``); any other
    image runs the command of ``base``, with everything that it can use of the rest.
    ``settings`` are the site's; ``mounts`` and ``network`` are what this start makes of theirs;
    ``effect`` is what the chosen options of the site do.
    """

    lab: LabPlan
    namespace: str
    pod_name: str
    start_id: str
    base: Manifest = field(repr=False)
    image_reference: str
    launcher: bool = True
    home: Home | None = None
    mounts: tuple[ClaimMount, ...] = ()
    network: NetworkRules | None = None
    settings: PodSettings = field(default_factory=PodSettings)
    effect: Effect = NO_EFFECT
    labels: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class LabObjects:
    """All objects of a lab.

    ``secret``, ``config_map`` and ``network_policy`` come first and are given to the pod when it
    exists; ``home_job`` (in its own namespace) opens the pod's gate.
    """

    secret: Manifest = field(repr=False)
    config_map: Manifest
    network_policy: Manifest | None
    pod: Manifest
    home_job: Manifest | None = None

    @property
    def dependents(self) -> tuple[Manifest, ...]:
        """What the pod owns once it exists."""
        found = (self.secret, self.config_map, self.network_policy)
        return tuple(each for each in found if each is not None)
