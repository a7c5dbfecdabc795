"""The Kubernetes API for tests: plain manifests over HTTP, as whoever a kubeconfig is."""

from __future__ import annotations

import base64
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

Manifest = dict[str, Any]
GROUPS = {
    "Pod": "api/v1/{ns}pods",
    "Secret": "api/v1/{ns}secrets",
    "ConfigMap": "api/v1/{ns}configmaps",
    "Service": "api/v1/{ns}services",
    "Event": "api/v1/{ns}events",
    "Node": "api/v1/nodes",
    "Namespace": "api/v1/namespaces",
    "ServiceAccount": "api/v1/{ns}serviceaccounts",
    "PersistentVolume": "api/v1/persistentvolumes",
    "PersistentVolumeClaim": "api/v1/{ns}persistentvolumeclaims",
    "ResourceQuota": "api/v1/{ns}resourcequotas",
    "LimitRange": "api/v1/{ns}limitranges",
    "Job": "apis/batch/v1/{ns}jobs",
    "NetworkPolicy": "apis/networking.k8s.io/v1/{ns}networkpolicies",
    "Role": "apis/rbac.authorization.k8s.io/v1/{ns}roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/{ns}rolebindings",
    "ClusterRole": "apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


class Kube:
    """One API server as one user. ``namespace`` is the default of all calls."""

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        document = yaml.safe_load(kubeconfig.read_text())
        context = next(
            each["context"]
            for each in document["contexts"]
            if each["name"] == document["current-context"]
        )
        self.cluster: Manifest = _named(document["clusters"], context["cluster"])["cluster"]
        user: Manifest = _named(document["users"], context["user"])["user"]
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._http = httpx.Client(
            base_url=self.cluster["server"],
            headers=headers,
            verify=_tls(self.cluster, user),
            timeout=30,
            trust_env=False,
        )

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request as it is; nothing is raised for its status."""
        return self._http.request(method, path, **arguments)

    def create(self, manifest: Manifest, **query: Any) -> Manifest:
        path = self._path(manifest["kind"], manifest["metadata"].get("namespace"))
        return _told(self.call("POST", path, json=manifest, params=query))

    def get(self, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        answer = self.call("GET", f"{self._path(kind, namespace)}/{name}")
        return None if answer.status_code == 404 else _told(answer)

    def list(self, kind: str, namespace: str | None = None, **query: Any) -> list[Manifest]:
        found: list[Manifest] = _told(self.call("GET", self._path(kind, namespace), params=query))[
            "items"
        ]
        return found

    def patch(
        self, kind: str, name: str, patch: Manifest, namespace: str | None = None
    ) -> Manifest:
        headers = {"Content-Type": "application/merge-patch+json"}
        path = f"{self._path(kind, namespace)}/{name}"
        return _told(self.call("PATCH", path, json=patch, headers=headers))

    def delete(self, kind: str, name: str, namespace: str | None = None, **query: Any) -> None:
        answer = self.call("DELETE", f"{self._path(kind, namespace)}/{name}", params=query)
        if answer.status_code != 404:
            _told(answer)

    def logs(self, pod: str, container: str = "") -> str:
        query = {"container": container} if container else {}
        answer = self.call("GET", f"{self._path('Pod', None)}/{pod}/log", params=query)
        return answer.text

    def token(self, account: str, namespace: str) -> str:
        """A token of a service account."""
        path = f"{self._path('ServiceAccount', namespace)}/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token: str = _told(self.call("POST", path, json=body))["status"]["token"]
        return token

    def wait(
        self, kind: str, name: str, holds: Callable[[Manifest | None], bool], timeout: float = 60
    ) -> Manifest | None:
        """The object when something holds of it; asked for again and again."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.get(kind, name)
            if holds(found):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:g} s for {kind} {name}: {found}")
            time.sleep(0.1)

    def as_account(self, account: str, namespace: str, folder: Path) -> Path:
        """A kubeconfig of a service account."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "cluster", "cluster": self.cluster}],
            "users": [{"name": account, "user": {"token": self.token(account, namespace)}}],
            "contexts": [{"name": "it", "context": {"cluster": "cluster", "user": account}}],
            "current-context": "it",
        }
        path = folder / f"{account}.kubeconfig"
        path.write_text(yaml.safe_dump(document))
        path.chmod(0o600)
        return path

    def _path(self, kind: str, namespace: str | None) -> str:
        return "/" + GROUPS[kind].format(ns=f"namespaces/{namespace or self.namespace}/")


@contextmanager
def fresh_namespace(kube: Kube, prefix: str, **labels: str) -> Iterator[str]:
    """A namespace of its own for a test, deleted afterwards with all that is in it."""
    made = kube.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": f"{prefix}-", "labels": labels},
        }
    )
    name: str = made["metadata"]["name"]
    try:
        yield name
    finally:
        for pod in kube.list("Pod", name):
            kube.delete("Pod", pod["metadata"]["name"], name, gracePeriodSeconds=0)
        kube.delete("Namespace", name)


def _named(entries: list[Manifest], name: str) -> Manifest:
    return next(each for each in entries if each["name"] == name)


def _told(answer: httpx.Response) -> Manifest:
    if answer.is_error:
        raise AssertionError(f"{answer.request.method} {answer.request.url}: {answer.text}")
    found: Manifest = answer.json()
    return found


def _tls(cluster: Manifest, user: Manifest) -> ssl.SSLContext | bool:
    if cluster.get("insecure-skip-tls-verify"):
        return False
    context = ssl.create_default_context()
    if "certificate-authority-data" in cluster:
        text = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context.load_verify_locations(cadata=text)
    elif "certificate-authority" in cluster:
        context.load_verify_locations(cluster["certificate-authority"])
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as both:
            both.write(base64.b64decode(user["client-certificate-data"]))
            both.write(base64.b64decode(user["client-key-data"]))
            both.flush()
            context.load_cert_chain(both.name)
    elif "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    return context
