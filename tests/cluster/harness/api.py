"""As much of the Kubernetes HTTP API as the harness needs, with the standard library only."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.harness.layout import Layout
from tests.cluster.harness.settings import Settings

Json = dict[str, Any]

_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Namespace": "namespaces",
    "Node": "nodes",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "StorageClass": "storageclasses",
}


class ApiError(Exception):
    """The API server refused; ``status`` is the HTTP status, the text its own message."""

    def __init__(self, status: int, method: str, path: str, message: str) -> None:
        super().__init__(f"{method} {path}: {status} {message}")
        self.status = status


@dataclass(frozen=True)
class Api:
    """One connection a request: an API server that restarts leaves no broken one behind."""

    host: str
    port: int
    authority: Path
    token: str

    @classmethod
    def of(cls, layout: Layout, settings: Settings) -> Api:
        return cls(
            settings.node_address,
            settings.ports.apiserver,
            layout.certificates / "ca.crt",
            settings.tokens["admin"],
        )

    def get(self, path: str, **query: str) -> Json:
        return self._call("GET", path, query)

    def apply(self, item: Json) -> Json:
        """Server-side apply: the object is as described, whether it was there or not."""
        query = {"fieldManager": "despejado-cluster", "force": "true"}
        return self._call("PATCH", path_of(item), query, item, "application/apply-patch+yaml")

    def merge(self, path: str, patch: Json) -> Json:
        return self._call("PATCH", path, {}, patch, "application/merge-patch+json")

    def delete(self, path: str, **query: str) -> None:
        """Delete; one that is not there is as well."""
        try:
            self._call("DELETE", path, query)
        except ApiError as error:
            if error.status != 404:
                raise

    def watch(self, path: str, version: str, seconds: int, **query: str) -> Iterator[Json]:
        """Changes after ``version``, until the server ends the watch after ``seconds``."""
        query |= {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        connection = self._connection(seconds + 10)
        try:
            response = self._send(connection, "GET", path, query)
            _raise_for(response, "GET", path)
            while line := response.readline():
                event: Json = json.loads(line)
                yield event
        finally:
            connection.close()

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        connection = self._connection(15)
        try:
            response = self._send(connection, method, path, query, body, content_type)
            _raise_for(response, method, path)
            answer: Json = json.loads(response.read())
            return answer
        finally:
            connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.authority))
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def _send(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        query: dict[str, str],
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> http.client.HTTPResponse:
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        return connection.getresponse()


def path_of(item: Json) -> str:
    """Where in the API an object is."""
    version: str = item["apiVersion"]
    metadata: Json = item["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{namespace}/{_PLURALS[item['kind']]}/{metadata['name']}"


def _raise_for(response: http.client.HTTPResponse, method: str, path: str) -> None:
    if response.status < 300:
        return
    text = response.read().decode(errors="replace")
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.strip()
    raise ApiError(response.status, method, path, message)
