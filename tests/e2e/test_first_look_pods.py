"""The same evening where labs are pods: the tutorial, the user's files, and who cannot reach them.

The whole platform runs from one ``platform.yaml`` with ``labs.spawner: kubernetes``; its hub has
no rights but those of ``despejado render role``.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.cluster.clusters import Cluster, find_cluster
from tests.cluster.kube import Kube, fresh_namespace
from tests.cluster.sites import ENFORCE, execute, shared_volume
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo, HubUser, running_demo, shared_folder, wait_for
from tests.e2e.test_first_look import NAME, check_tutorial, run_all, saved_cells

pytestmark = [
    pytest.mark.browser,
    pytest.mark.cluster,
    pytest.mark.network,
    pytest.mark.root,
    pytest.mark.timeout(900),
]
WEEKLY = "w_2026_43"
COMMAND = [str(Path(sys.executable).parent / "despejado")]


@dataclass
class Observatory:
    """A running platform, its file, and the cluster that its labs are in."""

    demo: Demo
    file: Path
    kube: Kube
    homes: Path

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of an operator."""
        where = ["-f", str(self.file), "--state", str(self.demo.state)]
        return subprocess.run(
            [*COMMAND, command, *where, *arguments],
            env={"KUBECONFIG": str(self.kube.kubeconfig), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def samples(demo: Demo) -> Path:
    """The data of the demo on this machine, with its repository of sample images."""
    wait_for((demo.state / "data" / "butler" / "sample").exists, demo.process, demo.log, 600)
    return demo.state / "data"


@pytest.fixture(scope="module")
def observatory(
    samples: Path, output: Path, monkeypatch_module: pytest.MonkeyPatch
) -> Iterator[Observatory]:
    cluster = find_cluster()
    assert cluster is not None
    cluster.image(f"despejado/lab:{WEEKLY}")
    kube = Kube(cluster.kubeconfig)
    with ExitStack() as stack:
        folder = stack.enter_context(shared_folder())
        state, homes, scratch = folder / "state", folder / "homes", folder / "scratch"
        for each in (state, homes, scratch):
            each.mkdir(mode=0o755)
        scratch.chmod(0o1777)
        shutil.copytree(samples, state / "data")
        labs = stack.enter_context(fresh_namespace(kube, "labs", **{ENFORCE: "restricted"}))
        platform = stack.enter_context(fresh_namespace(kube, "platform", **{ENFORCE: "baseline"}))
        kube.namespace = labs
        volumes = {"homes": homes, "data": state / "data", "scratch": scratch}
        for claim, path in volumes.items():
            stack.enter_context(shared_volume(kube, labs, claim, path))
        stack.enter_context(shared_volume(kube, platform, "homes", homes))
        file = folder / "platform.yaml"
        document = platform_document(cluster, labs, platform)
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        rights = subprocess.run(
            [*COMMAND, "render", "role", "-f", str(file)], capture_output=True, check=True
        )
        for manifest in yaml.safe_load_all(rights.stdout):
            kube.create(manifest)
        account = kube.as_account("hub", platform, folder)
        monkeypatch_module.setenv("KUBECONFIG", str(account))
        options = ["-f", str(file), "--no-build"]
        found = stack.enter_context(running_demo(COMMAND, state, output / "pods", options))
        yield Observatory(found, file, kube, homes)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def platform_document(cluster: Cluster, labs: str, platform: str) -> dict[str, object]:
    """The file that an operator would write for this cluster."""
    return {
        "version": 1,
        "name": "Despejado on Kubernetes",
        "labs": {
            "spawner": "kubernetes",
            "sizes": {
                "small": {"cpu": 2, "memory": "2Gi", "requests": {"cpu": "50m"}},
                "large": {"cpu": 2, "memory": "3Gi", "requests": {"cpu": "50m"}},
            },
            "images": {"recommended": WEEKLY, "weeklies": 3, "releases": 0},
            "kubernetes": {
                "namespace": labs,
                "platform_host": cluster.node_address,
                "images": {"repository": f"{cluster.registry}/despejado/lab"},
                "homes": {
                    "claim": "homes",
                    "provisioner": {
                        "namespace": platform,
                        "claim": "homes",
                        "image": f"{cluster.registry}/despejado/lab:plain",
                    },
                },
                "scratch": {"claim": "scratch", "path": "/scratch"},
                "data": {"claim": "data"},
                "network": {"internet": False},
            },
        },
        "datasets": {"sample": {"butler": "built-in", "tap": "built-in"}},
    }


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_page() as page:
        yield page


def test_an_operator_sees_that_all_is_well(observatory: Observatory) -> None:
    found = observatory.run("check", "--json")
    results = {row["name"]: row for row in json.loads(found.stdout)["results"]}
    failed = [row for row in results.values() if row["state"] == "fail"]
    assert failed == [], failed
    assert WEEKLY in results["images"]["message"]
    assert {"cluster", "rights", "claim homes", "claim data", "a lab"} <= set(results)


def test_an_operator_lists_the_registry_s_images(observatory: Observatory) -> None:
    subcommand = [*COMMAND, "images", "list", "-f", str(observatory.file)]
    found = subprocess.run(subcommand, capture_output=True, text=True, check=True, timeout=60)
    heading, first, *_ = found.stdout.splitlines()
    assert heading.split() == ["TAG", "TITLE", "CREATED", "DIGEST", "SIZE", "NOTE"]
    assert first.startswith(WEEKLY) and first.endswith("recommended")


def test_the_tutorial_runs_in_a_pod(observatory: Observatory, page: Page, output: Path) -> None:
    demo = observatory.demo
    page.goto(f"{demo.url}/hub/login")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password", exact=True).fill(demo.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/hub/spawn")
    page.get_by_role("radio").and_(page.locator(f"[value='{WEEKLY}']")).check()
    page.get_by_role("radio", name="Small").check()
    page.screenshot(path=output / "pods-1-choose.png", full_page=True)
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/spawn-pending/**")
    page.screenshot(path=output / "pods-2-phases.png")
    page.wait_for_url(f"**/user/{NAME}/lab**", timeout=180_000)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    expect(page.get_by_text("Weekly " + WEEKLY.removeprefix("w_")).first).to_be_visible()
    page.get_by_role("menuitem", name="Tutorials").click()
    page.get_by_role("menuitem", name="First look").click()
    page.locator(".jp-NotebookPanel").wait_for()
    run_all(page, output / "pods")
    check_tutorial(saved_cells(observatory.homes))
    page.screenshot(path=output / "pods-3-tutorial.png")


def test_files_belong_to_the_user_and_nobody_else_gets_in(observatory: Observatory) -> None:
    pod = observatory.kube.get("Pod", f"jupyter-{NAME}")
    assert pod is not None
    uid = pod["spec"]["securityContext"]["runAsUser"]
    home = observatory.homes / NAME
    assert uid >= 1000
    assert {path.stat().st_uid for path in (home, *home.rglob("*"))} == {uid}
    assert home.stat().st_mode & 0o007 == 0

    vera = HubUser(observatory.demo, "vera")
    answer = vera.api("POST", "/users/vera/server", json={"image": WEEKLY, "size": "small"})
    assert answer.status_code in (201, 202), answer.text

    wait_for(lambda: _is_up(vera), observatory.demo.process, observatory.demo.log, 120)
    address = pod["status"]["podIP"]
    code = (
        "import os, socket\n"
        f"print('uid', os.getuid(), sorted(os.listdir({str(Path('/home'))!r})))\n"
        "try:\n"
        f"    socket.create_connection(({address!r}, 8888), timeout=3)\n"
        "    print('connected')\n"
        "except OSError as error:\n"
        "    print('refused')\n"
    )
    said = execute(f"{observatory.demo.url}/user/vera/", vera.token, code)
    assert f"uid {uid}" not in said
    assert "'vera'" in said and NAME not in said
    assert "refused" in said
    assert vera.api("DELETE", "/users/vera/server").status_code in (202, 204)


def test_a_bigger_lab_is_one_command_away(
    observatory: Observatory, page: Page, output: Path
) -> None:
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_role("menuitem", name="Start a Bigger Lab").click()
    page.get_by_role("button", name="Save All and Start").click()
    page.wait_for_url("**/hub/**", timeout=60_000)
    page.screenshot(path=output / "pods-4-bigger.png")
    page.wait_for_url(f"**/user/{NAME}/lab**", timeout=120_000)
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    pod = observatory.kube.get("Pod", f"jupyter-{NAME}")
    assert pod is not None
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    assert limits["memory"] == "3Gi"


def test_explain_says_what_is_there_and_what_is_not(observatory: Observatory) -> None:
    up = observatory.run("explain", NAME)
    assert up.returncode == 0, up.stderr
    assert "Running" in up.stdout and WEEKLY.removeprefix("w_") in up.stdout
    observatory.kube.delete("Pod", f"jupyter-{NAME}")
    gone = "The last one ended"

    def told() -> bool:
        return gone in observatory.run("explain", NAME).stdout

    wait_for(told, observatory.demo.process, observatory.demo.log, 60)
    down = observatory.run("explain", NAME, "--json")
    assert down.returncode == 1
    assert json.loads(down.stdout)["labs"][0]["up"] is False


def test_labs_outlive_the_platform_and_are_found_again(observatory: Observatory) -> None:
    """The last test: it ends the platform as an operator would, and starts it again."""
    demo = observatory.demo
    vera = HubUser(demo, "vera")
    vera.api("POST", "/users/vera/server", json={"image": WEEKLY, "size": "small"})
    wait_for(lambda: _is_up(vera), demo.process, demo.log, 120)
    before = observatory.kube.get("Pod", "jupyter-vera")
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0
    assert "go on; the next start finds them" in demo.log.read_text()
    after = observatory.kube.get("Pod", "jupyter-vera")
    assert before and after and before["metadata"]["uid"] == after["metadata"]["uid"]
    options = ["-f", str(observatory.file), "--no-build"]
    with running_demo(COMMAND, demo.state, demo.log.parent, options) as second:
        vera.demo = second  # her token is still hers
        wait_for(lambda: _is_up(vera), second.process, second.log, 60)
        said = execute(f"{second.url}/user/vera/", vera.token, "print(6 * 7)")
        assert said.strip() == "42"
        assert vera.api("DELETE", "/users/vera/server").status_code in (202, 204)


def _is_up(user: HubUser) -> bool:
    server = user.api("GET", f"/users/{user.name}").json()["servers"].get("", {})
    return bool(server.get("ready"))
