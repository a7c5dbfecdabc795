"""Labs of a hub with ``internal_ssl``: reached by TLS only, and only by the platform."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from despejado_hub.kubernetes_role import SERVICES

from tests.cluster.clusters import Cluster
from tests.cluster.sites import Site, site

pytestmark = [pytest.mark.cluster, pytest.mark.root]

SETTINGS: dict[str, Any] = {
    "internal_ssl": True,
    "kubespawner": {"dns_name_template": "{name}.labs.example.org"},
}


def shows_a_key(log: str) -> bool:
    """Whether a key or a certificate is in it, plain or as a Secret has it (base64)."""
    begin = "-----BEGIN"
    return begin in log or base64.b64encode(begin.encode()).decode()[:12] in log


@pytest.fixture(scope="module")
def encrypted(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose hub, proxy and labs speak TLS; it cannot look up the name of lost's lab."""
    settings = {**SETTINGS, "users": {"lost": {"server_timeout": 3}}}
    folder = tmp_path_factory.mktemp("site")
    with site(cluster, folder, settings=settings, rights=(SERVICES,)) as found:
        yield found


@pytest.mark.parametrize("image", ["plain", "stock"])
def test_a_lab_answers_the_proxy_and_nobody_else(encrypted: Site, image: str) -> None:
    hub, kube = encrypted.hub, encrypted.kube
    user = f"rachel-{image}"
    pod_name = f"jupyter-{user}"
    hub.add_user(user)
    answer = hub.ask(user, {"image": image})
    assert answer.status_code == 201, answer.text + hub.log()[-3000:]
    pod = encrypted.pod(user)
    assert pod is not None
    port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
    place = f"{pod['status']['podIP']}:{port}/user/{user}/api/status"

    def ask(context: ssl.SSLContext) -> httpx.Response:
        headers = {"Authorization": f"token {hub.token_for(user)}"}
        with httpx.Client(verify=context, headers=headers, trust_env=False) as client:
            named = {"sni_hostname": f"{pod_name}.labs.example.org"}
            return client.get(f"https://{place}", extensions=named)

    assert ask(hub.context("proxy-client")).json()["started"]
    with pytest.raises(httpx.TransportError):  # somebody without a certificate
        ask(hub.context())
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{place}", trust_env=False)
    # The Service is what the hub's name for the lab leads to.
    service = kube.get("Service", pod_name)
    assert service is not None
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (owner,) = (kube.get("Secret", pod_name) or {})["metadata"]["ownerReferences"]
    assert owner["uid"] == pod["metadata"]["uid"]
    assert not shows_a_key(hub.log())
    hub.end(user)
    hub.wait(
        lambda: kube.get("Service", pod_name) is None and not encrypted.left(), "nothing to be left"
    )


def test_a_lab_whose_name_leads_nowhere_is_said(encrypted: Site) -> None:
    encrypted.hub.add_user("lost")
    answer = encrypted.hub.ask("lost", {"image": "plain"})
    assert "https://jupyter-lost.labs.example.org" in answer.text, answer.text
    assert "did not answer within 3 s" in answer.text
    encrypted.hub.wait(lambda: not encrypted.left(), "nothing to be left")


def test_a_missing_right_is_said_and_leaves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path, settings=SETTINGS) as here:
        here.hub.add_user("rachel")
        answer = here.hub.ask("rachel", {"image": "plain"})
        assert answer.status_code >= 400
        assert "create the Service" in answer.text, answer.text
        here.hub.wait(lambda: not here.left(), "nothing to be left")
        assert not shows_a_key(here.hub.log())
