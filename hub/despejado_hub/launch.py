"""Run JupyterHub with the configuration of a platform: ``python -m despejado_hub.launch FILE``.

``FILE`` is described in ``despejado_hub.jupyterhub_config.file``.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    os.environ["DESPEJADO_HUB_CONFIG"] = str(Path(arguments[0]).absolute())
    # Importing makes half a million objects that stay: looking through them again and again is
    # a tenth of the start.
    gc.disable()
    from despejado_hub.fast_start import skip_imports

    skip_imports()
    from jupyterhub.app import JupyterHub

    gc.freeze()
    gc.enable()
    configuration = Path(__file__).parent / "jupyterhub_config" / "file.py"
    JupyterHub.launch_instance([f"--config={configuration}", *arguments[1:]])


if __name__ == "__main__":
    main(sys.argv[1:])
