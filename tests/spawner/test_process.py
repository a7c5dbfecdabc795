"""A lab's process from its plan: golden files, and where secrets are and are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from despejado_images.image import Image
from despejado_spawner.models import (
    Group,
    Identity,
    LabPlan,
    LabProcess,
    Size,
    SpawnOptions,
)
from despejado_spawner.processes.process import build_process

PLAN = LabPlan(
    identity=Identity(
        "rachel", 5001, 5001, (Group("rachel", 5001), Group("stars", 6100)), "Rachel Ö."
    ),
    options=SpawnOptions("w_2026_43", "small"),
    image=Image(
        "w_2026_43",
        "Weekly 2026_43",
        digest="sha256:ab12",
        versions={"lsst-daf-butler": "30.2026.4300"},
    ),
    size=Size("small", 2.5, 3 * 2**30, 0.5, 2**30),
    server_name="",
    base_url="/user/rachel/",
    hub_url="/hub/",
    ip="127.0.0.1",
    port=40001,
    home=Path("/state/homes/rachel"),
    runtime=Path("/state/labs/rachel/default/runtime"),
    server_prefix=Path("/state/environments/ready/ui/0123"),
    kernel_python=Path("/state/environments/ready/w_2026_43/4567/bin/python"),
    discovery={
        "datasets": {
            "sample": {
                "butler_config": "/state/data/butler/sa: mple",
                "services": {"tap": {"url": "http://localhost:8000/services/tap"}},
            },
            "remote": {"services": {"tap": {"url": "https://tap.example.org/tap"}}},
            "bare": {},
        },
        "services": {"internal": {}},
        "influxdb_databases": {},
        "despejado": {"hub_url": "http://127.0.0.1:8000/hub/", "default_dataset": "sample"},
    },
    hub_environment={
        "JUPYTERHUB_API_TOKEN": "server-token",
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:40001/user/rachel/",
        "LANG": "de_DE.UTF-8",
    },
    environment={"SITE": "cerro", "CPU_LIMIT": "99", "JUPYTERHUB_API_URL": "x", "TEMPLATE": "{a}"},
    secrets={"token": "data-token"},
)


def shown(process: LabProcess) -> str:
    """A process as text for people to review: the server's own token is only its length."""
    lines = [
        f"argv: {json.dumps(process.argv)}",
        f"cwd: {process.cwd}",
        f"uid {process.uid}, gid {process.gid}, groups {process.groups}, umask {process.umask:04o}",
        "",
        "environment:",
        *(f"  {name}={value!r}" for name, value in sorted(process.environment.items())),
    ]
    for file in process.files:
        lines += ["", f"--- {file.path} {file.mode:04o}", file.content.rstrip("\n")]
    return "\n".join(lines) + "\n"


def test_the_process_as_a_whole(golden: Callable[[str, str], None]) -> None:
    golden("process.txt", shown(build_process(PLAN)))


def test_a_debug_lab_that_resets_the_environment(golden: Callable[[str, str], None]) -> None:
    options = SpawnOptions("w_2026_43", "small", debug=True, reset=True)
    plain = shown(build_process(PLAN)).splitlines()
    changed = shown(build_process(replace(PLAN, options=options))).splitlines()
    golden("process_debug.txt", "\n".join(line for line in changed if line not in plain) + "\n")


def test_the_data_token_is_in_its_files_only() -> None:
    process = build_process(PLAN)
    assert "data-token" not in str(process.environment) + str(process.argv)
    holders = {file.path.name: file.mode for file in process.files if "data-token" in file.content}
    assert holders == {"token": 0o400, "netrc": 0o400}
    assert "data-token" not in repr(PLAN) and "data-token" not in repr(process)


def test_the_server_token_is_in_no_file() -> None:
    process = build_process(PLAN)
    assert not any("server-token" in file.content for file in process.files)
    assert "server-token" not in repr(PLAN) and "server-token" not in repr(process)


def test_the_data_token_goes_to_hosts_of_data_services_only() -> None:
    netrc = next(file for file in build_process(PLAN).files if file.path.name == "netrc")
    assert [line.split()[1] for line in netrc.content.splitlines()] == [
        "localhost",
        "tap.example.org",
    ]


def test_without_a_token_netrc_is_empty() -> None:
    process = build_process(replace(PLAN, secrets={}))
    assert [f.content for f in process.files if f.path.name == "netrc"] == [""]


@pytest.mark.parametrize("name", ["../token", "a/b", "", ".hidden", "netrc", "é"])
def test_a_secret_that_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a secret file"):
        build_process(replace(PLAN, secrets={name: "x"}))


def test_site_variables_cannot_replace_what_the_platform_decides() -> None:
    variables = build_process(PLAN).environment
    assert variables["CPU_LIMIT"] == "2.5"
    assert variables["SITE"] == "cerro"
    assert variables["TEMPLATE"] == "{a}"
    assert "JUPYTERHUB_API_URL" not in variables


def test_the_kernel_is_the_chosen_image_whatever_runs_the_server() -> None:
    files = {file.path: file for file in build_process(PLAN).files}
    kernels = [path for path in files if path.name == "kernel.json"]
    assert [path.parent.name for path in kernels] == ["python3"]
    spec = json.loads(files[kernels[0]].content)
    assert spec["argv"][:3] == [str(PLAN.kernel_python), "-m", "ipykernel_launcher"]
    assert str(PLAN.server_prefix) not in files[kernels[0]].content
