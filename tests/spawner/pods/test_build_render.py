"""``render``: objects as YAML that can be read, without the secrets."""

from __future__ import annotations

import yaml
from despejado_spawner.pods.plan.build import build_lab
from despejado_spawner.pods.plan.render import shown_objects, write_yaml

from tests.spawner.pods.example_labs import DATA_TOKEN, SERVER_TOKEN, observatory


async def test_secrets_are_hidden_and_their_length_is_told() -> None:
    text = write_yaml(shown_objects(build_lab(await observatory())))
    assert DATA_TOKEN not in text and SERVER_TOKEN not in text
    [secret, *_] = yaml.safe_load_all(text)
    assert secret["stringData"]["token"] == f"<hidden, {len(DATA_TOKEN)} bytes>"


async def test_what_is_written_is_what_is_created() -> None:
    objects = build_lab(await observatory())
    documents = list(yaml.safe_load_all(write_yaml(shown_objects(objects))))
    assert documents[1:] == [
        objects.config_map,
        objects.network_policy,
        objects.pod,
        objects.home_job,
    ]


async def test_files_are_readable_as_lines() -> None:
    text = write_yaml(shown_objects(build_lab(await observatory())))
    assert "  group: |\n    root:x:0:\n    rachel:x:5001:\n" in text
    assert "&id" not in text
