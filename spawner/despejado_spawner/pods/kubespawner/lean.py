"""A quicker start for images that know nothing of this project (pure).

``lean_site/sitecustomize.py`` comes into the lab as a file and on the server's ``PYTHONPATH``,
which is set for the one command by a shell, so that whatever ``PYTHONPATH`` the image has stays.
"""

from __future__ import annotations

import functools
from pathlib import Path, PurePosixPath

from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import CONTAINER

SERVER = "jupyterhub-singleuser"
FOLDER = "/etc/despejado/quick"
_FILE = "sitecustomize.py"
_KEY = "quick__sitecustomize.py"
_VOLUME = "despejado-quick"
_SHELL = ("/bin/sh", "-c")
_SCRIPT = f'PYTHONPATH="{FOLDER}${{PYTHONPATH:+:$PYTHONPATH}}" exec "$@"'


@functools.cache
def quick_source() -> str:
    """The text of ``lean_site/sitecustomize.py``."""
    return (Path(__file__).parent / "lean_site" / _FILE).read_text("utf-8")


def quicken(pod: Manifest, config_map: Manifest) -> bool:
    """Let the lab's server start quickly, if it is JupyterHub's; changes both, says whether.

    A pod that runs the image's own command is left as it is: what that would be is not known here.
    """
    spec = pod["spec"]
    notebook: Manifest = next(each for each in spec["containers"] if each["name"] == CONTAINER)
    key = "args" if notebook.get("args") else "command"
    words = notebook.get(key) or []
    if not words or PurePosixPath(words[0]).name != SERVER:
        return False
    notebook[key] = [*_SHELL, _SCRIPT, "sh", *words]
    config_map.setdefault("data", {})[_KEY] = quick_source()
    items = [{"key": _KEY, "path": _FILE}]
    source = {"name": config_map["metadata"]["name"], "items": items}
    spec.setdefault("volumes", []).append({"name": _VOLUME, "configMap": source})
    mount = {"name": _VOLUME, "mountPath": FOLDER, "readOnly": True}
    notebook.setdefault("volumeMounts", []).append(mount)
    return True
