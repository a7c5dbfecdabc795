"""The command of the test cluster: ``python -m tests.cluster.harness up``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.cluster.harness import foreign, images, simulated, volumes
from tests.cluster.harness.api import Api, ApiError
from tests.cluster.harness.bringup import bring_up, control_of, only_one
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import Layout
from tests.cluster.harness.policy_keeper import run as keep_policies
from tests.cluster.harness.say import say
from tests.cluster.harness.settings import Settings, load
from tests.cluster.harness.teardown import tear_down


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        return _run(asked, Layout())
    except (HarnessError, ApiError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; run the command again to go on")
        return 130


def _run(asked: argparse.Namespace, layout: Layout) -> int:
    match asked.command:
        case "up":
            print(_up(layout))
        case "down":
            with only_one(layout):
                say("Removed." if tear_down(layout) else "There is no cluster.")
            layout.lock.unlink(missing_ok=True)
        case "status":
            return _status(layout)
        case "start" | "stop" | "restart" | "freeze" | "thaw" | "kill":
            _control(asked.command, asked.name, layout)
        case "nodes":
            print("\n".join(_nodes(asked, layout)))
        case "volume":
            settings = _standing(layout)
            api = Api.of(layout, settings)
            print(volumes.host_volume(api, layout, asked.name, asked.namespace, asked.size))
        case "images":
            print(images.import_base())
        case "policies":
            settings = _standing(layout)
            keep_policies(Api.of(layout, settings), settings.node_name, layout.policies_socket)
    return 0


def _up(layout: Layout) -> str:
    theirs = foreign.named(layout)
    if theirs is not None:
        server = foreign.server_of(theirs)
        if foreign.responds(server):
            say(f"KUBECONFIG names a cluster that answers ({server}): using it, starting nothing")
            return str(theirs)
        raise HarnessError(
            f"KUBECONFIG={theirs} names {server}, which does not answer; unset KUBECONFIG to have "
            "a cluster made on this machine"
        )
    bring_up(layout)
    return str(layout.kubeconfig)


def _status(layout: Layout) -> int:
    settings = load(layout.settings)
    if settings is None:
        print("no cluster; `make cluster` brings one up")
        return 3
    control = control_of(layout, settings)
    broken = 0
    for name in control.known:
        pid = control.process_id(name)
        works = control.works(name)
        broken += not works
        print(f"{name:20} {'works' if works else 'DOES NOT WORK'}  {f'pid {pid}' if pid else '-'}")
    print(f"kubeconfig {layout.kubeconfig}\nregistry   {settings.registry}")
    print(f"node       {settings.node_name} {settings.node_address}")
    return 4 if broken else 0


def _control(action: str, name: str, layout: Layout) -> None:
    control = control_of(layout, _standing(layout))
    match action:
        case "start":
            control.start(name)
        case "stop":
            control.stop(name)
        case "kill":
            control.stop(name, at_once=True)
        case "restart":
            control.restart(name)
        case "freeze":
            control.freeze(name)
        case "thaw":
            control.thaw(name)


def _nodes(asked: argparse.Namespace, layout: Layout) -> list[str]:
    api = Api.of(layout, _standing(layout))
    return simulated.add(api, asked.count) if asked.what == "add" else simulated.remove(api)


def _standing(layout: Layout) -> Settings:
    settings = load(layout.settings)
    if settings is None:
        raise HarnessError("there is no cluster; `make cluster` brings one up")
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or repair it; prints the kubeconfig")
    commands.add_parser("down", help="remove all of it but the cache")
    commands.add_parser("status", help="which components work")
    for name, text in (
        ("start", "start a component and wait until it answers"),
        ("stop", "end a component"),
        ("kill", "end a component without notice"),
        ("restart", "end a component and start it"),
        ("freeze", "let a component accept connections and never answer"),
        ("thaw", "the opposite of freeze"),
    ):
        commands.add_parser(name, help=text).add_argument("name")
    nodes = commands.add_parser("nodes", help="simulated nodes: `add N`, `remove`")
    nodes.add_argument("what", choices=("add", "remove"))
    nodes.add_argument("count", nargs="?", type=int, default=1)
    volume = commands.add_parser("volume", help="a claim in several namespaces, of one folder")
    volume.add_argument("name")
    volume.add_argument("--namespace", action="append", required=True)
    volume.add_argument("--size", default="10Gi")
    base = commands.add_parser("images", help="`base`: Debian's slim image, for buildah")
    base.add_argument("what", choices=("base",))
    commands.add_parser("policies", help="(a part of the cluster) keep NetworkPolicies in force")
    return parser


if __name__ == "__main__":
    sys.exit(main())
