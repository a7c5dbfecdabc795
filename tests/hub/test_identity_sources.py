"""Sources of identities: a new one is its file and a line, here or in another distribution."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from despejado_hub.cli import main
from despejado_hub.config import Platform, PlatformError, identity, load_platform
from despejado_hub.config.identity import source_names
from despejado_hub.config.schema import json_schema
from despejado_hub.identity import IdentitySource, source_of
from despejado_hub.labs import labs_of
from despejado_hub.labs.hub_settings import configure_labs
from despejado_hub.runtime import Runtime
from despejado_spawner.errors import IdentityError
from traitlets.config import Config

Output = pytest.CaptureFixture[str]

SOURCE = """
from despejado_hub.check.result import Result
from despejado_hub.config.identity import IdentitySettings
from despejado_hub.identity import IdentitySource
from despejado_spawner.errors import IdentityError
from despejado_spawner.models import Group, Identity

class Settings(IdentitySettings):
    offset: int
    names: dict[str, int] = {}

class Directory(IdentitySource):
    settings_model = Settings

    def __init__(self, settings):
        self.settings = settings

    @classmethod
    def of(cls, settings, state):
        return cls(settings)

    async def identity(self, username, auth_state):
        if username not in self.settings.names:
            raise IdentityError(f"The directory has no {username}.")
        number = self.settings.offset + self.settings.names[username]
        return Identity(username, number, number, (Group(username, number),))

    def check(self):
        yield Result("identity", "warn", f"{len(self.settings.names)} names are few", "add more")
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another distribution with a source, as pip would install it."""
    site = tmp_path / "site"
    about = site / "observatory_directory-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "observatory_directory.py").write_text(SOURCE)
    (about / "METADATA").write_text("Name: observatory-directory\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[despejado.identity_sources]\n"
        "directory = observatory_directory:Directory\n"
        "gone = observatory_directory:Gone\n"
    )
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("observatory_directory", None)


def platform_file(folder: Path, identity: object, spawner: str = "local") -> Path:
    document: dict[str, Any] = {"version": 1, "name": "Test", "identity": identity}
    if spawner == "kubernetes":
        pods = Path(__file__).parent / "data" / "platform_pods.yaml"
        document = {**yaml.safe_load(pods.read_text()), "identity": identity}
    file = folder / "platform.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


THEIRS = {"source": "directory", "offset": 7000, "names": {"rachel": 11}}


@pytest.mark.usefixtures("directory")
def test_a_source_from_outside_is_chosen_by_its_name(tmp_path: Path) -> None:
    assert source_names() == ("embedded", "directory", "gone")
    platform = load_platform(platform_file(tmp_path, THEIRS))
    assert platform.identity.model_dump() == THEIRS
    assert type(source_of(platform, tmp_path)).__name__ == "Directory"


@pytest.mark.usefixtures("directory")
def test_a_file_that_extends_another_takes_the_keys_of_its_source_away(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    identity = {**THEIRS, "first_uid": None, "groups": None}
    file.write_text(yaml.safe_dump({"extends": "despejado:demo", "identity": identity}))
    assert load_platform(file).identity.model_dump() == THEIRS


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("identity", "key", "said"),
    [
        ({"source": "directry"}, "identity.source", "did you mean directory?"),
        ({"source": "gone"}, "identity.source", "cannot be imported"),
        ({"source": "directory"}, "identity.offset", "is missing"),
        ({**THEIRS, "offset": "much"}, "identity.offset", "is not a whole number"),
        ({**THEIRS, "first_uid": 5000}, "identity.first_uid", "source, offset, names"),
        ({"source": "embedded", "offset": 1}, "identity.offset", "first_uid"),
        ("directory", "identity", "is not a section"),
    ],
)
def test_the_source_says_which_keys_there_are(
    identity: object, key: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(PlatformError) as caught:
        load_platform(platform_file(tmp_path, identity))
    found = {problem.key: str(problem) for problem in caught.value.problems}
    assert said in found[key]


def test_a_source_that_is_not_installed_is_not_among_the_allowed(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="embedded"):
        load_platform(platform_file(tmp_path, THEIRS))


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("spawner", ["local", "kubernetes"])
def test_commands_ask_the_source(spawner: str, tmp_path: Path, capsys: Output) -> None:
    where = ("-f", str(platform_file(tmp_path, THEIRS, spawner)), "--state", str(tmp_path))
    (tmp_path / "hub").mkdir()
    images = Path(__file__).parent / "data" / "images.json"
    (tmp_path / "hub" / "images.json").write_text(images.read_text())
    assert main(["render", "lab", *where, "--user", "rachel", "--json"]) == 0
    assert "7011" in capsys.readouterr().out
    assert main(["render", "lab", *where, "--user", "simon"]) == 1
    assert "The directory has no simon." in capsys.readouterr().err
    assert not (tmp_path / "hub" / "identities.sqlite").exists()


@pytest.mark.usefixtures("directory")
def test_check_and_explain_ask_the_source(tmp_path: Path, capsys: Output) -> None:
    where = ("-f", str(platform_file(tmp_path, THEIRS)), "--state", str(tmp_path), "--json")
    (tmp_path / "hub").mkdir()
    main(["check", *where])
    results = {each["name"]: each for each in json.loads(capsys.readouterr().out)["results"]}
    assert results["identity"]["message"] == "1 names are few"
    assert main(["explain", "rachel", *where]) == 1
    assert "has UID 7011" in capsys.readouterr().out


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize("spawner", ["local", "kubernetes"])
async def test_the_hub_asks_the_source(spawner: str, tmp_path: Path) -> None:
    labs = labs_of(load_platform(platform_file(tmp_path, THEIRS, spawner)))
    config = Config()
    runtime = Runtime(tmp_path, 8000, 8081, 8001, 9001, **labs.places())
    configure_labs(config, labs, runtime)
    hook = config[config.JupyterHub.spawner_class.__name__].identity_hook

    async def get_auth_state() -> None:
        return None

    user = SimpleNamespace(name="rachel", get_auth_state=get_auth_state)
    assert (await hook(SimpleNamespace(user=user))).uid == 7011


@pytest.mark.usefixtures("directory")
def test_editors_know_the_sources_that_are_installed() -> None:
    text = json.dumps(json_schema())
    assert '["embedded", "directory", "gone"]' not in text  # what cannot be imported is no choice
    assert '["embedded", "directory"]' in text
    assert "offset" in text


def test_a_source_that_keeps_nobody_says_so(tmp_path: Path) -> None:
    class Nobody(IdentitySource):
        @classmethod
        def of(cls, settings: Any, state: Path) -> IdentitySource:
            return cls()

        async def identity(self, username: str, auth_state: Any) -> Any:
            raise IdentityError("nobody")

    source = Nobody.of(Platform(version=1, name="T").identity, tmp_path)
    assert [each.state for each in source.check()] == ["ok"]
    with pytest.raises(IdentityError, match="keeps no users of its own"):
        source.retire("rachel")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no library here')", "no library here"),
        ("def Source(): ...", "is no IdentitySource"),
        ("", "Source"),
    ],
)
def test_a_source_that_cannot_be_had_is_named_and_harms_no_other(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_source.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_source", raising=False)
    point = EntryPoint("broken", "broken_source:Source", identity.GROUP)
    monkeypatch.setattr(identity, "entry_points", lambda group: [point])
    assert "embedded" in json.dumps(json_schema())
    file = tmp_path / "platform.yaml"
    file.write_text("extends: despejado:demo\nidentity: {source: broken}\n")
    with pytest.raises(PlatformError, match=said):
        load_platform(file)
