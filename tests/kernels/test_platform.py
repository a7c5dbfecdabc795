"""Where the platform and the token are found, and what is said when they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import despejado
import pytest
from despejado.errors import BadDiscovery, NoPlatform, NoToken, UnknownName
from despejado.platform import discovery_address, find_platform

from tests.kernels.conftest import TOKEN, StandIn


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, despejado; dir(despejado);"
        "print([m for m in ('astropy', 'pyvo', 'numpy', 'matplotlib', 'requests', 'anywidget',"
        " 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_the_extension_does_not_load_astropy() -> None:
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as S;"
        "S.instance().extension_manager.load_extension('despejado');"
        "print(*[m for m in ('astropy', 'pyvo', 'matplotlib', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_all_public_names_exist() -> None:
    assert all(callable(getattr(despejado, name)) for name in despejado.__all__)
    with pytest.raises(AttributeError, match="no attribute 'tpa'"):
        despejado.tpa  # noqa: B018


def test_a_lab_needs_no_set_up(lab: Path, service: StandIn) -> None:
    found = despejado.discovery()
    assert sorted(found.datasets) == ["empty", "sample"]
    assert found.dataset().name == "sample"
    assert found.dataset().service("tap").url == service.url


def test_nublado_folder_works_too(lab: Path, clean: pytest.MonkeyPatch) -> None:
    clean.delenv("DESPEJADO_RUNTIME_DIR")
    clean.setenv("NUBLADO_RUNTIME_MOUNTS_DIR", str(lab))
    assert find_platform().tokens.token() == TOKEN


def test_a_refreshed_token_is_used_at_once(lab: Path) -> None:
    tokens = find_platform().tokens
    assert tokens.token() == TOKEN
    (lab / "secrets" / "token").write_text("fresh\n")
    assert tokens.token() == "fresh"


def test_laptop_asks_the_hub_without_credentials(
    service: StandIn, clean: pytest.MonkeyPatch
) -> None:
    clean.setenv("DESPEJADO_URL", service.root + "/")
    clean.setenv("DESPEJADO_TOKEN", TOKEN)
    table = despejado.tap().search("SELECT * FROM sample.stars").to_table()
    assert table["name"][0] == "Alcyone"
    asked = service.requests[0]
    assert (asked.path, asked.authorization) == ("/hub/despejado/discovery", None)


def test_netrc_is_not_used_for_the_hub(lab: Path, service: StandIn) -> None:
    (lab / "discovery" / "v1.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESPEJADO_URL", service.root)
        despejado.discovery()
    assert service.requests[0].authorization is None


def test_a_labs_token_is_not_for_the_address_in_the_environment(
    lab: Path, service: StandIn, clean: pytest.MonkeyPatch
) -> None:
    (lab / "discovery" / "v1.json").unlink()
    clean.setenv("DESPEJADO_URL", service.root)
    with pytest.raises(NoToken, match="DESPEJADO_TOKEN"):
        despejado.tap()


@pytest.mark.parametrize(
    "given", ["https://h.example", "https://h.example/", "https://h.example/hub/"]
)
def test_address_of_discovery(given: str) -> None:
    assert discovery_address(given) == "https://h.example/hub/despejado/discovery"


def test_no_platform_says_what_to_set(clean: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoPlatform, match=r"DESPEJADO_URL .* DESPEJADO_TOKEN"):
        despejado.tap()


def test_hub_down(clean: pytest.MonkeyPatch, free_port: int) -> None:
    clean.setenv("DESPEJADO_URL", f"http://127.0.0.1:{free_port}")
    with pytest.raises(NoPlatform, match=r"does not answer .* try again in a minute"):
        despejado.discovery()


def test_wrong_address(service: StandIn, other_service: StandIn, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("DESPEJADO_URL", service.root + "/user/ada")
    with pytest.raises(BadDiscovery, match="not JSON"):
        despejado.discovery()


def test_no_token_in_a_lab_says_to_start_it_again(lab: Path) -> None:
    (lab / "secrets" / "token").unlink()
    with pytest.raises(NoToken, match="start it again"):
        despejado.tap()


def test_unknown_dataset_gets_the_nearest(lab: Path) -> None:
    with pytest.raises(UnknownName, match=r"no data set 'sampel'.* Did you mean sample\?"):
        despejado.tap("sampel")
    with pytest.raises(UnknownName, match="has no services"):
        despejado.tap("empty")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "the document must be an object"),
        ('{"datasets": {"s": {"services": {"tap": {}}}}}', "datasets.s.services.tap.url"),
        ('{"datasets": {"s": {"butler_config": 3}}}', "datasets.s.butler_config must be text"),
    ],
)
def test_bad_discovery_names_the_key(lab: Path, document: str, told: str) -> None:
    (lab / "discovery" / "v1.json").write_text(document)
    with pytest.raises(BadDiscovery, match=told):
        despejado.discovery()


def test_keys_of_other_platforms_are_ignored(lab: Path) -> None:
    file = lab / "discovery" / "v1.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "new": [1]}))
    assert despejado.discovery().firefly_url is None


def test_errors_are_drawn_without_traceback() -> None:
    from despejado.errors import DespejadoError

    assert NoToken("get one")._render_traceback_() == ["NoToken: get one"]
    assert issubclass(NoToken, DespejadoError)
