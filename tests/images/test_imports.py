"""What a hub on a cluster does not load: nothing that builds environments."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["despejado_images.catalogue", "despejado_images.configured"])
def test_a_cluster_s_menu_loads_nothing_that_builds(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    builders = ("despejado_images.environments", "despejado_images.containers", "uv", "pip")
    assert module in loaded
    assert loaded.isdisjoint(builders)
