"""``despejado check``."""

from __future__ import annotations

import argparse

from despejado_hub.check.result import Result, exit_code
from despejado_hub.check.runner import check_platform
from despejado_hub.config import load_platform
from despejado_hub.runtime import state_folder

from .files import platform_file
from .output import say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """Validate the file, try what it names, report; 0 well, 1 something fails, 2 a wrong file."""
    file = platform_file(options.file)
    platform = load_platform(file)
    state = state_folder(platform, options.state)
    results = [Result("file", "ok", f"{file} describes {platform.name!r}")]
    if not options.file_only:
        results += check_platform(platform, state, options.port)
    status = exit_code(results)
    if options.json:
        rows = [result.as_dict() for result in results]
        say_json({"file": str(file), "ok": status == 0, "problems": [], "results": rows})
        return status
    for result in results:
        say(str(result))
    count = {each: sum(r.state == each for r in results) for each in ("ok", "warn", "fail")}
    say(f"{count['ok']} ok, {count['warn']} warnings, {count['fail']} failed")
    return status
