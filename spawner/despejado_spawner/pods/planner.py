"""What a start of ``LabSpawner`` consists of: from traits, options and identity to objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from jupyterhub.utils import maybe_future
from kubernetes_asyncio.client.models import V1Pod
from kubespawner.objects import make_owner_reference

from despejado_spawner.identity import check_identity
from despejado_spawner.models import Identity
from despejado_spawner.options.menu import bigger_sizes
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.creation import ensure_claim
from despejado_spawner.pods.kubespawner.adopted import (
    DEFAULT_GID,
    DEFAULT_UID,
    AdoptedPlan,
    adopted_dependents,
    adopted_pod,
)
from despejado_spawner.pods.kubespawner.lean import quicken
from despejado_spawner.pods.kubespawner.manifests import as_manifest, as_pod
from despejado_spawner.pods.models import (
    LabObjects,
    Manifest,
    NetworkRules,
    PlanError,
)
from despejado_spawner.pods.names import MANAGED_BY, START_LABEL, lab_labels
from despejado_spawner.pods.options import LabOptions
from despejado_spawner.pods.plan.build import build_lab, plan_warnings
from despejado_spawner.pods.plan.home_job import home_job, known_request
from despejado_spawner.pods.plan.network import lab_network_policy, lab_network_rules
from despejado_spawner.pods.plan.security import restrict
from despejado_spawner.pods.planning import StartFacts, plan_pod
from despejado_spawner.reasons import failed
from despejado_spawner.site.homes import Homes
from despejado_spawner.site.model import Site
from despejado_spawner.slugs import folder_name


@dataclass(frozen=True)
class Planned:
    """The objects of one start; ``pod`` after the site's ``modify_pod_hook``."""

    pod: Manifest
    dependents: tuple[Manifest, ...] = field(repr=False)
    home_job: Manifest | None = None


class LabPlanning(LabOptions):
    """Makes the objects of a start; creates nothing but the user's own claim."""

    _objects: LabObjects | None = None
    _pvc_exists: bool
    pvc_name: str
    _known_home: Mapping[str, Any] | None = None
    _start_id = ""
    plan_warnings: tuple[str, ...] = ()

    if TYPE_CHECKING:  # of LabLife, beside which this class stands

        def lab_api(self, deadline: Deadline, progress: Any = None) -> LabApi: ...

    async def plan_start(self, start_id: str) -> Planned:
        """All objects of a start.

        Raises
        ------
        SpawnerError
            If the options or the identity do not do.
        """
        self._start_id = start_id
        planned = await self._planned(start_id)
        if not self.internal_ssl:
            return planned
        return replace(planned, dependents=(*planned.dependents, self.tls_secret(start_id)))

    async def _planned(self, start_id: str) -> Planned:
        pod = await self.get_pod_manifest()
        if self.modify_pod_hook:
            self.log.info("Pod is being modified via modify_pod_hook")
            pod = await maybe_future(self.modify_pod_hook(self, pod))
            if pod is None:
                raise PlanError(
                    "The site's modify_pod_hook returned nothing. It must return the pod."
                )
        manifest = as_manifest(pod)
        if not self.has_menu:
            return await self._adopted(manifest, start_id)
        # Not kept: measured with 500 labs, 30 kB of the hub for each.
        objects, self._objects = cast(LabObjects, self._objects), None
        if self.quick_start:
            quicken(manifest, objects.config_map)
        return Planned(manifest, objects.dependents, objects.home_job)

    async def get_pod_manifest(self) -> V1Pod:
        """The pod as KubeSpawner's hooks know it.

        With an image menu the whole lab; without, what KubeSpawner's traits say, over which the
        rest is laid when the hooks are done.
        """
        base: V1Pod = await super().get_pod_manifest()
        if not self.has_menu:
            return base
        plan = plan_pod(await self._start_facts(as_manifest(base)), self._site_of_user())
        self.plan_warnings = plan_warnings(plan)
        for warning in self.plan_warnings:
            self.log.warning("Lab of %s: %s", self._log_name, warning)
        self._objects = build_lab(plan)
        return as_pod(self._objects.pod)

    async def lab_identity(self) -> Identity:
        """Who the lab runs as, checked.

        Raises
        ------
        IdentityError
            If no lab may run as that.
        """
        identity = await self._hooked_identity()
        if identity is None:
            uid = await self._number(self.uid)
            gid = await self._number(self.gid)
            identity = Identity(
                self.user.name,
                DEFAULT_UID if uid is None else uid,
                DEFAULT_GID if gid is None else gid,
            )
            # z2jh's own group 100 is below what a site's users have.
            check_identity(identity, lowest=1)
            return identity
        return check_identity(identity, lowest=self.lowest_uid)

    def home_settings(self) -> Homes | None:
        """The site's `homes`; None without any."""
        return self.site.homes

    async def ensure_own_claim(self) -> None:
        """Make the user's own claim where each user has one; it outlives the lab."""
        homes = self.home_settings()
        own = homes is not None and homes.own_claim
        if not (own or self.storage_pvc_ensure):
            return
        if self._pvc_exists:
            return
        api = self.lab_api(Deadline.after(self.k8s_api_request_retry_timeout))
        if self._may_have_a_legacy_claim:
            await self._find_legacy_claim(api)
        if not self._pvc_exists:
            await ensure_claim(api, as_manifest(self.get_pvc_manifest()))
        self._pvc_exists = True

    @property
    def _may_have_a_legacy_claim(self) -> bool:
        """KubeSpawner 6 named claims otherwise and did not note their names."""
        legacy: bool = self.handle_legacy_names and self.remember_pvc_name
        return legacy and self._state_kubespawner_version == "unknown"

    async def _find_legacy_claim(self, api: LabApi) -> None:
        old = self._expand_user_properties(self.pvc_name_template, slug_scheme="escape")
        for name in dict.fromkeys((self.pvc_name, old)):
            if await api.read("PersistentVolumeClaim", name) is not None:
                self.pvc_name = name
                self._pvc_exists = True
                return

    def home_folder(self) -> str:
        """The folder of this user among the homes; never another user's."""
        return folder_name(self.user.name)

    def _home_is_known(self, identity: Identity) -> bool:
        homes = self.home_settings()
        return homes is not None and self._known_home == {
            "claim": homes.claim,
            "folder": homes.folder(self.home_folder()),
            "uid": identity.uid,
            "gid": identity.gid,
        }

    def note_home(self, pod: Manifest) -> None:
        """This pod's home was provisioned: the next start need not ask again."""
        homes, request = self.home_settings(), known_request(pod)
        self._known_home = {
            "claim": homes.claim if homes else "",
            "folder": request.sub_path,
            "uid": request.uid,
            "gid": request.gid,
        }

    def home_job(self, pod: Manifest, planned: Planned | None) -> Manifest:
        """The job that this gated pod waits for.

        Raises
        ------
        SpawnerError
            If a hub that comes back cannot tell any more.
        """
        if planned is not None and planned.home_job is not None:
            return planned.home_job
        homes = self.home_settings()
        if homes is None or homes.provisioner is None:
            raise failed(
                "home",
                "The lab waits for its home folder, and this hub has no provisioner any more.",
            )
        # By the start's own id: a job that the hub before has made is found, and goes in the end.
        start_id = pod["metadata"]["labels"][START_LABEL]
        return home_job(known_request(pod), homes.provisioner, self.pod_name, start_id)

    @property
    def job_namespace(self) -> str | None:
        """Where the jobs that make homes run; None where there are none."""
        homes = self.home_settings()
        if homes is None or homes.provisioner is None:
            return None
        return homes.provisioner.namespace

    def network_rules(self) -> NetworkRules | None:
        """The site's `network`, as rules of a policy."""
        network = self.site.network
        return None if network is None else lab_network_rules(network, self.port)

    # Facts

    async def _start_facts(self, base: Manifest) -> StartFacts:
        options = self.spawn_options()
        menu = self.menu()
        identity = await self.lab_identity()
        variables = {name: str(value) for name, value in self.get_env().items()}
        if self.internal_ssl:  # where certificates are in the lab; `get_env` has the hub's paths
            variables |= _certificate_variables(base)
        own = dict(self.environment)
        for name in ("JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"):
            variables.pop(name, None)
        return StartFacts(
            identity=identity,
            options=options,
            image=menu.image(options.image),
            size=menu.size(options.size),
            server_name=self.name,
            base_url=self.server.base_url if self.server else "/",
            hub_url=self.hub.base_url,
            port=self.port,
            namespace=self.namespace,
            pod_name=self.pod_name,
            start_id=self._start_id,
            base=base,
            folder=self.home_folder(),
            claim=self.pvc_name,
            home_known=self._home_is_known(identity),
            hub_variables={k: v for k, v in variables.items() if k not in own},
            site_variables={k: v for k, v in variables.items() if k in own},
            secrets=self.secrets,
            default_url=self.default_url or "/lab",
            arguments=tuple(self.get_args()),
            bigger_sizes=bigger_sizes(menu.sizes, menu.size(options.size)),
        )

    def _site_of_user(self) -> Site:
        """The site, with the templates in its mounts filled in."""
        site = self.site
        mounts = [mount.model_copy(update=self._expand_all(dict(mount))) for mount in site.mounts]
        return site.model_copy(update={"mounts": tuple(mounts)})

    # A site without a menu

    async def _adopted(self, base: Manifest, start_id: str) -> Planned:
        restricted = self.pod_security == "restricted"
        identity = (
            await self.lab_identity() if restricted or self.identity_hook is not None else None
        )
        plan = AdoptedPlan(
            namespace=self.namespace,
            pod_name=self.pod_name,
            start_id=start_id,
            base=base,
            identity=None if self.identity_hook is None else identity,
            home=self.working_dir or "/home/jovyan",
            secrets=self.secrets,
            network=self.network_rules(),
            restricted=restricted,
            base_passwd=self.base_passwd,
            base_group=self.base_group,
        )
        pod = adopted_pod(plan)
        if identity is not None:
            restrict(pod, identity, own_identity=self.identity_hook is not None)
        secret, config_map = adopted_dependents(plan)
        dependents = [secret]
        if (self.quick_start and quicken(pod, config_map)) or config_map["data"]:
            dependents.append(config_map)
        if plan.network is not None:
            dependents.append(
                lab_network_policy(self.namespace, self.pod_name, start_id, plan.network)
            )
        return Planned(pod, tuple(dependents))

    async def _hooked_identity(self) -> Identity | None:
        hook: Any = self.identity_hook
        if hook is None:
            return None
        identity: Identity = await maybe_future(hook(self))
        return identity

    async def _number(self, value: Any) -> int | None:
        number: int | None = await maybe_future(value(self)) if callable(value) else value
        return number

    def tls_secret(self, start_id: str) -> Manifest:
        """KubeSpawner's Secret with the certificates of this lab, for ``internal_ssl``."""
        made = as_manifest(self.get_secret_manifest(None))
        metadata = made["metadata"]
        metadata.pop("ownerReferences")  # the pod is not there yet and adopts it
        metadata["labels"] |= self._own_labels(start_id)
        return made

    def lab_service(self, pod: Manifest) -> Manifest:
        """KubeSpawner's Service for this lab, owned by its pod."""
        owner = make_owner_reference(self.pod_name, pod["metadata"]["uid"])
        made = as_manifest(self.get_service_manifest(owner, self._get_pod_port(pod)))
        made["metadata"]["labels"] |= self._own_labels(pod["metadata"]["labels"][START_LABEL])
        return made

    def _own_labels(self, start_id: str) -> dict[str, str]:
        key, value = MANAGED_BY
        return {**lab_labels(self.pod_name, start_id), key: value}


def _certificate_variables(pod: Manifest) -> dict[str, str]:
    return {
        each["name"]: each["value"]
        for container in pod["spec"]["containers"]
        for each in container.get("env") or []
        if each["name"].startswith("JUPYTERHUB_SSL_") and "value" in each
    }
