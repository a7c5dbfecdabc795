"""Labs on a real cluster: whose they are, what they see, what is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.sites import Site, site

pytestmark = [pytest.mark.cluster, pytest.mark.root]


@pytest.fixture(scope="module")
def running(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with shared homes and one running lab of rachel's."""
    folder = tmp_path_factory.mktemp("site")
    homes = tmp_path_factory.mktemp("homes")
    homes.chmod(0o755)
    for parent in homes.parents:
        parent.chmod(parent.stat().st_mode | 0o011)
    settings = {"lab": {"discovery": DISCOVERY}}
    with site(cluster, folder, homes=homes, settings=settings) as found:
        found.hub.add_user("rachel")
        answer = found.hub.ask("rachel", {"image": "plain", "size": "small"})
        assert answer.status_code == 201, answer.text + found.hub.log()[-3000:]
        yield found


DISCOVERY = {
    "datasets": {
        "sample": {
            "butler_config": "https://data.example.org/butler",
            "services": {"tap": {"url": "https://data.example.org/tap"}},
        }
    },
    "services": {"internal": {}},
    "influxdb_databases": {},
    "despejado": {"hub_url": "https://hub.example.org/hub/", "default_dataset": "sample"},
}


def test_a_lab_runs_as_its_user_with_all_groups(running: Site) -> None:
    said = running.run("rachel", "id")
    assert said.startswith("uid=5623(rachel) gid=5623(rachel) groups=5623(rachel),6100(stars)")


def test_files_of_the_user_belong_to_the_user(running: Site) -> None:
    assert running.homes is not None
    running.run("rachel", "touch", "/home/rachel/mine")
    found = (running.homes / "rachel" / "mine").stat()
    home = (running.homes / "rachel").stat()
    assert (found.st_uid, found.st_gid, home.st_uid) == (5623, 5623, 5623)
    assert home.st_mode & 0o777 == 0o700


def test_secrets_are_files_that_only_the_user_may_read(running: Site) -> None:
    said = running.run("rachel", "sh", "-c", "stat -c '%a %U %n' /etc/despejado/secrets/*")
    lines = said.splitlines()
    assert lines and all(line.startswith("400 rachel ") for line in lines), said
    assert running.run("rachel", "cat", "/etc/despejado/secrets/token") == "data-token"


def test_no_secret_is_in_the_pod_or_the_config_map(running: Site) -> None:
    pod = running.pod("rachel")
    shown = str(pod) + str(running.kube.list("ConfigMap"))
    assert "data-token" not in shown
    assert pod is not None
    variables = pod["spec"]["containers"][0]["env"]
    shown_names = {each["name"] for each in variables if "value" in each}
    assert shown_names and "JUPYTERHUB_API_TOKEN" not in shown_names


def test_data_clients_find_their_services(running: Site) -> None:
    said = running.run(
        "rachel", "sh", "-c", "echo $EXTERNAL_TAP_URL; echo $DAF_BUTLER_REPOSITORIES"
    )
    assert "https://data.example.org/tap" in said and "sample" in said
    assert "data.example.org" in running.run("rachel", "cat", "/etc/nublado/discovery/v1.json")


def test_the_lab_has_no_token_of_the_cluster_and_cannot_change_its_system(running: Site) -> None:
    said = running.run("rachel", "ls", "/var/run/secrets/kubernetes.io")
    assert "No such file" in said
    assert "Read-only file system" in running.run("rachel", "touch", "/opt/x")


def test_all_objects_of_a_lab_go_with_its_pod(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        assert len(here.left()) >= 3
        here.kube.delete("Pod", "jupyter-rachel")
        here.hub.wait(lambda: not here.left(), "everything to go")
        here.hub.wait(lambda: not here.hub.server("rachel").get("ready"), "the hub to notice")
        end = here.hub.state("rachel")["last_end"]
        assert end["reason"] == "deleted"


def test_a_stopped_lab_leaves_nothing_and_starts_again(running: Site) -> None:
    running.hub.add_user("simon")
    for _ in range(2):
        assert running.hub.ask("simon", {"image": "stock"}).status_code == 201
        running.hub.end("simon")
    running.hub.wait(
        lambda: not any("simon" in each for each in running.left()), "nothing to be left"
    )


def test_another_user_cannot_read_the_files(running: Site) -> None:
    running.hub.add_user("tess")
    assert running.hub.ask("tess", {"image": "plain"}).status_code == 201
    said = running.run("tess", "sh", "-c", "id -u; ls /home; cat /home/rachel/* 2>&1")
    assert "No such file" in said or "Permission denied" in said
    running.hub.end("tess")
