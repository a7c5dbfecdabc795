"""Where an image goes: names in the local storage and in a registry."""

from __future__ import annotations

import pytest
from despejado_images.amounts import decimal_size
from despejado_images.containers.errors import ImageBuildError
from despejado_images.containers.names import local_reference, remote_reference
from despejado_images.errors import ImageNameError
from despejado_images.reference import is_loopback, parse_reference, parse_repository, registry_of


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
    assert is_loopback(registry_of(reference)) is plain


def test_local_images_are_named_as_such() -> None:
    assert local_reference("despejado/lab", "plain") == "localhost/despejado/lab:plain"


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("busybox", "docker.io"),
        ("jupyter/base-notebook:latest", "docker.io"),
        ("quay.io/jupyter/base-notebook", "quay.io"),
        ("registry:5000/lab:1", "registry:5000"),
        ("localhost/lab", "localhost"),
        ("registry.example.org/a/b@sha256:1", "registry.example.org"),
    ],
)
def test_the_registry_of_an_image_is_named(image: str, host: str) -> None:
    assert registry_of(image) == host


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        (
            "registry.example.org/despejado/lab",
            "registry.example.org/despejado/lab",
            "https://registry.example.org/v2/despejado/lab",
        ),
        ("docker.io/lab", "docker.io/library/lab", "https://registry-1.docker.io/v2/library/lab"),
        (
            "docker.io/jupyter/lab",
            "docker.io/jupyter/lab",
            "https://registry-1.docker.io/v2/jupyter/lab",
        ),
        (
            "index.docker.io/library/lab",
            "docker.io/library/lab",
            "https://registry-1.docker.io/v2/library/lab",
        ),
        ("127.0.0.1:5000/lab", "127.0.0.1:5000/lab", "http://127.0.0.1:5000/v2/lab"),
        ("[::1]:5000/lab", "[::1]:5000/lab", "http://[::1]:5000/v2/lab"),
        (
            "localhost.example.org/lab",
            "localhost.example.org/lab",
            "https://localhost.example.org/v2/lab",
        ),
        (
            "127.0.0.1.example.org/lab",
            "127.0.0.1.example.org/lab",
            "https://127.0.0.1.example.org/v2/lab",
        ),
    ],
)
def test_where_a_repository_is_asked(text: str, name: str, url: str) -> None:
    repository = parse_repository(text)
    assert (str(repository), repository.url) == (name, url)


@pytest.mark.parametrize(
    "text",
    ["", "lab", "jupyter/lab", "registry.example.org", "registry.example.org/lab:1", "a.b/La", "-"],
)
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(ImageNameError, match="no repository with its registry"):
        parse_repository(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("lab", "docker.io/library/lab"),
        ("jupyter/lab:1", "docker.io/jupyter/lab:1"),
        ("localhost/despejado/lab:w_2026_43", "localhost/despejado/lab:w_2026_43"),
        ("registry:5000/a/b:1@sha256:" + "0" * 64, "registry:5000/a/b:1@sha256:" + "0" * 64),
    ],
)
def test_a_reference_is_read_as_a_runtime_does(text: str, whole: str) -> None:
    assert str(parse_reference(text)) == whole
    assert parse_reference(whole) == parse_reference(text)


@pytest.mark.parametrize(
    "text", ["", "Lab", "lab:", "lab@sha256:1", "a b", "https://x.org/lab", "x.org/lab:a:b"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ImageNameError):
        parse_reference(text)


def test_downloads_are_told_in_decimal_units() -> None:
    assert decimal_size(1_230_000_000) == "1.2 GB"
    assert decimal_size(300_400_000) == "300 MB"
    assert decimal_size(10) == "1 MB"
