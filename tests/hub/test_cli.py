"""The ``despejado`` command as a person or a script meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from despejado_hub import supervisor
from despejado_hub.cli import main
from despejado_hub.config import shipped_platforms
from despejado_hub.identity.registry import EmbeddedRegistry
from despejado_hub.supervisor import SupervisorArguments
from despejado_spawner.pods.plan.render import write_yaml
from despejado_spawner.processes.process_table import boot_id, start_time
from despejado_spawner.processes.records import LabRecord, write_record

BROKEN = Path(__file__).parent / "data" / "config_broken.yaml"
Output = pytest.CaptureFixture[str]


@pytest.fixture
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_check_of_a_broken_file_lists_every_error_at_once(capsys: Output) -> None:
    assert run("check", "-f", BROKEN) == 2
    said = capsys.readouterr()
    assert "19 problems" in said.err
    assert said.out == ""


def test_check_of_a_broken_file_as_json(capsys: Output) -> None:
    assert run("check", "-f", BROKEN, "--json") == 2
    document = json.loads(capsys.readouterr().out)
    assert len(document["problems"]) == 19
    first = document["problems"][0]
    assert (first["key"], first["line"], first["column"]) == ("version", 2, 10)


def test_check_of_a_sound_platform(capsys: Output, state: Path, free_port: int) -> None:
    assert run("check", "--state", state, "--port", free_port, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"]
    assert {"file", "state folder", "address"} <= {row["name"] for row in document["results"]}


def test_check_fails_when_something_named_does_not_work(
    capsys: Output, state: Path, free_port: int
) -> None:
    (state / "homes" / "rachel").mkdir(parents=True)
    assert run("check", "--state", state, "--port", free_port) == 1
    said = capsys.readouterr().out
    assert "fail  identity:" in said
    assert "do: restore it from the backup" in said


def test_check_takes_platform_yaml_of_this_folder(
    capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "platform.yaml").write_text("extends: despejado:demo\nname: Mine\n")
    monkeypatch.chdir(tmp_path)
    assert run("check", "--file-only") == 0
    assert "platform.yaml describes 'Mine'" in capsys.readouterr().out


@pytest.mark.parametrize("file", ["gone.yaml", "despejado:gone", "/"])
def test_a_file_that_is_not_there_is_status_2(capsys: Output, file: str) -> None:
    assert run("check", "-f", file) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_schema_and_table(capsys: Output) -> None:
    assert run("schema") == 0
    assert json.loads(capsys.readouterr().out)["properties"]["labs"]["title"] == "Labs"
    assert run("schema", "--table") == 0
    assert "| `public.port` |" in capsys.readouterr().out


def test_render_lab_shows_the_process_and_no_secret(capsys: Output, state: Path) -> None:
    arguments = ("render", "lab", "--user", "Zoë", "--size", "medium", "--state", state)
    assert run(*arguments) == 0
    lab = yaml.safe_load(capsys.readouterr().out)
    assert lab["environment"]["MEM_LIMIT"] == str(6 * 2**30)
    files = {Path(file["path"]).name: file for file in lab["files"]}
    assert files["token"]["mode"] == "0400"
    assert files["token"]["content"] == files["netrc"]["content"] == "(a secret, not shown)"
    document = json.loads(files["v1.json"]["content"])
    assert document["despejado"]["default_dataset"] == "sample"
    assert not list(state.iterdir()), "rendering keeps nothing"


@pytest.mark.root
def test_render_lab_uses_the_uid_that_the_user_has(capsys: Output, state: Path) -> None:
    (state / "hub").mkdir()
    users = EmbeddedRegistry(state / "hub" / "identities.sqlite")
    users.assign("monica")
    uid = users.assign("rachel").uid
    assert run("render", "lab", "--user", "rachel", "--state", state, "--json") == 0
    assert json.loads(capsys.readouterr().out)["uid"] == uid


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [("--size", "smal", "small"), ("--image", "w_1066_01", "plain")],
)
def test_render_lab_refuses_what_is_not_on_the_menu(
    capsys: Output, state: Path, option: str, value: str, allowed: str
) -> None:
    assert run("render", "lab", "--user", "rachel", option, value, "--state", state) == 1
    said = capsys.readouterr().err
    assert option.removeprefix("--") in said
    assert allowed in said


def test_rendered_yaml_says_the_same_as_the_data() -> None:
    document = {"a": "x\ny\n", "b": [1, "2", None, True], "c": "trailing \n space"}
    assert yaml.safe_load(write_yaml([document])) == document


def test_images_list(capsys: Output, state: Path) -> None:
    assert run("images", "list", "--state", state) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == ["TAG", "TITLE", "STATE", "SIZE", "NOTE"]
    assert "images list --refresh" in said
    assert run("images", "list", "--state", state, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["tag"] == "plain"


def test_images_build_refuses_a_tag_that_cannot_be(capsys: Output, state: Path) -> None:
    assert run("images", "build", "nonsense", "--state", state) == 1
    assert "nonsense" in capsys.readouterr().err


def lab_record(state: Path, pid: int, started: str) -> Path:
    folder = state / "labs" / "rachel" / "default"
    folder.mkdir(parents=True)
    record = LabRecord(
        pid, started, boot_id(), "id", "127.0.0.1", 4242, "sha256:0", "w_2026_43", 5000
    )
    write_record(folder, record)
    return folder


def test_explain_a_lab_that_is_up(capsys: Output, state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lab_record(state, process.pid, start_time(process.pid) or "")
        assert run("explain", "rachel", "--state", state) == 0
        process.communicate(b"\n")
    assert f"is up: process {process.pid} with w_2026_43" in capsys.readouterr().out


def test_explain_a_lab_that_ended_shows_the_end_of_its_log(capsys: Output, state: Path) -> None:
    folder = lab_record(state, 2**22 - 1, "1")
    (folder / "server.log").write_text("starting\nMemoryError: no room\n")
    assert run("explain", "rachel", "--state", state) == 1
    said = capsys.readouterr().out
    assert "ended by itself" in said
    assert "| MemoryError: no room" in said


def test_explain_somebody_who_never_came(capsys: Output, state: Path) -> None:
    assert run("explain", "ghost", "--state", state) == 1
    assert "nobody has logged in" in capsys.readouterr().out
    (state / "hub").mkdir()
    EmbeddedRegistry(state / "hub" / "identities.sqlite").assign("rachel")
    assert run("explain", "ghost", "--state", state) == 1
    assert "for a user of this name" in capsys.readouterr().out
    assert run("explain", "rachel", "--state", state, "--json") == 1
    assert "has UID 5000" in json.loads(capsys.readouterr().out)["labs"][0]["message"]


WITHOUT_KUBERNETES = """
import sys
sys.modules |= dict.fromkeys(["kubespawner", "kubernetes_asyncio"])
from despejado_hub.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["render lab --user rachel", "explain rachel", "images list"])
def test_what_is_not_installed_is_said_by_every_command(command: str, state: Path) -> None:
    file = Path(__file__).parent / "data" / "platform_pods.yaml"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KUBERNETES, *command.split(), "-f", file, "--state", state],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "pip install 'despejado-hub[kubernetes]'" in done.stderr


def test_demo_hands_its_options_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[SupervisorArguments] = []

    def record(arguments: SupervisorArguments) -> int:
        seen.append(arguments)
        return 7

    monkeypatch.setattr(supervisor, "main", record)
    # The module binds the function at import; it is imported by the command itself.
    monkeypatch.delitem(sys.modules, "despejado_hub.commands.demo", raising=False)
    assert run("demo") == 7
    ready = tmp_path / "ready.json"
    options = ("--port", "0", "--no-browser", "--state", tmp_path, "--ready-file", ready)
    assert run("demo", *options, "--no-build", "-f", BROKEN) == 7
    assert seen == [
        SupervisorArguments(file=shipped_platforms()["demo"]),
        SupervisorArguments(
            file=BROKEN, port=0, browser=False, state=tmp_path, ready_file=ready, build=False
        ),
    ]


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["demo", "--port", "70000"], ["demo", "--port", "x"], ["render", "lab"], []],
)
def test_a_wrong_command_line_is_status_2(capsys: Output, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: despejado" in capsys.readouterr().err


def test_the_command_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, despejado_hub.cli, despejado_hub.commands.demo\n"
        "heavy = {'pydantic', 'yaml', 'jupyterhub', 'httpx', 'tornado', 'sqlalchemy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m despejado_hub.cli schema | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""
