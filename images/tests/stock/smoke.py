"""Does the stock image work? Run inside it, as a user that it does not know."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
for command in (["jupyterhub-singleuser", "--version"], ["jupyter", "lab", "--version"]):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"smoke: {' '.join(command)} fails: {done.stderr.strip()[-300:]}")
print("smoke: ok")
