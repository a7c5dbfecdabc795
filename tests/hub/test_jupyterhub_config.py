"""JupyterHub's configuration from a platform."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from despejado_hub.authenticator import DemoAuthenticator, refused_name
from despejado_hub.config import Platform, load_platform, shipped_platforms
from despejado_hub.config.derive import activity_interval
from despejado_hub.fast_start import is_checked, remember_check
from despejado_hub.jupyterhub_config import configure
from despejado_hub.jupyterhub_config.configure import ConfigurationRefused
from despejado_hub.jupyterhub_config.database import engine_options
from despejado_hub.jupyterhub_config.roles import roles
from despejado_hub.jupyterhub_config.security import CONTENT_SECURITY_POLICY
from despejado_hub.labs.tokens import DataTokens
from despejado_hub.passwords import password_record
from despejado_hub.runtime import Runtime
from despejado_hub.supervisor import make_secrets
from despejado_hub.supervisor.rendering import (
    culler_arguments,
    hub_configuration,
    proxy_configuration,
    settings_of,
)
from despejado_hub.supervisor.settings import Settings
from despejado_hub.supervisor.state import StateFolder, write_json
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.scopes import define_custom_scopes, scope_definitions
from traitlets.config import Config

PLATFORM = load_platform(shipped_platforms()["demo"])


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    state = StateFolder(tmp_path / "state")
    state.create()
    make_secrets(state.run)
    write_json(state.run / "password.json", password_record("sesame"))
    return Runtime(state=state.root, port=8000, hub_port=8081, proxy_api_port=8001, tap_port=9001)


@pytest.fixture
def config(runtime: Runtime) -> Config:
    c = Config()
    configure(c, PLATFORM, runtime)
    return c


def changed(**sections: Any) -> Platform:
    """The demo's platform with other values, checked as a file would be."""
    return Platform.model_validate({**PLATFORM.model_dump(exclude_unset=True), **sections})


def test_every_setting_is_one_that_jupyterhub_knows(config: Config) -> None:
    known = {cls.__name__: cls.class_trait_names(config=True) for cls in JupyterHub().classes}
    for cls in (config.JupyterHub.spawner_class, config.JupyterHub.authenticator_class):
        known[cls.__name__] = cls.class_trait_names(config=True)
    known["JupyterHub"] = JupyterHub.class_trait_names(config=True)
    unknown = [
        f"{section}.{name}"
        for section, values in config.items()
        for name in values
        if name not in known.get(section, [])
    ]
    assert unknown == []


def test_hub_does_not_end_what_it_did_not_start(config: Config) -> None:
    assert config.JupyterHub.cleanup_servers is False
    assert config.JupyterHub.cleanup_proxy is False
    assert config.ConfigurableHTTPProxy.should_start is False


def test_no_role_can_be_somebody_else(config: Config) -> None:
    scopes = [scope for role in config.JupyterHub.load_roles for scope in role["scopes"]]
    assert not {"tokens", "admin:users", "admin:servers", "servers", "start:servers"} & {*scopes}
    assert [scope for scope in scopes if scope.startswith("access:")] == ["access:servers!server"]


def test_services_have_routes_but_no_commands(config: Config) -> None:
    services = {service["name"]: service for service in config.JupyterHub.services}
    assert services["tap"]["url"] == "http://127.0.0.1:9001"
    assert not [service for service in services.values() if "command" in service]
    assert len({service["api_token"] for service in services.values()}) == 3


def test_platform_without_tap_has_no_such_service_or_scope(runtime: Runtime) -> None:
    platform = changed(services={"tap": None}, datasets={}, default_dataset=None)
    c = Config()
    configure(c, platform, runtime)
    assert "tap" not in [service["name"] for service in c.JupyterHub.services]
    assert c.JupyterHub.custom_scopes == {}
    assert roles(platform)[0]["scopes"] == ["self"]


def test_roles_are_as_reviewed(golden: Callable[[str, str], None]) -> None:
    golden("roles.json", json.dumps(roles(PLATFORM), indent=1) + "\n")


def test_scopes_of_the_roles_exist() -> None:
    wanted = {scope.partition("!")[0] for role in roles(PLATFORM) for scope in role["scopes"]}
    assert wanted - set(scope_definitions) == {"custom:tap:query"}


def test_demo_login_on_an_open_address_is_refused_twice(runtime: Runtime) -> None:
    public = PLATFORM.public.model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(ConfigurationRefused, match="loopback"):
        configure(Config(), PLATFORM.model_copy(update={"public": public}), runtime)


def test_pages_may_load_nothing_from_elsewhere() -> None:
    rules = dict(rule.split(" ", 1) for rule in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


@given(st.floats(min_value=1, max_value=10**9))
def test_activity_is_reported_often_enough_to_be_culled_by(idle_after: float) -> None:
    interval = activity_interval(idle_after)
    assert 30 <= interval <= 3600
    assert interval <= max(30, idle_after / 4)


def test_sizes_reach_the_spawner(config: Config) -> None:
    sizes = config.LocalLabSpawner.sizes
    assert list(sizes) == ["small", "medium"]
    assert sizes["small"]["memory"] == 3 * 2**30
    config.LocalLabSpawner.pop("identity_hook")
    spawner = config.JupyterHub.spawner_class(config=config)
    assert [size.name for size in spawner.menu().sizes] == ["small", "medium"]


# Rendered for the other processes


def test_proxy_takes_both_addresses_of_localhost(runtime: Runtime, tmp_path: Path) -> None:
    found = proxy_configuration(PLATFORM, runtime, tmp_path)
    assert found["hosts"] == ["127.0.0.1", "::1"]
    assert found["error_target"] == "http://127.0.0.1:8081/hub/error"
    assert "token" not in json.dumps({k: v for k, v in found.items() if k != "token_file"})


def test_prefix_reaches_every_address(runtime: Runtime, tmp_path: Path) -> None:
    platform = changed(public={"prefix": "/rubin/"})
    settings = settings_of(platform, runtime, "/platform.yaml")
    assert settings.login_url == "http://127.0.0.1:8000/rubin/hub/login"
    assert settings.hub_url == "http://127.0.0.1:8081/rubin/hub/"
    assert settings.tap_check_url == "http://127.0.0.1:9001/rubin/services/tap/availability"
    assert proxy_configuration(platform, runtime, tmp_path)["error_target"].endswith(
        "/rubin/hub/error"
    )


def test_settings_survive_the_pipe(runtime: Runtime) -> None:
    settings = settings_of(PLATFORM, runtime, "/platform.yaml")
    assert Settings.from_json(settings.to_json()) == settings


def test_hub_reads_what_was_rendered_for_it(runtime: Runtime) -> None:
    document = json.loads(json.dumps(hub_configuration("/platform.yaml", runtime)))
    values = {**document["runtime"], "state": Path(document["runtime"]["state"])}
    assert Runtime(**values) == runtime


@pytest.mark.parametrize(
    ("idle", "expected"),
    [
        ({"stop_after": "1h"}, ["--timeout=3600", "--cull-every=300"]),
        ({"stop_after": None, "max_age": "2d"}, ["--timeout=315360000", "--max-age=172800"]),
    ],
)
def test_culler_gets_the_limits_of_the_platform(
    runtime: Runtime, idle: dict[str, Any], expected: list[str]
) -> None:
    found = culler_arguments(changed(hub={"idle": idle}), runtime)
    assert found is not None
    assert set(expected) <= set(found)


def test_platform_that_stops_no_lab_has_no_culler(runtime: Runtime) -> None:
    assert culler_arguments(changed(hub={"idle": {"stop_after": None}}), runtime) is None


# Database and tokens


@pytest.fixture
def session() -> Iterator[Any]:
    custom = {"custom:tap:query": {"description": "x"}}
    if "custom:tap:query" not in scope_definitions:
        define_custom_scopes(custom)
    factory = orm.new_session_factory("sqlite:///:memory:")
    with factory() as opened:
        role = orm.Role(name="user", scopes=["self", "custom:tap:query"])
        opened.add_all([role, orm.OAuthClient(identifier="jupyterhub")])
        opened.commit()
        yield opened


def lab(session: Any, name: str, server: str = "") -> Any:
    user = orm.User.find(session, name)
    if user is None:
        user = orm.User(name=name)
        user.roles.append(orm.Role.find(session, "user"))
        session.add(user)
        session.commit()
    owner = SimpleNamespace(db=session, api_tokens=user.api_tokens, orm=user)
    owner.new_api_token = user.new_api_token
    return SimpleNamespace(user=owner, name=server, secrets={})


TOKENS = DataTokens(("custom:tap:query",), None)


def test_data_token_has_the_data_scopes_and_no_other(session: Any) -> None:
    spawner = lab(session, "rachel")
    TOKENS.mint(spawner)
    found = orm.APIToken.find(session, spawner.secrets["token"])
    assert found.scopes == ["custom:tap:query"]
    assert found.user.name == "rachel"


def test_new_start_deletes_the_token_of_the_one_before(session: Any) -> None:
    spawner = lab(session, "rachel")
    TOKENS.mint(spawner)
    first = spawner.secrets["token"]
    TOKENS.mint(spawner)
    assert orm.APIToken.find(session, first) is None
    assert orm.APIToken.find(session, spawner.secrets["token"]) is not None


def test_stop_revokes_the_token_of_this_lab_only(session: Any) -> None:
    spawner, other = lab(session, "rachel"), lab(session, "rachel", "second")
    TOKENS.mint(spawner)
    TOKENS.mint(other)
    mine = spawner.secrets["token"]
    own = spawner.user.new_api_token(note="pyvo on my laptop")
    TOKENS.revoke(spawner)
    assert "token" not in spawner.secrets
    assert orm.APIToken.find(session, mine) is None
    assert orm.APIToken.find(session, other.secrets["token"]) is not None
    assert orm.APIToken.find(session, own) is not None


def test_renewed_token_leaves_the_one_that_the_lab_still_has(session: Any) -> None:
    spawner = lab(session, "rachel")
    TOKENS.mint(spawner)
    values = [spawner.secrets["token"]]

    def known() -> list[bool]:
        session.expire_all()
        return [orm.APIToken.find(session, value) is not None for value in values]

    for _ in range(2):  # a hub that is restarted, and again before the cluster has brought it
        values.append(TOKENS.renew(spawner)["token"])
    assert known() == [True, True, True]
    for value in values:
        orm.APIToken.find(session, value).created -= timedelta(hours=6)
    session.commit()
    values.append(TOKENS.renew(spawner)["token"])
    assert known() == [False, False, True, True]
    TOKENS.revoke(lab(session, "rachel"))
    assert not any(known())


def test_platform_without_data_services_mints_nothing(session: Any) -> None:
    spawner = lab(session, "rachel")
    DataTokens((), None).mint(spawner)
    assert spawner.secrets == {}


def test_write_ahead_log_is_set_on_every_connection(tmp_path: Path) -> None:
    database = tmp_path / "hub.sqlite"
    factory = orm.new_session_factory(f"sqlite:///{database}", **engine_options(database))
    with factory() as opened:
        connection = opened.connection().connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


# Start


def test_schema_is_checked_again_for_another_version_or_database(tmp_path: Path) -> None:
    database, note = tmp_path / "hub.sqlite", tmp_path / "note.json"
    assert not is_checked(database, note, "6.1.1")
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('abc')")
    assert not is_checked(database, note, "6.1.1")
    remember_check(database, note, "6.1.1")
    assert is_checked(database, note, "6.1.1")
    assert not is_checked(database, note, "6.2.0")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    assert not is_checked(database, note, "6.1.1")
    note.write_text("half")
    assert not is_checked(database, note, "6.1.1")


def test_hub_starts_without_what_it_never_uses() -> None:
    code = (
        "from despejado_hub.fast_start import skip_migrations, skip_unused\n"
        "skip_unused(); skip_migrations()\n"
        "import jupyterhub.app, sys\n"
        "print([n for n in ('mako', 'lark', 'rfc3987_syntax') if sys.modules.get(n)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_supervisor_loads_no_large_library() -> None:
    code = (
        "import despejado_hub.cli, despejado_hub.commands.demo\n"
        "import despejado_hub.supervisor.lifecycle\n"
        "import sys\n"
        "large = ('pydantic', 'jupyterhub', 'tornado', 'sqlalchemy', 'httpx', 'yaml')\n"
        "print([n for n in large if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Login


@pytest.mark.parametrize("name", ["rachel", "a", "r2-d2", "anna.smith", "x" * 64, "9numbers"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert refused_name(name) is None


@pytest.mark.parametrize(
    "name", ["", " ", "-a", "a-", "..", "a..b", "a/b", "a\nb", "1234", "ä", "x" * 65, "A"]
)
def test_names_that_could_not_be_folders_are_refused(name: str) -> None:
    assert refused_name(name) is not None


@given(st.text(max_size=100))
def test_every_name_gets_an_answer_and_no_taken_one_is_odd(name: str) -> None:
    if refused_name(name) is None:
        assert name.isascii()
        assert "/" not in name
        assert name == name.strip().lower()


async def test_password_is_compared_and_names_are_in_lower_case(runtime: Runtime) -> None:
    login = DemoAuthenticator(password_file=str(runtime.run / "password.json"))
    right = {"username": " Rachel ", "password": "sesame"}
    assert await login.authenticate(None, right) == "rachel"
    assert await login.authenticate(None, {**right, "password": "sesam"}) is None
    assert await login.authenticate(None, {**right, "password": ""}) is None
