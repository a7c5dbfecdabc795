"""A site's own spawn options under a real JupyterHub: REST, form and groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.spawner.local_hub import LocalHub

pytestmark = pytest.mark.network

OPTIONS: dict[str, Any] = {
    "release": {
        "type": "choice",
        "title": "Data release",
        "choices": {
            "dp1": {"title": "Data Preview 1"},
            "dp2": {"title": "Data Preview 2", "groups": ["commissioning"]},
        },
    },
    "workers": {
        "type": "number",
        "title": "Workers",
        "minimum": 0,
        "maximum": 8,
        "effect": {"environment": {"WORKERS": "{value}"}},
    },
}
for _name in ("dp1", "dp2"):
    OPTIONS["release"]["choices"][_name]["effect"] = {"environment": {"RELEASE": "{value}"}}


def test_options_by_rest_and_groups(make_hub: Callable[..., LocalHub]) -> None:
    hub = make_hub(lab_options=OPTIONS)
    for name in ("rachel", "igor"):
        hub.add_user(name)
    with hub.client() as client:
        assert client.post("/groups/commissioning").status_code == 201
        answer = client.post("/groups/commissioning/users", json={"users": ["igor"]})
        assert answer.status_code == 200

        refused = client.post("/users/rachel/server", json={"release": "dp2"})
        assert refused.status_code == 400
        assert "There is no release 'dp2'" in refused.json()["message"]
        refused = client.post("/users/rachel/server", json={"workers": 9})
        assert refused.status_code == 400
        assert "0 to 8" in refused.json()["message"]

    assert hub.spawn("rachel", {"workers": 3})["ready"] is True
    assert variable(hub, "rachel", "WORKERS") == "3"
    assert variable(hub, "rachel", "RELEASE") == "dp1"
    assert hub.spawn("igor", {"release": "dp2"})["ready"] is True
    assert variable(hub, "igor", "RELEASE") == "dp2"
    with hub.client() as client:
        saved = client.get("/users/igor").json()["servers"][""]["user_options"]
    assert saved["release"] == "dp2" and saved["workers"] == 0


def variable(hub: LocalHub, user: str, name: str) -> str:
    folder = hub.state / "labs" / user / "default" / "runtime" / "environment"
    return (folder / name).read_text()
