"""What a KubeSpawner does around a pod, for the plain classes that have none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jupyterhub.utils import make_ssl_context, maybe_future
from kubernetes_asyncio.client.models import V1Pod
from kubespawner.objects import make_namespace, make_owner_reference
from sqlalchemy.orm import object_session

from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.creation import ensure_claim
from despejado_spawner.pods.kubespawner.manifests import as_manifest, as_pod
from despejado_spawner.pods.models import Manifest, PlanError
from despejado_spawner.pods.names import MANAGED_BY, PORT_NAME, START_LABEL, lab_labels


class Stock:
    """One KubeSpawner, seen by what it makes of its settings and hooks."""

    def __init__(self, spawner: Any) -> None:
        self._spawner = spawner

    # The pod

    async def base_pod(self) -> Manifest:
        """The pod that the traits of KubeSpawner describe."""
        return as_manifest(await self._spawner.get_pod_manifest())

    async def own_pod(self) -> Manifest:
        """The same after the site's ``modify_pod_hook``.

        Raises
        ------
        PlanError
            If the hook returns none.
        """
        return await self._hooked(await self._spawner.get_pod_manifest())

    async def modified(self, pod: Manifest) -> Manifest:
        """A pod of ours after that hook, with its fields in the client's order. Raises as above."""
        return await self._hooked(as_pod(pod))

    async def _hooked(self, pod: V1Pod | None) -> Manifest:
        hook = self._spawner.modify_pod_hook
        if hook:
            self._spawner.log.info("Pod is being modified via modify_pod_hook")
            pod = await maybe_future(hook(self._spawner, pod))
            if pod is None:
                advice = "It must return the pod."
                raise PlanError("The site's modify_pod_hook returned nothing.", advice)
        return as_manifest(pod)

    def expand(self, value: Any) -> Any:
        """A value with KubeSpawner's templates in all its texts filled in."""
        return self._spawner._expand_all(value)

    def url(self, pod: Manifest) -> str:
        """Where the server of a running pod is."""
        found: str = self._spawner._get_pod_url(pod)
        return found

    # Beside the pod

    async def ensure_namespace(self, api: LabApi) -> None:
        """The user's own namespace, where each user has one; the lab's API calls may be in it."""
        spawner = self._spawner
        if not spawner.enable_user_namespaces:
            return
        labels = self.expand(spawner.user_namespace_labels)
        annotations = self.expand(spawner.user_namespace_annotations)
        made = make_namespace(spawner.namespace, labels=labels, annotations=annotations)
        await api.ensure_namespace(as_manifest(made))

    async def ensure_own_claim(self, api: LabApi) -> None:
        """Make the user's own claim where each user has one; it outlives the lab."""
        spawner = self._spawner
        homes = spawner.site.homes
        own = homes is not None and homes.own_claim
        if not (own or spawner.storage_pvc_ensure) or spawner._pvc_exists:
            return
        # KubeSpawner 6 named claims otherwise and did not note their names.
        legacy = spawner.handle_legacy_names and spawner.remember_pvc_name
        if legacy and spawner._state_kubespawner_version == "unknown":
            await self._find_legacy_claim(api)
        if not spawner._pvc_exists:
            await ensure_claim(api, as_manifest(spawner.get_pvc_manifest()))
        spawner._pvc_exists = True

    async def _find_legacy_claim(self, api: LabApi) -> None:
        spawner = self._spawner
        old = spawner._expand_user_properties(spawner.pvc_name_template, slug_scheme="escape")
        for name in dict.fromkeys((spawner.pvc_name, old)):
            if await api.read("PersistentVolumeClaim", name) is not None:
                spawner.pvc_name = name
                spawner._pvc_exists = True
                return

    def certificates(self, start_id: str) -> tuple[Manifest, ...]:
        """The Secret with the certificates of this lab, with ``internal_ssl``."""
        if not self._spawner.internal_ssl:
            return ()
        made = as_manifest(self._spawner.get_secret_manifest(None))
        metadata = made["metadata"]
        metadata.pop("ownerReferences")  # the pod is not there yet and adopts it
        metadata["labels"] |= self._own_labels(start_id)
        return (made,)

    def variables(self, base: Manifest) -> dict[str, str]:
        """JupyterHub's and the site's variables of the server, as they are in the lab."""
        found = {name: str(value) for name, value in self._spawner.get_env().items()}
        if self._spawner.internal_ssl:  # `get_env` has the paths of certificates on the hub
            found |= _certificate_variables(base)
        for name in ("JUPYTER_IMAGE", "JUPYTER_IMAGE_SPEC"):
            found.pop(name, None)
        return found

    async def ensure_service(self, api: LabApi, pod: Manifest) -> None:
        """The Service of this start, where labs have one; it may be there already."""
        spawner = self._spawner
        if not (spawner.internal_ssl or spawner.services_enabled):
            return
        owner = make_owner_reference(spawner.pod_name, pod["metadata"]["uid"])
        made = as_manifest(spawner.get_service_manifest(owner, _port(pod)))
        made["metadata"]["labels"] |= self._own_labels(pod["metadata"]["labels"][START_LABEL])
        await api.replace(made)

    def _own_labels(self, start_id: str) -> dict[str, str]:
        key, value = MANAGED_BY
        return {**lab_labels(self._spawner.pod_name, start_id), key: value}

    async def after_pod_created(self, pod: Manifest) -> None:
        """The site's ``after_pod_created_hook``."""
        if self._spawner.after_pod_created_hook:
            await maybe_future(self._spawner.after_pod_created_hook(self._spawner, pod))

    # The hub

    def certificates_of_the_hub(self) -> ssl.SSLContext | None:
        """What JupyterHub's own check of a started server shows and trusts.

        None where the hub keeps its certificates elsewhere.
        """
        names = ("internal_ssl_key", "internal_ssl_cert", "internal_ssl_ca")
        found = [self._spawner.user.settings.get(name) for name in names]
        if not all(isinstance(each, str) and each for each in found):
            return None
        key, certificate, authority = found
        context: ssl.SSLContext = make_ssl_context(key, certificate, cafile=authority)
        return context

    @property
    def unchecked(self) -> bool:
        """Whether a hub that has just started asks for the first time."""
        pending: bool = self._spawner._check_pending
        return pending

    @contextmanager
    def shown_as_starting(self, task: asyncio.Future[str]) -> Iterator[None]:
        """The hub's pages show the server as any that starts: pending, with its progress."""
        self._spawner._spawn_future = task
        self._spawner._spawn_pending = True
        try:
            yield
        finally:
            self._spawner._spawn_pending = False

    def save(self) -> None:
        """Have what has changed of the server's records written now."""
        session = object_session(self._spawner.orm_spawner)
        if session is not None:
            session.commit()

    def save_state(self) -> None:
        """Have the spawner's state written now, if it is not written already."""
        record = self._spawner.orm_spawner
        if record is None:
            return
        state = self._spawner.get_state()
        if record.state != state:
            record.state = state
            self.save()

    @property
    def log_name(self) -> str:
        """The server in a log: its user's name and its own."""
        name: str = self._spawner._log_name
        return name


def _port(pod: Manifest) -> int:
    ports = (port for each in pod["spec"]["containers"] for port in each.get("ports") or [])
    found: int = next(port["containerPort"] for port in ports if port.get("name") == PORT_NAME)
    return found


def _certificate_variables(pod: Manifest) -> Mapping[str, str]:
    return {
        each["name"]: each["value"]
        for container in pod["spec"]["containers"]
        for each in container.get("env") or []
        if each["name"].startswith("JUPYTERHUB_SSL_") and "value" in each
    }
