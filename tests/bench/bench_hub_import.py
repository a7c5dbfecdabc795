"""What a hub whose labs are pods takes to import, and what it holds in memory then.

Run with ``python tests/bench/bench_hub_import.py``; the figures go to
``test-output/bench/hub_import.json``. A run is one process that imports JupyterHub and loads its
configuration with the spawner, as ``despejado_hub.launch`` does, and ends before anything listens.
The peer of the same run is a stock JupyterHub with the stock KubeSpawner; ``--before FOLDER`` adds
another checkout of this repository (with its ``.venv``). The runs of all alternate. Seconds are
those of the processor, which other work on the machine disturbs least; ``first`` is a hub whose
database nobody has looked at, ``again`` is every later start. Memory is the largest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

REPORT = """
import json, resource, sys, time
def report():
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"seconds": time.process_time(), "mb": used.ru_maxrss / 1000}
    print(json.dumps({**found, "modules": len(sys.modules)}))
"""

LOAD = (
    REPORT
    + """
def load(arguments):
    from jupyterhub.app import JupyterHub
    app = JupyterHub.instance()
    app.parse_command_line(arguments)
    app.load_config_file(app.config_file)
    assert "kubespawner" in sys.modules and app.spawner_class
    report()
"""
)

STOCK = (
    LOAD
    + """
load(sys.argv[1:])
"""
)

# The last thing before JupyterHub would run is the only thing that is not as in the real process.
OURS = (
    LOAD
    + """
from despejado_hub import launch
prepare = launch.check_once
def check_once(*arguments):
    adopt = prepare(*arguments)
    def adopt_and_stop():
        adopt()
        from jupyterhub.app import JupyterHub
        JupyterHub.launch_instance = load
    return adopt_and_stop
launch.check_once = check_once
launch.main(sys.argv[1:])
"""
)

DATABASE = """
import sys
from contextlib import closing
from jupyterhub import __version__, orm
from despejado_hub.fast_start import remember_check
from pathlib import Path
folder = Path(sys.argv[1])
orm.new_session_factory(f"sqlite:///{folder / 'jupyterhub.sqlite'}")().close()
remember_check(folder / "jupyterhub.sqlite", folder / "schema-checked.json", __version__)
"""


@dataclass
class Subject:
    """One of those that are compared: its program, arguments, and what each run found."""

    python: Path
    code: str
    arguments: Sequence[str] = ()
    runs: list[dict[str, float]] = field(default_factory=list)

    def run(self) -> None:
        done = subprocess.run(
            [self.python, "-c", self.code, *self.arguments],
            stdout=subprocess.PIPE,
            check=True,
            cwd=tempfile.gettempdir(),
        )
        self.runs.append(json.loads(done.stdout.splitlines()[-1]))

    def median(self, name: str) -> float:
        return statistics.median(run[name] for run in self.runs)


def hub(folder: Path, checkout: Path, python: Path, *, seen: bool) -> Subject:
    """The hub of a checkout, with a state folder of its own below ``folder``."""
    state = folder / f"{checkout.name}-{'again' if seen else 'first'}"
    for name in ("hub", "run"):
        (state / name).mkdir(parents=True)
    for name in ("proxy", "tap", "culler", "supervisor"):
        (state / "run" / f"{name}.token").write_text("token")
    runtime = {"state": str(state), "port": 8000, "hub_port": 8081}
    runtime |= {"proxy_api_port": 8001, "tap_port": 9001}
    runtime |= {"hub_host": "192.0.2.2", "service_host": "192.0.2.2"}
    platform = checkout / "tests" / "hub" / "data" / "platform_pods.yaml"
    file = state / "run" / "hub.json"
    file.write_text(json.dumps({"platform": str(platform), "runtime": runtime}))
    if seen:
        subprocess.run([python, "-c", DATABASE, str(state / "hub")], check=True)
    return Subject(python, OURS, [str(file)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another checkout")
    parser.add_argument("--out", type=Path, default=Path("test-output/bench/hub_import.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="despejado-bench-") as name:
        folder = Path(name)
        python = Path(sys.executable)
        (folder / "stock.py").write_text('c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"\n')
        subjects = {"stock": Subject(python, STOCK, [f"--config={folder / 'stock.py'}"])}
        for seen in (False, True):
            when = "again" if seen else "first"
            subjects[f"hub, {when}"] = hub(folder, ROOT, python, seen=seen)
            if options.before is not None:
                other = options.before.absolute()
                theirs = other / ".venv" / "bin" / "python"
                subjects[f"before, {when}"] = hub(folder / "before", other, theirs, seen=seen)
        for subject in subjects.values():
            subject.run()  # the first of each reads files that nobody has read
            subject.runs.clear()
        for _ in range(options.runs):
            for subject in subjects.values():
                subject.run()
    stock = subjects["stock"]
    ratios = {}
    for name, subject in subjects.items():
        if subject is not stock:
            for figure in ("seconds", "mb"):
                ratios[f"{name} to stock, {figure}"] = subject.median(figure) / stock.median(figure)
        if name.startswith("hub") and options.before is not None:
            before = subjects[name.replace("hub", "before")]
            for figure in ("seconds", "mb"):
                ratio = subject.median(figure) / before.median(figure)
                ratios[f"{name} to before, {figure}"] = ratio
    figures = {
        "runs": options.runs,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "medians": {
            name: {figure: round(each.median(figure), 2) for figure in ("seconds", "mb", "modules")}
            for name, each in subjects.items()
        },
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
