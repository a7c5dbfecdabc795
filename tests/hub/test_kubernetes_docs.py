"""The operators' page on Kubernetes tells every right and every trait."""

from __future__ import annotations

import re
from pathlib import Path

from despejado_hub.kubernetes_role import LABS, PLATFORM, role_objects
from despejado_spawner.pods.spawner import LabSpawner
from kubespawner import KubeSpawner

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"


def rights_table() -> str:
    """The rights as a Markdown table, for docs/kubernetes.md."""
    lines = ["| namespace | resource | verbs | for |", "|---|---|---|---|"]
    for where, rights in (("labs", LABS), ("provisioner", PLATFORM)):
        for each in rights:
            resource = f"{each.resource}.{each.group}" if each.group else each.resource
            verbs = ", ".join(each.verbs)
            lines.append(f"| {where} | `{resource}` | {verbs} | {each.purpose} |")
    return "\n".join(lines) + "\n"


def trait_table() -> str:
    """The configurable traits that KubeSpawner does not have."""
    inherited = set(KubeSpawner.class_traits(config=True))
    lines = ["| trait | default | meaning |", "|---|---|---|"]
    for name, trait in sorted(LabSpawner.class_traits(config=True).items()):
        if name in inherited:
            continue
        default = trait.default_value_repr()
        shown = "" if default in ("''", "{}", "[]", "traitlets.Undefined", "None") else default
        shown = "" if len(shown) > 40 else f"`{shown}`" if shown else ""
        meaning = " ".join(trait.help.split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"


def between(name: str) -> str:
    found = re.search(f"<!-- {name} -->\n(.*?)<!-- end of {name} -->", PAGE.read_text(), re.S)
    assert found is not None, name
    return found[1]


def test_the_page_lists_the_rights_of_the_hub() -> None:
    assert between("rights") == rights_table()


def test_the_page_lists_every_trait() -> None:
    assert between("traits") == trait_table()


def test_the_hub_has_no_right_beyond_two_namespaces() -> None:
    kinds = {each["kind"] for each in role_objects("labs", "hub")}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding"}
    for each in role_objects("labs", "hub"):
        assert each["metadata"]["namespace"] in ("labs", "hub")


def test_no_right_is_a_wildcard_and_secrets_cannot_be_read_one_by_one() -> None:
    for each in (*LABS, *PLATFORM):
        assert "*" not in (each.resource, *each.verbs)
        assert each.resource != "secrets" or "get" not in each.verbs
