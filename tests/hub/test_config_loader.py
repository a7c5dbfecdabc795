"""platform.yaml: what is read, what is refused, and where the mistake is said to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from despejado_hub.config import (
    Platform,
    PlatformError,
    Problem,
    load_platform,
    shipped_platforms,
)
from despejado_spawner.site import quantity
from hypothesis import given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parent / "data"
MINIMAL = "version: 1\nname: Test\n"


def problems_of(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(PlatformError) as caught:
        load_platform(path)
    return caught.value.problems


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "platform.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", sorted(shipped_platforms()))
def test_every_shipped_platform_is_valid(name: str) -> None:
    assert load_platform(shipped_platforms()[name]).name.startswith("Despejado")


def test_demo_listens_on_loopback_and_has_a_sample() -> None:
    demo = load_platform(shipped_platforms()["demo"])
    assert demo.public.host == "127.0.0.1"
    assert demo.first_dataset == "sample"
    assert demo.labs.sizes["small"].memory == 3 * 2**30
    assert demo.services.tap is not None
    assert demo.services.tap.limits.execution == 600


def test_the_smallest_file_is_a_platform(write: Callable[..., Path]) -> None:
    platform = load_platform(write(MINIMAL))
    assert platform.first_dataset is None
    assert platform.labs.default_size in platform.labs.sizes


def test_broken_file_tells_all_mistakes_at_once(
    golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)
    with pytest.raises(PlatformError) as caught:
        load_platform("config_broken.yaml")
    assert len(caught.value.problems) == 19
    golden("config_broken.txt", str(caught.value) + "\n")


def test_a_mistake_is_told_where_it_stands_in_the_overlay(write: Callable[..., Path]) -> None:
    base = write(MINIMAL + "public:\n  port: 0\n", "base.yaml")
    over = write("extends: base.yaml\nhub:\n  idle: {stop_after: soon}\n", "prod.yaml")
    found = {problem.key: problem for problem in problems_of(over)}
    assert found["public.port"].place is not None
    assert (found["public.port"].place.file, found["public.port"].place.line) == (base, 4)
    place = found["hub.idle.stop_after"].place
    assert place is not None
    assert (place.file, place.line, place.column) == (over, 3, 22)


def test_overlay_merges_mappings_and_replaces_lists(write: Callable[..., Path]) -> None:
    write(
        MINIMAL + "hub: {admins: [ann, bob], limits: {concurrent_spawns: 3, active_labs: 9}}\n",
        "base.yaml",
    )
    over = write("extends: base.yaml\nhub: {admins: [eve], limits: {active_labs: 5}}\n", "x.yaml")
    hub = load_platform(over).hub
    assert hub.admins == ("eve",)
    assert (hub.limits.concurrent_spawns, hub.limits.active_labs) == (3, 5)


def test_null_in_an_overlay_takes_a_key_away(write: Callable[..., Path]) -> None:
    write(
        MINIMAL + "public: {port: 9000}\nlabs:\n  sizes:\n"
        "    small: {cpu: 1, memory: 1Gi}\n    large: {cpu: 2, memory: 2Gi}\n",
        "base.yaml",
    )
    text = "extends: base.yaml\npublic: {port: null}\nlabs: {sizes: {large: null}}\n"
    platform = load_platform(write(text, "over.yaml"))
    assert platform.public.port == 8000
    assert list(platform.labs.sizes) == ["small"]


def test_overlays_stand_on_each_other(write: Callable[..., Path]) -> None:
    write(MINIMAL + "public: {port: 1001}\n", "a.yaml")
    write("extends: a.yaml\nname: B\n", "b.yaml")
    platform = load_platform(write("extends: ../b.yaml\npublic: {port: 1003}\n", "c/c.yaml"))
    assert (platform.name, platform.public.port) == ("B", 1003)


def test_files_that_extend_each_other_are_refused(write: Callable[..., Path]) -> None:
    write("extends: b.yaml\n", "a.yaml")
    [problem] = problems_of(write("extends: a.yaml\n", "b.yaml"))
    assert problem.key == "extends"
    assert "circle" in problem.message


@pytest.mark.parametrize("extends", ["gone.yaml", "despejado:dmeo", "[a, b]", "7"])
def test_extending_nothing_is_refused(write: Callable[..., Path], extends: str) -> None:
    [problem] = problems_of(write(f"extends: {extends}\n"))
    assert problem.key == "extends"
    assert problem.allowed
    assert problem.place is not None
    assert problem.place.line == 1


def test_paths_are_relative_to_the_file_they_stand_in(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write(MINIMAL + "storage: {state: here}\ndatasets: {a: {butler: repo}}\n", "base/p.yaml")
    platform = load_platform(
        write("extends: ../base/p.yaml\ndatasets: {a: {tap: 'http://h/tap'}}\n", "env/prod.yaml")
    )
    assert platform.storage.state == tmp_path / "env" / ".." / "base" / "here"
    assert platform.datasets["a"].butler == str(tmp_path / "env" / ".." / "base" / "repo")


def test_a_secret_in_clear_is_refused_and_not_repeated(write: Callable[..., Path]) -> None:
    for value in ("hunter2", "{secret: hunter2}", "{secrt: hunter2}", "{secret: {fil: hunter2}}"):
        path = write(MINIMAL + f"hub: {{login: {{password: {value}}}}}\n")
        with pytest.raises(PlatformError) as caught:
            load_platform(path)
        assert "hunter2" not in str(caught.value)
        assert any("password" in problem.key for problem in caught.value.problems)


def test_a_secret_names_exactly_one_place(write: Callable[..., Path]) -> None:
    [problem] = problems_of(
        write(MINIMAL + "hub: {login: {password: {secret: {file: a, env: B}}}}\n")
    )
    assert problem.allowed is not None
    assert "{secret: {env: NAME}}" in problem.allowed


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("version: 1\nname: x\nname: y\n", "twice", 3),
        ("version: 1\n\tname: x\n", "tab", 2),
        ("version: 1\nname: 'x\n", "YAML syntax", 3),
        ("version: 1\nname: [x\nhub: 1\n", "YAML syntax", 3),
        ("version: 1\nname: *gone\n", "alias", 2),
        ("version: 1\n---\nname: x\n", "second document", 2),
        ("version: 1\nname: !!python/name:os.system x\n", "tag", 2),
        ("version: 1\n? [a]\n: b\n", "plain word", 2),
        ("- version\n", "keys and values", 1),
        ("version: 1\nname: x\nhub: &a {idle: *a}\n", "contains itself", 3),
        ("version: 1\nname: x\x07\n", "U+0007", 2),
        ("version: 1\nx: " + "[" * 60 + "]" * 60 + "\n", "nested deeper", 2),
    ],
)
def test_what_is_no_sound_yaml_is_told_with_its_line(
    write: Callable[..., Path], text: str, message: str, line: int
) -> None:
    found = problems_of(write(text))
    assert message in str(found[0])
    assert found[0].place is not None
    assert found[0].place.line == line


def test_aliases_that_unfold_to_very_much_are_refused(write: Callable[..., Path]) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]")
    [problem] = problems_of(write("\n".join(lines)))
    assert "unfolds to more than" in problem.message


def test_anchors_and_merge_keys_work(write: Callable[..., Path]) -> None:
    text = (
        "version: 1\nname: x\nlabs:\n  sizes:\n    small: &s {cpu: 1, memory: 1Gi}\n"
        "    medium: {<<: *s, memory: 2Gi}\n    large: *s\n"
    )
    sizes = load_platform(write(text)).labs.sizes
    assert (sizes["medium"].cpu, sizes["medium"].memory) == (1.0, 2 * 2**30)
    assert sizes["large"] == sizes["small"]


def test_words_that_yaml_once_took_for_something_else_stay_words(
    write: Callable[..., Path],
) -> None:
    assert load_platform(write("version: 1\nname: no\n")).name == "no"
    assert load_platform(write("version: 1\nname: 12:30\n")).name == "12:30"


@pytest.mark.parametrize(
    ("yaml", "key", "said"),
    [
        ("public: {port: '80'}", "public.port", "without quotes"),
        ("public: {port: true}", "public.port", "whole number"),
        ("public: {port: 70000}", "public.port", "at most 65535"),
        ("public: 7", "public", "section"),
        ("hub: {admins: ann}", "hub.admins", "list"),
        ("hub: {admins: [ann, 7]}", "hub.admins[1]", "text"),
        ("hub: {login: {kind: ldap}}", "hub.login.kind", "planned"),
        ("identity: {source: oidc}", "identity.source", "planned"),
        ("identity: {first_uid: 999}", "identity.first_uid", "system"),
        ("identity: {groups: {g: {gid: 65534}}}", "identity.groups.g.gid", "reserved"),
        ("identity: {groups: {g: {members: all}}}", "identity.groups.g.members", "everyone"),
        ("identity: {groups: {'a b': {}}}", "identity.groups.a b", "letters"),
        ("labs: {spawner: slurm}", "labs.spawner", "not one of the choices"),
        ("labs: {default_size: large}", "labs.default_size", "labs.sizes"),
        ("labs: {sizes: {}}", "labs.sizes", "at least 1"),
        ("labs: {sizes: {small: {cpu: 1}}}", "labs.sizes.small.memory", "missing"),
        ("labs: {sizes: {small: {cpu: 0, memory: 1Gi}}}", "labs.sizes.small.cpu", "above zero"),
        ("labs: {sizes: {small: null}}", "labs.sizes.small", "section"),
        ("labs: {images: {recommended: 'a b'}}", "labs.images.recommended", "w_2026_43"),
        ("datasets: {a: {}, b: {}}\ndefault_dataset: c", "default_dataset", "a, b"),
        ("datasets: {Sample: {}}", "datasets.Sample", "lower-case"),
        ("datasets: {a: {butler: 'ftp://x/y'}}", "datasets.a.butler", "s3"),
        ("firefly: {url: 'https://u:p@h/firefly'}", "firefly.url", "user name"),
        ("firefly: {url: 'http://[::1/'}", "firefly.url", "http"),
        ("public: {prefix: /a}", "public.prefix", "begins and ends with /"),
        ("public: {prefix: /a/../}", "public.prefix", "begins and ends with /"),
        ("public: {url: 'https://h/x/'}", "public.url", "public.prefix"),
        ("public: {host: 0.0.0.0}", "public.host", "127.0.0.1"),
        ("services: {tap: {scope: admin}}", "services.tap.scope", "custom:"),
        ("services: {tap: {limits: {execution: 0}}}", "services.tap.limits.execution", "least"),
        ("services: {tap: null}\ndatasets: {a: {tap: built-in}}", "datasets.a.tap", "null"),
        ("storage: {state: 7}", "storage.state", "path"),
        ("storage: {state: ''}", "storage.state", "path"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(
    write: Callable[..., Path], yaml: str, key: str, said: str
) -> None:
    found = problems_of(write(MINIMAL + yaml + "\n"))
    assert [problem.key for problem in found] == [key]
    assert said in str(found[0])
    assert found[0].place is not None
    assert found[0].place.line >= 3


@pytest.mark.parametrize(
    ("yaml", "nearest"),
    [
        ("publik: {}", "public"),
        ("public: {prot: 1}", "port"),
        ("labs: {sizes: {small: {cpu: 1, memry: 1Gi, memory: 1Gi}}}", "memory"),
        ("labs: {sizes: {smal: {cpu: 1, memory: 1Gi}}, default_size: smal}", "small"),
        ("identity: {groups: {g: {member: everyone}}}", "members"),
        ("extend: x.yaml", "extends"),
    ],
)
def test_a_misspelt_key_is_told_the_nearest(
    write: Callable[..., Path], yaml: str, nearest: str
) -> None:
    found = problems_of(write(MINIMAL + yaml + "\n"))
    assert found[0].advice == f"did you mean {nearest}?"


def test_several_data_sets_need_a_default(write: Callable[..., Path]) -> None:
    [problem] = problems_of(write(MINIMAL + "datasets: {a: {}, b: {}}\n"))
    assert (problem.key, problem.allowed) == ("default_dataset", "a, b")


def test_a_missing_unreadable_or_binary_file_is_told(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path / "gone.yaml")
    assert "no such file" in problem.message
    [problem] = problems_of(tmp_path)
    assert "cannot be read" in problem.message
    (tmp_path / "b.yaml").write_bytes(b"name: \xff\xfe")
    [problem] = problems_of(tmp_path / "b.yaml")
    assert "UTF-8" in problem.message


def test_a_model_made_in_python_is_checked_too() -> None:
    with pytest.raises(ValueError, match="default_size"):
        Platform.model_validate({"version": 1, "name": "x", "labs": {"default_size": "large"}})


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_platform_or_a_platform_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "p.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        load_platform(path)
    except PlatformError as error:
        assert str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["version", "name", *Platform.model_fields]),
        JSON | st.dictionaries(st.sampled_from(["sizes", "login", "tap", "idle", "a"]), JSON),
    )
)
def test_any_data_is_a_platform_or_a_platform_error(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("data") / "p.yaml"
    path.write_text(json.dumps(data))
    try:
        load_platform(path)
    except PlatformError as error:
        assert all(problem.key or problem.message for problem in error.problems)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("12K", 12_000),
        ("12Ki", 12_288),
        ("12MiB", 12_582_912),
        ("1Gi", 2**30),
        (123, 123),
        ("1.5Gi", 1_610_612_736),
    ],
)
def test_memory_units(text: str | int, size: int) -> None:
    assert quantity.parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1 G", "Gi", "1Zi", True, None, 1.5, "9" * 400])
def test_what_is_no_memory(text: object) -> None:
    with pytest.raises(ValueError, match="bytes"):
        quantity.parse_memory(text)


def test_cpu_units() -> None:
    assert quantity.parse_cpu("450m") == 0.45
    assert quantity.parse_cpu(1) == 1.0
    for wrong in (1.2345, "1.2m", "nope", 0, float("inf"), True, None):
        with pytest.raises(ValueError, match="CPU"):
            quantity.parse_cpu(wrong)


@given(st.integers(min_value=0, max_value=10**9 - 1))
def test_a_time_that_is_written_is_read_back(seconds: int) -> None:
    assert quantity.parse_duration(quantity.format_duration(seconds)) == seconds


def test_the_options_in_the_operators_page_are_understood(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()
    section = page.split("## Options of your own")[1]
    example = section.split("```yaml\n")[1].split("```")[0]
    file = tmp_path / "platform.yaml"
    file.write_text("extends: despejado:demo\n" + example.replace("labs:", PODS_AND_SIZES, 1))
    options = load_platform(file).labs.options
    assert list(options) == ["release", "gpu", "batch"]


PODS_AND_SIZES = """labs:
  spawner: kubernetes
  sizes: {large: {cpu: 4, memory: 16Gi}}
  kubernetes:
    namespace: labs
    platform_host: 192.0.2.1
    images: {repository: registry.example.org/despejado/lab}
    data: {claim: data}
"""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("identity: {source: [a]}", "identity.source"),
        ("hub: {login: {kind: [demo]}}", "hub.login.kind"),
        ("labs: {options: {m: null}}", "labs.options.m"),
        ("labs: {options: {m: {type: flag, title: M, groups: [nobody]}}}", "labs.options.m.groups"),
    ],
)
def test_a_value_of_another_kind_is_a_problem_with_its_key(
    text: str, where: str, tmp_path: Path
) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(f"extends: despejado:demo\n{text}\n")
    with pytest.raises(PlatformError, match=where.replace(".", r"\.")) as refused:
        load_platform(file)
    assert "Input should be" not in str(refused.value)
