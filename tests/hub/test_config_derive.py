"""What the parts get from the one file: golden documents, and addresses that agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from despejado_hub.config import Platform, derive, load_platform, shipped_platforms
from despejado_hub.config.schema import json_schema, key_table
from despejado_hub.runtime import Runtime, default_state_folder, state_folder
from despejado_services.config import load_config

RUNTIME = Runtime(
    state=Path("/srv/despejado"), port=8000, hub_port=8081, proxy_api_port=8001, tap_port=9001
)
FULL = {
    "version": 1,
    "name": "Full",
    "public": {"prefix": "/lab/", "url": "https://sky.example.org/lab/"},
    "datasets": {
        "dp1": {"butler": "https://data.example.org/api/butler/repo/dp1"},
        "sky": {"butler": "/repo/sky", "tap": "https://data.example.org/tap"},
        "sample": {"butler": "built-in", "tap": "built-in"},
    },
    "default_dataset": "sky",
    "firefly": {"url": "https://sky.example.org/firefly"},
}


def demo() -> Platform:
    return load_platform(shipped_platforms()["demo"])


def as_text(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def test_discovery_of_the_demo(golden: Callable[[str, str], None]) -> None:
    golden("config_discovery_demo.json", as_text(derive.discovery_document(demo(), RUNTIME)))


def test_discovery_of_a_platform_behind_a_gateway(golden: Callable[[str, str], None]) -> None:
    full = Platform.model_validate(FULL)
    golden("config_discovery_full.json", as_text(derive.discovery_document(full, RUNTIME)))


def test_service_configuration_of_the_demo(golden: Callable[[str, str], None]) -> None:
    golden("config_tap_demo.json", as_text(derive.tap_service_config(demo(), RUNTIME)))


def test_service_configuration_below_a_prefix(golden: Callable[[str, str], None]) -> None:
    full = Platform.model_validate(FULL)
    golden("config_tap_full.json", as_text(derive.tap_service_config(full, RUNTIME)))


@pytest.mark.parametrize("name", sorted(shipped_platforms()))
def test_the_service_accepts_what_is_rendered_for_it(name: str, tmp_path: Path) -> None:
    platform = load_platform(shipped_platforms()[name])
    document = derive.tap_service_config(platform, RUNTIME)
    (tmp_path / "tap.json").write_text(json.dumps(document))
    config = load_config(tmp_path / "tap.json")
    assert platform.services.tap is not None
    assert config.limits.maxrec == platform.services.tap.limits.maxrec


def test_labs_reach_data_and_hub_under_different_hosts() -> None:
    document = derive.discovery_document(demo(), RUNTIME)
    tap = document["datasets"]["sample"]["services"]["tap"]["url"]
    assert tap.startswith("http://localhost:8000/")
    assert document["despejado"]["hub_url"].startswith("http://127.0.0.1:8000/")


def test_people_outside_get_addresses_they_reach() -> None:
    document = derive.public_discovery_document(Platform.model_validate(FULL), RUNTIME)
    sample = document["datasets"]["sample"]["services"]["tap"]["url"]
    assert sample == "https://sky.example.org/lab/services/tap"


def test_another_archives_tap_stands_where_no_token_is_sent() -> None:
    document = derive.discovery_document(Platform.model_validate(FULL), RUNTIME)
    assert document["datasets"]["sky"]["services"] == {}
    external = document["despejado"]["external_services"]
    assert external == {"sky": {"tap": {"url": "https://data.example.org/tap"}}}


def test_a_platform_without_tap_has_no_service_configuration() -> None:
    none = Platform.model_validate({"version": 1, "name": "x", "services": {"tap": None}})
    with pytest.raises(ValueError, match="services"):
        derive.tap_service_config(none, RUNTIME)


def test_ipv6_hosts_are_in_brackets() -> None:
    six = Platform.model_validate({"version": 1, "name": "x", "public": {"host": "::1"}})
    assert derive.public_url(six, RUNTIME) == "http://[::1]:8000/"


def test_sizes_keep_order_limits_and_requests() -> None:
    prod = load_platform(shipped_platforms()["prod"])
    sizes = derive.lab_sizes(prod)
    assert [size.name for size in sizes] == ["small", "medium", "large"]
    assert (sizes[2].cpu, sizes[2].cpu_guarantee) == (4.0, 1.0)
    assert (sizes[2].memory, sizes[2].memory_guarantee) == (16 * 2**30, 4 * 2**30)


def test_the_newest_weekly_is_recommended_unless_a_tag_is_named() -> None:
    assert derive.menu_policy(demo()).recommended is None
    fixed = {"version": 1, "name": "x", "labs": {"images": {"recommended": "r30_0_11"}}}
    assert derive.menu_policy(Platform.model_validate(fixed)).recommended == "r30_0_11"


def test_roots_state_folder_is_not_in_roots_closed_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert default_state_folder(0) == Path("/var/lib/despejado")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_state_folder(1000) == tmp_path / "despejado"


def test_the_command_line_decides_on_the_state_folder(tmp_path: Path) -> None:
    stored = {"version": 1, "name": "x", "storage": {"state": "/a/b"}}
    platform = Platform.model_validate(stored)
    assert state_folder(platform) == Path("/a/b")
    assert state_folder(platform, tmp_path / "x" / "..") == tmp_path


def test_shipped_platforms_satisfy_the_schema_for_editors() -> None:
    schema = json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for path in shipped_platforms().values():
        validator.validate(yaml.safe_load(path.read_text()))


def test_schema_refuses_what_the_loader_refuses() -> None:
    broken = yaml.safe_load((Path(__file__).parent / "data" / "config_broken.yaml").read_text())
    found = list(jsonschema.Draft202012Validator(json_schema()).iter_errors(broken))
    named = {".".join(map(str, error.absolute_path)) for error in found}
    assert {"version", "name", "public.port", "hub", "hub.login.password"} <= named


def test_every_key_has_a_title_and_a_description() -> None:
    schema = json_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, field in section.get("properties", {}).items():
            assert field["title"], name
            assert field["description"].endswith("."), name


def test_operators_page_lists_the_keys_of_the_model() -> None:
    page = Path(__file__).parents[2] / "docs" / "operators.md"
    begin, end = "<!-- keys: despejado schema --table -->\n", "<!-- end of keys -->"
    listed = page.read_text().split(begin)[1].split(end)[0]
    assert listed.strip() == key_table().strip(), "run despejado schema --table into the page"
