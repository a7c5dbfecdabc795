"""``despejado-lab-server``: JupyterHub's single-user server, quickly.

Runs as the lab's user with the environment of docs/developers.md, "A lab". Copies a pod's secrets,
listens where a hub may ask early, prepares the home, imports JupyterHub's own server without the
hub (``launch_imports``), configures it for a lab, and says on the descriptor in
``DESPEJADO_READY_FD``, if there is one, when it answers.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from despejado_lab.launch_home import prepare_home
from despejado_lab.launch_imports import lean_imports
from despejado_lab.launch_secrets import keep_secrets, prepare_secrets
from despejado_lab.launch_socket import PortTaken, early_socket, hand_over

READY_VARIABLE = "DESPEJADO_READY_FD"
KERNEL_NAME = "python3"
TERMINATION_LOG = "/dev/termination-log"
"""Where Kubernetes takes from what a pod says of its end."""


def lab_config(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The server's configuration as traitlets' nested dictionary.

    It has the priority of the command line: user configuration cannot make the lab ask for
    updates, hide files or offer another kernel than that of the chosen environment.
    """
    return {
        "ServerApp": {
            "root_dir": environment.get("JUPYTERHUB_ROOT_DIR") or environment.get("HOME", ""),
            "terminado_settings": {"shell_command": [environment.get("SHELL", "/bin/bash")]},
            "log_level": "DEBUG" if environment.get("DEBUG") else "INFO",
        },
        "ContentsManager": {"allow_hidden": True},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
            # Where the chosen image has the browser half of its widgets.
            "extra_labextensions_path": [
                path for path in [environment.get("DESPEJADO_LABEXTENSIONS")] if path
            ],
        },
        "MappingKernelManager": {"default_kernel_name": KERNEL_NAME},
        # JUPYTER_PATH is searched before all other folders, so this name is the lab's kernel.
        "KernelSpecManager": {
            "ensure_native_kernel": False,
            "allowed_kernelspecs": {KERNEL_NAME} if "JUPYTER_PATH" in environment else set(),
        },
    }


def take_ready_descriptor(environment: dict[str, str] | os._Environ[str]) -> int | None:
    """The descriptor to say ``ready`` on, kept from whatever the server starts."""
    text = environment.pop(READY_VARIABLE, "")
    if not text.isdigit():
        return None
    descriptor = int(text)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return None
    return descriptor


def say_ready(descriptor: int | None) -> None:
    """Tell the hub; one that has gone meanwhile finds the lab by itself."""
    if descriptor is None:
        return
    try:
        os.write(descriptor, b"ready\n")
    except OSError:
        pass
    finally:
        os.close(descriptor)


def say_why(text: str) -> None:
    """Let the cluster know why the lab did not start, for the hub's pages."""
    try:
        descriptor = os.open(TERMINATION_LOG, os.O_WRONLY)
    except OSError:
        return  # no pod
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the lab's server until it is stopped."""
    # Importing makes garbage of nothing: collecting meanwhile only costs time.
    gc.disable()
    ready = take_ready_descriptor(os.environ)
    told = prepare_secrets(os.environ)
    try:
        listening = early_socket(os.environ)
    except PortTaken as error:
        say_why(str(error))
        sys.exit(str(error))
    for line in [*told, *prepare_home(os.environ)]:
        print(line, file=sys.stderr, flush=True)
    os.chdir(os.environ["HOME"])
    keep_secrets(os.environ)

    from jupyterhub._version import __version__ as hub_version

    with lean_imports(hub_version):
        if listening is not None:
            hand_over(listening)
        from jupyterhub.singleuser.extension import JupyterHubSingleUser

    serverapp = JupyterHubSingleUser.initialize_server(
        argv=list(sys.argv[1:] if argv is None else argv),
        config=_as_config(lab_config(os.environ)),
    )

    def started() -> None:
        gc.freeze()
        gc.enable()
        say_ready(ready)

    serverapp.io_loop.add_callback(started)
    serverapp.start()


def _as_config(config: dict[str, dict[str, Any]]) -> Any:
    from traitlets.config import Config

    return Config(config)


if __name__ == "__main__":
    main()
