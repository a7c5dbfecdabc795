"""The configuration file that JupyterHub loads: ``jupyterhub --config`` with this path.

``DESPEJADO_HUB_CONFIG`` names a JSON file with ``platform`` (the path of a platform file) and
``runtime`` (the fields of ``despejado_hub.runtime.Runtime``).
"""

import json
import os
from pathlib import Path

from despejado_hub.config import load_platform
from despejado_hub.jupyterhub_config import configure
from despejado_hub.runtime import Runtime

values = json.loads(Path(os.environ["DESPEJADO_HUB_CONFIG"]).read_text())
runtime = {**values["runtime"], "state": Path(values["runtime"]["state"])}
# JupyterHub runs this file with its configuration as ``c``.
configure(globals()["c"], load_platform(values["platform"]), Runtime(**runtime))
