"""Do the data services work? Run inside their image, as a user that it does not know."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
with tempfile.TemporaryDirectory() as folder:
    token = Path(folder) / "token"
    token.write_text("smoke-test")
    config = Path(folder) / "services.json"
    config.write_text(
        json.dumps(
            {
                "host": "127.0.0.1",
                "port": 0,
                "prefix": "/services/tap",
                "state": f"{folder}/state",
                "data": f"{folder}/data",
                "hub_api_url": "http://127.0.0.1:9/hub/api",
                "service_token_file": str(token),
                "scope": "custom:tap:query",
                "public_url": "http://127.0.0.1:9/services/tap",
            }
        )
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "despejado_services", "--config", str(config)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker
    said = ""
    for said in process.stdout:
        if "ready at " in said:
            break
    else:
        sys.exit(f"smoke: the services ended with {process.wait()} before they were ready")
    url = said.rpartition("ready at ")[2].strip()
    with build_opener(ProxyHandler({})).open(f"{url}/availability", timeout=60) as answer:
        if b"available" not in answer.read():
            sys.exit("smoke: the services are not available")
    process.terminate()
    if status := process.wait(30):
        sys.exit(f"smoke: the services stopped with status {status}")
print("smoke: ok")
