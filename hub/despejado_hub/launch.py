"""Run JupyterHub with the configuration of a platform: ``python -m despejado_hub.launch FILE``.

``FILE`` is described in ``despejado_hub.jupyterhub_config.file``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

from despejado_hub.fast_start import check_once, skip_unused


def main(arguments: list[str]) -> None:
    """Run a hub until it ends.

    Parameters
    ----------
    arguments
        ``FILE``, then further ones of JupyterHub's command line.
    """
    file = Path(arguments[0]).absolute()
    os.environ["DESPEJADO_HUB_CONFIG"] = str(file)
    folder = Path(json.loads(file.read_text())["runtime"]["state"]) / "hub"
    # Importing makes half a million objects that stay: looking through them again and again is
    # a tenth of the start.
    gc.disable()
    skip_unused()
    adopt = check_once(folder / "jupyterhub.sqlite", folder / "schema-checked.json")
    from jupyterhub.app import JupyterHub

    adopt()
    gc.freeze()
    gc.enable()
    # JupyterHub would import every spawner and every proxy that is installed, to list their traits
    # for --help-all; ours come from the configuration file.
    JupyterHub.instance(classes=[])
    configuration = Path(__file__).parent / "jupyterhub_config" / "file.py"
    JupyterHub.launch_instance([f"--config={configuration}", *arguments[1:]])


if __name__ == "__main__":
    main(sys.argv[1:])
