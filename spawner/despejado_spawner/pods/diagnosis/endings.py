"""How labs end: killed for memory, evicted, crashed, deleted, with their machine (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis.events import newest
from despejado_spawner.pods.diagnosis.evictions import disrupted
from despejado_spawner.pods.diagnosis.pod_view import ContainerState, PodView, part, text
from despejado_spawner.pods.diagnosis.wording import memory_words, sentence

Event = Mapping[str, Any]

_MISSING = re.compile(
    r"executable file \S* ?not found|no such file or directory|not a directory|permission denied|"
    r"exec format error|is a directory",
    re.I,
)
_MOUNTING = re.compile(r"error mounting|mount callback|to rootfs at")
"""Not the command, but what is mounted around it."""
_NOT_A_PROGRAM = (126, 127)
"""With what a shell ends that cannot execute, or find, its program (POSIX.1, Shell, 2.8.2)."""
_TRIED_AGAIN = re.compile(
    r"context deadline exceeded|is reserved|timed? ?out|timing out|already in use"
)
_KILLED, _STOPPED = 137, 143
_SIGNALS = {
    132: "exit code 132: its machine's processor lacks an instruction that it uses",
    134: "exit code 134: it gave up by itself (abort)",
    _KILLED: "exit code 137: it was killed, most often because memory ran out",
    139: "exit code 139: a segmentation fault",
    _STOPPED: "exit code 143: it was asked to stop",
}


def ended(
    view: PodView, events: Sequence[Event] = (), bigger_size: str | None = None
) -> LabFailed | None:
    """How the pod has ended or is ending; None while it may live. ``events`` are in order."""
    taken = disrupted(view, bigger_size)
    if taken is not None:
        return taken
    if view.reason == "DeadlineExceeded":
        return LabFailed("ended", "The lab has run for as long as a lab may.")
    for container in view.containers():
        if container.kind != "terminated" or not container.needed or container.sidecar:
            continue
        if container.init and container.exit_code == 0:
            continue
        if _by_the_deletion(view, container):
            break
        return _killed_by_the_node(container, events) or _terminated(view, container, bigger_size)
    if view.deleting:
        return LabFailed("deleted", "Your lab is being deleted in the cluster.")
    if view.phase in ("Failed", "Succeeded"):
        return _without_a_container(view)
    return None


def not_startable(said: str) -> LabFailed | None:
    """What a container that cannot be started has said; None for what the node tries again."""
    if not said.strip() or _TRIED_AGAIN.search(said):
        return None
    short = said.strip().splitlines()[-1]
    program = re.search(r'exec: \\?"(?P<program>[^"\\]+)\\?": (stat [^:]+: )?(?P<why>[^:]+)', said)
    if program:
        why = program["why"].strip()
        message = f"The image cannot start a lab: {program['program']}: {why}."
        return LabFailed("command", message)
    if _MISSING.search(said) and not _MOUNTING.search(said):
        return LabFailed("command", f"The image cannot start a lab: {sentence(short)}")
    message = f"The lab's container cannot start: {sentence(short)}"
    return LabFailed("container_config", message)


def crash_loop(view: PodView, container: ContainerState, bigger_size: str | None) -> LabFailed:
    """A container that the site's restart policy starts again and again."""
    code = part(container.last, "exitCode")
    if part(container.last, "reason") == "OOMKilled":
        return _out_of_memory(view, container, bigger_size)
    message = f"The lab's {_what(container)} ends as soon as it starts"
    message += f", with {_how(code)}." if isinstance(code, int) else "."
    own, log = _own_words(text(part(container.last, "message")))
    return LabFailed("crashed", message + own, None, log)


def _terminated(view: PodView, container: ContainerState, bigger_size: str | None) -> LabFailed:
    if container.reason == "OOMKilled":
        return _out_of_memory(view, container, bigger_size)
    if container.reason in ("StartError", "ContainerCannotRun"):
        failure = not_startable(container.message)
        if failure is not None:
            return failure
    own, log = _own_words(container.message)
    if container.exit_code == 0:
        return LabFailed("ended", f"The lab has ended by itself.{own}", None, log)
    code = container.exit_code
    if code in _NOT_A_PROGRAM:
        message = f"The image cannot start a lab: it has no program to run.{own}"
        return LabFailed("command", message, None, log)
    how = _how(code) if code is not None else (container.reason or "no exit code")
    message = f"The lab's {_what(container)} ended with {how}.{own}"
    bigger = f" ({bigger_size})" if bigger_size else ""
    advice = f"Start it again, with more memory{bigger} if it needs much."
    return LabFailed("crashed", message, advice if code == _KILLED else None, log)


def _killed_by_the_node(container: ContainerState, events: Sequence[Event]) -> LabFailed | None:
    """Why the node has killed the container by itself; only events tell of it."""
    if container.exit_code not in (_KILLED, _STOPPED) or container.reason == "OOMKilled":
        return None
    if newest(events, "FailedPostStartHook") is not None:
        message = "A command that belongs to the lab's start (its postStart hook) failed."
        return LabFailed("container_config", message)
    killing = newest(events, "Killing")
    if killing is not None and re.search(r"failed \w+ probe", text(killing.get("message"))):
        return LabFailed(
            "crashed", "The lab's server did not answer its health check, and was ended."
        )
    return None


def _out_of_memory(view: PodView, container: ContainerState, bigger_size: str | None) -> LabFailed:
    advice = "Have less in memory at a time; there is no bigger size."
    if bigger_size:
        advice = f"Start a bigger lab ({bigger_size}), or have less in memory at a time."
    declared = view.declared(container.name, init=container.init)
    limit = text(part(declared, "resources", "limits", "memory"))
    more = f"its limit of {memory_words(limit)}" if limit else "its machine has"
    return LabFailed("out_of_memory", f"Your lab needed more memory than {more}.", advice)


def _by_the_deletion(view: PodView, container: ContainerState) -> bool:
    """Whether the container ended because the pod is being deleted, and not before."""
    asked = view.deletion_asked
    return asked is not None and (container.finished is None or container.finished >= asked)


def _without_a_container(view: PodView) -> LabFailed:
    said = sentence(view.message or view.reason or "no reason given")
    if not any(container.kind for container in view.containers()):
        # The node has the last word on a pod, and has said no before it made a container.
        advice = "Start it again; if it happens again, tell the administrator."
        if view.reason.startswith("OutOf"):
            advice = "Start it again; another lab was faster to take the place."
        why = said.removeprefix("Pod was rejected: ")
        message = f"The machine {view.node} refused the lab: {why}"
        return LabFailed("unschedulable", message, advice)
    return LabFailed("crashed", f"The lab has failed: {said}")


def _how(code: int) -> str:
    return _SIGNALS.get(code, f"exit code {code}")


def _own_words(said: str) -> tuple[str, tuple[str, ...]]:
    """The last line that a container left, for the message; all of them for the details."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    if not lines:
        return "", ()
    return f" It said: {sentence(lines[-1])}", tuple(lines) if len(lines) > 1 else ()


def _what(container: ContainerState) -> str:
    return "server" if container.is_lab else f"container {container.name!r}"
