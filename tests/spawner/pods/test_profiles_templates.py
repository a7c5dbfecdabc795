"""Templates: filled as KubeSpawner fills them, and nothing that is no template is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from despejado_spawner.pods.kubespawner.profiles.templates import Template, expand, fill_value
from hypothesis import given
from hypothesis import strategies as st
from kubespawner.utils import recursive_format

VALUES = {"username": "jo", "userid": 7, "servername": "", "namespace": "labs"}


@pytest.mark.parametrize(
    "template",
    [
        "",
        "plain",
        "claim-{username}",
        "{username}--{servername}",
        "{{literal}} {username}",
        '{{"user": "{username}", "n": {{"a": 1}}}}',
        "{userid:04d}",
        "{username!r}",
        "{username[0]}/{username}",
        "a}}b",
    ],
)
def test_what_kubespawner_can_fill_is_filled_as_it_does(template: str) -> None:
    assert expand(template, VALUES) == template.format(**VALUES)
    assert Template(template).format(**VALUES) == template.format(**VALUES)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ('{"user": "{username}", "n": {}}', '{"user": "jo", "n": {}}'),
        ("${debian_chroot:+x}\\u@\\h", "${debian_chroot:+x}\\u@\\h"),
        ("${HOME}/{username}", "${HOME}/jo"),
        ("{", "{"),
        ("}", "}"),
        ("{} {0} {username", "{} {0} {username"),
        ("[%(levelname)s {username}] }", "[%(levelname)s jo] }"),
        ("{username.__class__}", "{username.__class__}"),
        ("{userid:>99999999}", "{userid:>99999999}"),
        ("{username[9]}", "{username[9]}"),
        ("{username:d}", "{username:d}"),
    ],
)
def test_what_is_no_template_is_kept(template: str, expected: str) -> None:
    assert expand(template, VALUES) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(json.dumps)
)
def test_no_json_text_ends_a_start(text: str) -> None:
    expand(text, VALUES)


@given(st.text("{}:!.[]username0 "))
def test_no_text_at_all_ends_a_start(text: str) -> None:
    expand(text, VALUES)
    fill_value(text, "v")


@pytest.mark.parametrize(
    "template",
    [
        "{value}",
        "jupyter/datascience-notebook:{value}",
        {"extra_labels": {"tag": "{value}"}, "image": "a:{value}", "n": 1},
        ["{value}", {"{value}": ["{value}"]}],
        {"{value}", "x"},
        "{username}-{value}",
        '{{"a": "{value}"}}',
        None,
        4,
    ],
)
def test_a_value_is_filled_in_as_kubespawner_does(template: Any) -> None:
    assert fill_value(template, "v 1") == recursive_format(template, value="v 1")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"image": "{value}", "n": {}}', '{"image": "v", "n": {}}'),
        ("{value.__class__}", "{value.__class__}"),
        ("{value!r:>9}", "{value!r:>9}"),
        ("${TAG:-x} {value}", "${TAG:-x} v"),
        ("{", "{"),
        (("{value}", "a"), ("v", "a")),
    ],
)
def test_a_value_fills_only_its_own_placeholder(template: Any, expected: Any) -> None:
    assert fill_value(template, "v") == expected


def test_a_value_with_braces_is_put_in_as_it_is() -> None:
    assert fill_value("a {value} b", "{x} {") == "a {x} { b"


def test_filling_changes_no_template() -> None:
    template = {"labels": {"tag": "{value}"}, "list": ["{value}"]}
    assert fill_value(template, "one") != fill_value(template, "two")
    assert template == {"labels": {"tag": "{value}"}, "list": ["{value}"]}
