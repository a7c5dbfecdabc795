"""The home of one user on a cluster: where it is, and whether it is made already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from despejado_spawner.errors import LabFailed
from despejado_spawner.models import Identity
from despejado_spawner.pods.models import ClaimMount, Home, Manifest
from despejado_spawner.pods.names import START_LABEL
from despejado_spawner.pods.plan.home_job import home_job, known_request
from despejado_spawner.site.homes import Homes
from despejado_spawner.site.model import Site
from despejado_spawner.slugs import folder_name

NO_HOME = Path("/tmp/home")  # noqa: S108 (the pod's own emptyDir)


class HousedLab(Protocol):
    """What of a spawner is about its user's home."""

    user: Any
    site: Site
    pod_name: str
    pvc_name: str


class LabHomes:
    """Decides where the home is, and remembers that it was made (``known``, in the hub's state)."""

    def __init__(self, lab: HousedLab) -> None:
        self._lab = lab
        self.known: Mapping[str, Any] | None = None

    @property
    def _homes(self) -> Homes | None:
        return self._lab.site.homes

    def home(self, identity: Identity) -> tuple[Home | None, Path]:
        """The home's claim and its path in the lab; None where homes go with the lab."""
        homes = self._homes
        if homes is None:
            return None, NO_HOME
        folder = homes.folder(folder_name(self._lab.user.name))
        path = Path(homes.path) / folder
        if homes.claim is None:
            return Home(ClaimMount(self._lab.pvc_name, str(path)), own_claim=True), path
        made = self.known == _memory(homes.claim, folder, identity.uid, identity.gid)
        mount = ClaimMount(homes.claim, str(path), folder)
        return Home(mount, provisioner=None if made else homes.provisioner), path

    def note(self, pod: Manifest) -> None:
        """Note that the home of this pod was provisioned: the next start need not ask again."""
        homes, request = self._homes, known_request(pod)
        claim = homes.claim if homes else ""
        self.known = _memory(claim, request.sub_path, request.uid, request.gid)

    def job(self, pod: Manifest) -> Manifest:
        """The job that this gated pod waits for, whichever hub has created the pod.

        Raises
        ------
        SpawnerError
            If this hub cannot tell.
        """
        homes = self._homes
        if homes is None or homes.provisioner is None:
            raise LabFailed(
                "home",
                "The lab waits for its home folder, and this hub has no provisioner any more.",
            )
        # By the start's own id: a job that the hub before has made is found, and goes in the end.
        start_id = pod["metadata"]["labels"][START_LABEL]
        return home_job(known_request(pod), homes.provisioner, self._lab.pod_name, start_id)

    @property
    def job_namespace(self) -> str | None:
        """Where the jobs that make homes run; None where there are none."""
        homes = self._homes
        if homes is None or homes.provisioner is None:
            return None
        return homes.provisioner.namespace


def _memory(claim: str | None, folder: str, uid: int, gid: int) -> dict[str, Any]:
    return {"claim": claim, "folder": folder, "uid": uid, "gid": gid}
