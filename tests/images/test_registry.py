"""A registry may answer anything: the menu lives on, and says what was wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from despejado_images.catalogue import image_catalogue
from despejado_images.credentials import credentials_at, parse_login
from despejado_images.errors import ImageFaultError, RegistryError
from despejado_images.listing import list_images
from despejado_images.manifests import (
    ImageFacts,
    choose_manifest,
    clean,
    facts_of,
    layers_of,
    versions_of,
)
from despejado_images.menu import MenuPolicy
from despejado_images.reference import Repository, parse_repository
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.images.registries import LocalRegistry

DIGEST = "sha256:" + "0" * 64
TEXT = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    [DIGEST, "amd64", "linux", "w_2026_43", "application/vnd.oci.image.index.v1+json"]
)
KEYS = st.sampled_from(
    [
        *("mediaType", "manifests", "platform", "os", "architecture", "digest", "config"),
        *("layers", "size", "Labels", "created", "tags", "errors", "message", "token"),
    ]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(KEYS, ANY, max_size=6)
ALMOST = st.fixed_dictionaries(
    {"config": st.fixed_dictionaries({"digest": st.just(DIGEST)}), "layers": st.just([])},
    optional={"mediaType": TEXT, "manifests": ANY},
)


@given(OBJECT | ALMOST)
def test_any_manifest_gives_an_image_or_a_fault(document: dict[str, Any]) -> None:
    for read in (layers_of, lambda index: choose_manifest(index, ("amd64",))):
        try:
            read(document)
        except ImageFaultError as error:
            assert str(error)


@given(OBJECT, st.dictionaries(TEXT, TEXT | ANY, max_size=4))
def test_any_configuration_gives_a_line(document: dict[str, Any], labels: dict[str, Any]) -> None:
    answers: dict[str, ImageFacts | RegistryError] = {}
    for number, config in enumerate((document, {"config": {"Labels": labels}})):
        try:
            facts: ImageFacts | RegistryError = facts_of(DIGEST, 1, config, ("amd64",))
        except ImageFaultError as error:
            facts = error
        answers[f"w_2026_4{number}"] = facts
    images = list_images("registry.example.org/lab", MenuPolicy(), answers).images
    assert {image.tag for image in images} == {"w_2026_40", "w_2026_41"}
    for image in images:
        json.dumps(image.document()).encode()
        image.title.encode()


@given(TEXT)
@example("[" * 100_000)
@example('{"a": "' + "9" * 5000 + '"}')
def test_any_label_is_versions_or_none(label: str) -> None:
    for name, version in versions_of(label).items():
        (name + version).encode()
    clean(label).encode()


@settings(max_examples=60, deadline=None)
@given(
    path=st.sampled_from(["tags/list", "manifest", "blob", "token"]),
    status=st.sampled_from([200, 204, 302, 401, 403, 404, 418, 429, 500, 503]),
    body=st.binary(max_size=40) | OBJECT.map(lambda found: json.dumps(found).encode()),
    headers=st.dictionaries(
        st.sampled_from(["Link", "WWW-Authenticate", "Docker-Content-Digest", "Location"]),
        st.sampled_from(
            [
                '</v2/x?n=1>; rel="next"',
                '<//[::bad>; rel="next"',
                'Bearer realm="http://[::1"',
                'Bearer realm="https://127.0.0.1:1/token"',
                "Bearer",
                "Basic realm=x",
                DIGEST,
                "sha256:1",
                "http://127.0.0.1:1/",
                "",
            ]
        ),
        max_size=3,
    ),
)
@example("tags/list", 200, b"[" * 100_000, {})
@example("blob", 200, b"{" * 100_000, {})
@example("tags/list", 401, b"", {"WWW-Authenticate": 'Bearer realm="http://[::1"'})
def test_whatever_a_registry_answers_refresh_does_not_raise(
    path: str, status: int, body: bytes, headers: dict[str, str]
) -> None:
    asyncio.run(_refresh(path, status, body, headers))


async def _refresh(path: str, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    registry = LocalRegistry()
    server = TestServer(registry.app(), host="127.0.0.1")
    await server.start_server()
    try:
        registry.port = server.port or 0
        registry.put("w_2026_42")
        registry.put("w_2026_43")
        blob = next(each for each in registry.answers if each.startswith("blobs/"))
        where = {"manifest": "manifests/w_2026_43", "blob": blob}.get(path, path)
        registry.answers[where] = (status, body)
        registry.headers = dict(headers)
        catalogue = image_catalogue(registry.repository)
        await catalogue.refresh()
        assert catalogue.problem or catalogue.choices() or path == "tags/list"
        if path in ("manifest", "blob") and not headers:
            assert any(image.state == "ready" for image in catalogue.choices())
    finally:
        await server.close()


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    registry = LocalRegistry()
    server = TestServer(registry.app(), host="127.0.0.1")
    await server.start_server()
    registry.port = server.port or 0
    registry.answers["tags/list"] = (200, b" " * (17 * 2**20))
    catalogue = image_catalogue(registry.repository)
    await catalogue.refresh()
    assert "answers without end" in str(catalogue.problem)
    await server.close()


# Credentials

HERE = Repository("registry.example.org", "despejado/lab")


def basic(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("text", "repository", "login"),
    [
        ("rachel:se:same\n", HERE, ("rachel", "se:same")),
        (json.dumps({"auths": {HERE.host: basic("a:b:c")}}), HERE, ("a", "b:c")),
        (
            json.dumps({"auths": {f"https://{HERE.host}/v2/": basic("a:b")}}),
            HERE,
            ("a", "b"),
        ),
        (
            json.dumps({"auths": {HERE.host: {"username": "ü", "password": "é"}}}),
            HERE,
            ("ü", "é"),
        ),
        (
            json.dumps(
                {
                    "auths": {
                        HERE.host: basic("all:1"),
                        f"{HERE.host}/despejado": basic("some:2"),
                        f"{HERE.host}/desp": basic("other:3"),
                    }
                }
            ),
            HERE,
            ("some", "2"),
        ),
        (
            json.dumps({"auths": {"https://index.docker.io/v1/": basic("hub:1")}}),
            parse_repository("docker.io/lab"),
            ("hub", "1"),
        ),
    ],
)
def test_both_forms_of_credentials_are_read(
    text: str, repository: Repository, login: tuple[str, str]
) -> None:
    assert parse_login(text, repository) == login


@given(
    st.text(max_size=30)
    | ANY.map(lambda found: json.dumps({"auths": found}))
    | st.dictionaries(st.just(HERE.host), ANY).map(lambda found: json.dumps({"auths": found}))
)
@example("sesame-without-user")
@example('{"auths": {"registry.example.org": {"auth": "c2VzYW1l"}}}')
@example("{" * 100_000)
def test_other_credentials_are_refused_without_being_told(text: str) -> None:
    try:
        user, password = parse_login(text, HERE)
    except RegistryError as error:
        assert "sesame" not in str(error)
        assert error.__suppress_context__ or error.__context__ is None
        return
    assert user and password


def test_credentials_are_found_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "registry"
    file.write_text("rachel:sesame\n")
    assert credentials_at(str(file), HERE)() == ("rachel", "sesame")
    monkeypatch.setenv("REGISTRY", "a:b")
    assert credentials_at("env:REGISTRY", HERE)() == ("a", "b")
    monkeypatch.delenv("REGISTRY")
    for place in ("env:REGISTRY", str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(RegistryError, match="credentials"):
            credentials_at(place, HERE)()


async def test_a_private_repository_is_listed_with_credentials(tmp_path: Path) -> None:
    registry = LocalRegistry(login=("rachel", "sesame"))
    server = TestServer(registry.app(), host="127.0.0.1")
    await server.start_server()
    registry.port = server.port or 0
    registry.put("w_2026_43")
    file = tmp_path / "registry"
    problems = []
    catalogue = image_catalogue(registry.repository, credentials=str(file))
    for content in (None, "rachel:wrong", "rachel:sesame"):
        if content is not None:
            file.write_text(content)
        await catalogue.refresh()
        problems.append(catalogue.problem or "")
    assert "cannot be read" in problems[0]
    assert "credentials are missing or wrong" in problems[1]
    assert problems[2] == ""
    assert [image.tag for image in catalogue.choices()] == ["w_2026_43"]
    # A secret that was renewed counts at the next look.
    registry.login = ("rachel", "renewed")
    file.write_text("rachel:renewed")
    await catalogue.refresh()
    assert catalogue.problem is None
    assert "sesame" not in repr(problems)
    await server.close()


@pytest.mark.parametrize("realm", ["http://registry.example.org/token", "ftp://x/token", ""])
async def test_credentials_go_to_no_token_service_in_the_clear(realm: str) -> None:
    registry = LocalRegistry()
    server = TestServer(registry.app(), host="127.0.0.1")
    await server.start_server()
    registry.port = server.port or 0
    registry.answers["tags/list"] = (401, b"")
    registry.headers = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
    catalogue = image_catalogue(registry.repository)
    await catalogue.refresh()
    assert "which is not https" in str(catalogue.problem)
    await server.close()
