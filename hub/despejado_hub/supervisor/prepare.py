"""Read a platform file for the supervisor, then write the configuration of its processes.

``python -m despejado_hub.supervisor.prepare PLATFORM [STATE]`` prints a ``Draft`` as one line of
JSON, reads one line with the ports (once the supervisor holds the state folder), writes what the
processes read to ``STATE/run`` and prints ``Settings``. A problem of the file is told on standard
error, with status 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from despejado_hub.config import Platform, PlatformError, derive, load_platform
from despejado_hub.config.secrets import SecretError, read_secret
from despejado_hub.labs import labs_of
from despejado_hub.runtime import Runtime, state_folder
from despejado_hub.supervisor import rendering
from despejado_hub.supervisor.settings import Draft
from despejado_hub.supervisor.state import write_json

PAGES = Path(__file__).parent.parent / "pages"


def draft_of(platform: Platform, file: Path, state: Path | None) -> Draft:
    """Where to begin; raises ``SecretError`` for a password that cannot be read."""
    password = platform.hub.login.password
    return Draft(
        platform=str(file.absolute()),
        state=str(state_folder(platform, state)),
        port=platform.public.port,
        password=None if password is None else read_secret(password),
    )


def write_configuration(platform: Platform, runtime: Runtime, platform_file: str) -> None:
    """What the proxy, the hub and the data services read, into ``STATE/run``."""
    run = runtime.run
    write_json(
        run / "proxy.json", rendering.proxy_configuration(platform, runtime, PAGES / "offline")
    )
    write_json(run / "hub.json", rendering.hub_configuration(platform_file, runtime))
    if platform.services.tap is not None:
        write_json(run / "tap.json", derive.tap_service_config(platform, runtime))


def main(arguments: list[str]) -> int:
    """See the module; the status of the process is returned."""
    file = Path(arguments[0])
    state = Path(arguments[1]) if len(arguments) > 1 else None
    try:
        platform = load_platform(file)
        draft = draft_of(platform, file, state)
    except (PlatformError, SecretError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    labs = labs_of(platform)
    missing = labs.missing()
    if missing is not None:
        sys.stderr.write(f"{missing}\n")
        return 2
    sys.stdout.write(draft.to_json() + "\n")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer:
        return 0
    ports = json.loads(answer)
    runtime = Runtime(
        state=Path(draft.state),
        port=ports["public"],
        hub_port=ports["hub"],
        proxy_api_port=ports["proxy_api"],
        tap_port=ports["tap"],
        **labs.places(),
    )
    write_configuration(platform, runtime, draft.platform)
    sys.stdout.write(rendering.settings_of(platform, runtime, draft.platform).to_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
