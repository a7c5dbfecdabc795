"""The interface for labs that are pods; each method imports what it needs.

Nothing here needs the libraries of such labs until a lab, the cluster or the registry is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from despejado_hub.config.kubernetes import KubernetesLabs
from despejado_hub.labs.interface import (
    Check,
    Explanation,
    ImageListing,
    LabPreview,
    Labs,
    Missing,
    Say,
)
from despejado_hub.labs.tokens import DataTokens
from despejado_hub.runtime import Runtime

from . import settings


class PodLabs(Labs):
    """Labs of ``labs.spawner: kubernetes``."""

    @property
    def site(self) -> KubernetesLabs:
        """The section of the platform file that is about them."""
        return settings.kubernetes_of(self.platform)

    @property
    def namespace(self) -> str | None:
        """The namespace of the labs, which go on when the platform stops."""
        return self.site.namespace

    @property
    def token_lifetime(self) -> int | None:
        """Seconds until a data token ends that the hub does not renew."""
        return settings.TOKEN_LIFETIME

    def missing(self) -> Missing | None:
        """KubeSpawner and the client of Kubernetes, if they are not installed."""
        if find_spec("kubespawner") is not None:
            return None
        return Missing(
            "labs.spawner is kubernetes, and the libraries for that are not installed",
            "pip install 'despejado-hub[kubernetes]'",
        )

    def places(self) -> dict[str, str]:
        """``platform_host`` for hub and services, and where labs mount the data."""
        host, data = self.site.platform_host, self.site.data
        found = {"hub_host": host, "service_host": host}
        return found if data is None else {**found, "data_in_labs": data.path.rstrip("/")}

    def configure(
        self,
        c: Any,
        runtime: Runtime,
        *,
        tokens: DataTokens,
        identity_hook: Callable[[Any], Any],
    ) -> None:
        """Have labs started by `LabSpawner`; also see `Labs.configure`."""
        from despejado_spawner.pods.spawner import LabSpawner

        c.JupyterHub.spawner_class = LabSpawner
        lab = c.LabSpawner
        for name, value in settings.lab_traits(self.platform, runtime).items():
            setattr(lab, name, value)
        lab.identity_hook = identity_hook
        lab.refresh_secrets_hook = tokens.renew
        c.Spawner.environment = {**c.Spawner.environment, **settings.lab_environment(self.platform)}

    async def make_ready(self, state: Path, say: Say) -> None:
        """Make the sample repository; the images are the registry's matter."""
        from .builds import make_samples

        await make_samples(self.platform, state, say)

    @property
    def images_are_containers(self) -> bool:
        """True: a registry has them."""
        return True

    @property
    def see_other_files(self) -> bool:
        """True: data may be mounted from where only the cluster's machines reach."""
        return True

    async def preview(self, state: Path, user: str, asked: Mapping[str, str]) -> LabPreview:
        """The objects of the lab, as they would be created; see `Labs.preview`."""
        from .preview import preview_lab

        found = await preview_lab(self, state, user, asked)
        document = {"items": found.documents, "warnings": found.warnings}
        return LabPreview(found.documents, document, 10**6, found.warnings)

    async def explain(self, state: Path, user: str) -> list[Explanation]:
        """What the cluster says of each lab; raises ``SpawnerError`` if it does not answer."""
        from .explain import explain_pods

        return await explain_pods(self.site.namespace, state, user)

    async def images(self, state: Path, *, refresh: bool) -> ImageListing:
        """What the registry has now: it is asked each time."""
        from .images import list_registry

        return await list_registry(self.platform)

    def checks(self, state: Path, port: int) -> dict[str, Check]:
        """Whether `platform_host` is this machine's, and what registry and cluster say."""
        from despejado_hub.check.network import check_port

        from .checks import check_cluster, check_images

        where = ("platform host", "labs.kubernetes.platform_host")
        return {
            "platform host": partial(check_port, self.site.platform_host, port, *where),
            "images": partial(check_images, self.platform),
            "cluster": partial(check_cluster, self, self.site, state),
        }

    def rights(self, account: str) -> list[dict[str, Any]]:
        """See `Labs.rights`; with those in the provisioner's namespace, if there is one."""
        from despejado_hub.kubernetes_role import role_objects

        homes = self.site.homes
        maker = None if homes is None else homes.provisioner
        return role_objects(
            self.site.namespace, None if maker is None else maker.namespace, account
        )
