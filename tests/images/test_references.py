"""Where an image goes: names in the local storage and in a registry."""

from __future__ import annotations

import pytest
from despejado_images.containers.errors import ImageBuildError
from despejado_images.reference import (
    local_reference,
    remote_reference,
    speaks_plain_http,
)


@pytest.mark.parametrize(
    ("registry", "wanted"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5000/despejado/lab:w_2026_43"),
        ("registry.example.org", "registry.example.org/despejado/lab:w_2026_43"),
        ("registry.example.org/team", "registry.example.org/team/lab:w_2026_43"),
        ("registry.example.org/a/b-c/", "registry.example.org/a/b-c/lab:w_2026_43"),
        ("[::1]:5000", "[::1]:5000/despejado/lab:w_2026_43"),
    ],
)
def test_a_path_of_the_registry_replaces_the_platform_s_name(registry: str, wanted: str) -> None:
    assert remote_reference(registry, "despejado/lab", "w_2026_43") == wanted


@pytest.mark.parametrize(
    "registry",
    [
        "",
        "https://registry.example.org",
        "registry.example.org/Team",
        "registry.example.org/a//b",
        "registry.example.org:port",
        "--tls-verify=false",
        "a b",
        "host/$(id)",
    ],
)
def test_what_is_no_registry_is_refused_before_anything_is_built(registry: str) -> None:
    with pytest.raises(ImageBuildError, match="is no registry: write HOST"):
        remote_reference(registry, "despejado/lab", "w_2026_43")


@pytest.mark.parametrize(
    ("reference", "plain"),
    [
        ("127.0.0.1:5000/x:1", True),
        ("127.8.0.1/x:1", True),
        ("localhost:5000/x:1", True),
        ("[::1]:5000/x:1", True),
        ("127.0.0.1.evil.org/x:1", False),
        ("localhost.example.org/x:1", False),
        ("registry.example.org/localhost:1", False),
    ],
)
def test_only_loopback_is_spoken_to_without_tls(reference: str, plain: bool) -> None:
    assert speaks_plain_http(reference) is plain


def test_local_images_are_named_as_such() -> None:
    assert local_reference("despejado/lab", "plain") == "localhost/despejado/lab:plain"
