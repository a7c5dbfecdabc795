"""``despejado-lab-server``: JupyterHub's single-user server, quickly.

Runs as the lab's user with the environment of docs/developers.md, "A lab". Copies a pod's secrets,
listens where a hub may ask early, prepares scratch space and the home, imports JupyterHub's own
server without the hub (``launch_imports``), configures it for a lab, and says on the descriptor in
``DESPEJADO_READY_FD``, if there is one, when it answers. What keeps it from answering is left for
the cluster to find (``launch_end``).
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from despejado_lab.launch_end import Ending, LaunchError
from despejado_lab.launch_home import prepare_home
from despejado_lab.launch_imports import lean_imports
from despejado_lab.launch_scratch import prepare_scratch
from despejado_lab.launch_secrets import keep_secrets, prepare_secrets
from despejado_lab.launch_socket import early_socket, hand_over

READY_VARIABLE = "DESPEJADO_READY_FD"
KERNEL_NAME = "python3"


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


def stop_from_the_loop(serverapp: Any) -> None:
    """Handle SIGTERM between the loop's steps, not within any of them.

    The server's own handler writes to the log at once. Where the signal meets a line that is just
    being written, that fails, and the server would not stop (seen in one of twenty stops).
    """
    import asyncio  # slow, and loaded by now

    def stop() -> None:
        serverapp.log.info("Told to stop")
        serverapp.stop()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the lab's server until it is stopped."""
    # Importing makes garbage of nothing: collecting meanwhile only costs time.
    gc.disable()
    ready = take_ready_descriptor(os.environ)
    with Ending() as ending:
        try:
            listening = _prepare(os.environ)
        except LaunchError as error:
            sys.exit(str(error))
        serverapp = _server(listening, list(sys.argv[1:] if argv is None else argv))

        def started() -> None:
            gc.freeze()
            gc.enable()
            ending.started()
            stop_from_the_loop(serverapp)
            say_ready(ready)

        serverapp.io_loop.add_callback(started)
        serverapp.start()


def _prepare(environment: os._Environ[str]) -> socket.socket | None:
    """All that comes before the server; the secrets first, then the port."""
    told = prepare_secrets(environment)
    listening = early_socket(environment)
    told += prepare_scratch(environment)
    told += prepare_home(environment)
    for line in told:
        print(line, file=sys.stderr, flush=True)
    os.chdir(environment["HOME"])
    keep_secrets(environment)
    return listening


def _server(listening: socket.socket | None, argv: list[str]) -> Any:
    """JupyterHub's own server, configured and ready to be started."""
    from jupyterhub._version import __version__ as hub_version

    with lean_imports(hub_version):
        if listening is not None:
            hand_over(listening)
        from jupyterhub.singleuser.extension import JupyterHubSingleUser

    config = _as_config(lab_config(os.environ))
    return JupyterHubSingleUser.initialize_server(argv=argv, config=config)


def _as_config(config: dict[str, dict[str, Any]]) -> Any:
    from traitlets.config import Config

    return Config(config)


if __name__ == "__main__":
    main()
