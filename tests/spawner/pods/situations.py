"""The situations of pods that are recorded: what is asked for, and when the cluster knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.kube import Kube, Manifest

NAME = "jupyter-rachel"
Known = Callable[[Manifest, list[Manifest]], bool]
Act = Callable[[Kube, str], None]


@dataclass(frozen=True)
class Situation:
    """A pod, what is made before it, and what is done with it; recorded when ``known`` holds.

    ``then`` is done when ``first`` holds. Objects without a namespace of their own (nodes,
    runtime classes) have names that nobody else uses, and are removed again.
    """

    pod: Manifest
    known: Known
    before: tuple[Manifest, ...] = ()
    first: Known | None = None
    then: Act | None = None
    seconds: float = 120.0


def pod(image: str, **changes: Any) -> Manifest:
    """A lab's pod of busybox that sleeps, with changes to its spec and container."""
    container: Manifest = {
        "name": "notebook",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "sleep 600"],
        "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}},
        "ports": [{"containerPort": 8888, "name": "notebook-port"}],
    }
    container |= changes.pop("container", {})
    spec: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
    }
    spec |= changes
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": NAME,
            "annotations": {"despejado.dev/image-title": "Weekly 2026_43"},
        },
        "spec": spec,
    }


def busybox(registry: str) -> str:
    return f"{registry}/library/busybox:latest"


def shell(script: str, **more: Any) -> Manifest:
    return {"command": ["sh", "-c", script], **more}


def statuses(found: Manifest) -> list[Manifest]:
    status = found.get("status", {})
    every: list[Manifest] = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    return every


def waiting(*reasons: str) -> Known:
    return lambda found, events: any(
        (each["state"].get("waiting") or {}).get("reason") in reasons for each in statuses(found)
    )


def terminated(found: Manifest, events: list[Manifest]) -> bool:
    over = found["status"].get("phase") in ("Failed", "Succeeded")
    return over and any("terminated" in each["state"] for each in statuses(found))


def event(reason: str) -> Known:
    return lambda found, events: any(each["reason"] == reason for each in events)


def running(found: Manifest, events: list[Manifest]) -> bool:
    """Running, and its events are there."""
    lab = [each for each in statuses(found) if each["name"] == "notebook"]
    return any("running" in each["state"] for each in lab) and event("Started")(found, events)


def no_place(found: Manifest, events: list[Manifest]) -> bool:
    """The scheduler has said no, in an event and in the pod; one may come before the other."""
    conditions = found["status"].get("conditions", [])
    told = any(each["type"] == "PodScheduled" for each in conditions)
    return told and event("FailedScheduling")(found, events)


def reason(name: str) -> Known:
    return lambda found, events: found["status"].get("reason") == name


def disrupted(name: str) -> Known:
    return lambda found, events: any(
        each["type"] == "DisruptionTarget" and each["reason"] == name
        for each in found["status"].get("conditions", [])
    )


def of_images(registry: str, unwilling: str) -> Mapping[str, Situation]:
    """Images that do not come."""

    def image(name: str, **more: Any) -> Manifest:
        return pod(name, container=more) if more else pod(name)

    slow = waiting("ContainerCreating")
    return {
        "image_not_found": Situation(
            image(f"{registry}/no/such:w_2026_43"), waiting("ErrImagePull")
        ),
        "image_backing_off": Situation(
            image(f"{registry}/library/busybox:w_2026_43"), waiting("ImagePullBackOff")
        ),
        "image_name": Situation(image("No Image"), waiting("InvalidImageName")),
        "image_never": Situation(
            image(f"{registry}/never:1", imagePullPolicy="Never"), waiting("ErrImageNeverPull")
        ),
        "registry_away": Situation(
            image("127.0.0.1:9/despejado/lab:w_2026_43"), waiting("ErrImagePull")
        ),
        "registry_unknown": Situation(
            image("registry.invalid/despejado/lab:w_2026_43"), waiting("ErrImagePull")
        ),
        **{
            f"image_{how}": Situation(image(f"{unwilling}/{how}/lab:1"), waiting("ErrImagePull"))
            for how in ("unauthorized", "hidden", "forbidden", "processor")
        },
        **{
            f"registry_{how}": Situation(
                image(f"{unwilling}/{how}/lab:1"), waiting("ErrImagePull", "ImagePullBackOff")
            )
            for how in ("busy", "fault")
        },
        "image_coming": Situation(
            image(f"{unwilling}/slow/lab:1"),
            lambda found, events: slow(found, events) and event("Pulling")(found, events),
        ),
    }


def of_containers(registry: str) -> Mapping[str, Situation]:
    """Containers that cannot be made or started, or end."""
    box = busybox(registry)
    missing = {"secretKeyRef": {"name": "not-there", "key": "token"}}
    eat = "x=0123456789; while true; do x=$x$x; done"

    def lab(script: str, **spec: Any) -> Manifest:
        return pod(box, container=shell(script), **spec)

    def first(name: str, script: str, **more: Any) -> Manifest:
        return {
            "name": name,
            "image": box,
            "imagePullPolicy": "IfNotPresent",
            **shell(script),
            **more,
        }

    hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo no scratch >&2; exit 4"]}}}
    log = "for i in 1 2 3; do echo line $i; done; echo ValueError: no such port; exit 1"
    return {
        "running": Situation(pod(box), running),
        "command": Situation(
            pod(box, container={"command": ["jupyterhub-singleuser"]}),
            lambda found, events: (
                terminated(found, events) or waiting("RunContainerError")(found, events)
            ),
        ),
        "command_folder": Situation(
            pod(box, container={"command": ["/etc"]}),
            lambda found, events: (
                terminated(found, events) or waiting("RunContainerError")(found, events)
            ),
        ),
        "secret_missing": Situation(
            pod(box, container={"env": [{"name": "TOKEN", "valueFrom": missing}]}),
            waiting("CreateContainerConfigError"),
        ),
        "root_image": Situation(
            pod(box, securityContext={"runAsNonRoot": True}),
            waiting("CreateContainerConfigError"),
        ),
        "crashed": Situation(lab("echo no config >&2; exit 3"), terminated),
        "crashed_with_words": Situation(
            lab("echo The port is taken > /dev/termination-log; exit 1"), terminated
        ),
        "crashed_with_log": Situation(
            pod(
                box,
                container=shell(log, terminationMessagePolicy="FallbackToLogsOnError"),
            ),
            terminated,
        ),
        "segmentation_fault": Situation(lab("sh -c 'kill -SEGV $$$$'; exit $?"), terminated),
        "killed": Situation(lab("sh -c 'kill -KILL $$$$'; exit $?"), terminated),
        "ended_by_itself": Situation(lab("true"), terminated),
        "too_long": Situation(pod(box, activeDeadlineSeconds=2), reason("DeadlineExceeded")),
        "out_of_memory": Situation(lab(eat), terminated),
        "out_of_memory_later": Situation(lab(f"sleep 3; {eat}"), terminated),
        "out_of_memory_again": Situation(
            lab(eat, restartPolicy="Always"), waiting("CrashLoopBackOff")
        ),
        "crash_loop": Situation(
            pod(box, restartPolicy="Always", container={"command": ["false"]}),
            waiting("CrashLoopBackOff"),
        ),
        "hook_failed": Situation(pod(box, container={"lifecycle": hook}), terminated),
        "init_failed": Situation(pod(box, initContainers=[first("prepare", "exit 2")]), terminated),
        "init_running": Situation(
            pod(box, initContainers=[first("prepare", "sleep 60")]), event("Started")
        ),
        "init_image": Situation(
            pod(box, initContainers=[first("prepare", "true", image=f"{registry}/no/such:1")]),
            waiting("ErrImagePull"),
        ),
        "sidecar_failed": Situation(
            pod(
                box,
                containers=[
                    first("notebook", "sleep 600"),
                    first("helper", "true", image=f"{registry}/no/such:1"),
                ],
            ),
            lambda found, events: (
                running(found, events)
                and waiting("ErrImagePull", "ImagePullBackOff")(found, events)
            ),
        ),
        "native_sidecar": Situation(
            pod(
                box,
                initContainers=[first("helper", "sleep 2; exit 5", restartPolicy="Always")],
            ),
            lambda found, events: (
                running(found, events)
                and any("terminated" in each.get("lastState", {}) for each in statuses(found))
            ),
        ),
        "evicted": Situation(
            pod(
                box,
                container=shell(
                    "dd if=/dev/zero of=/x bs=1M count=64; sleep 600",
                    resources={"limits": {"ephemeral-storage": "16Mi", "memory": "64Mi"}},
                ),
            ),
            reason("Evicted"),
        ),
        "evicted_folder": Situation(
            pod(
                box,
                volumes=[{"name": "temporary", "emptyDir": {"sizeLimit": "8Mi"}}],
                container=shell(
                    "dd if=/dev/zero of=/tmp/x bs=1M count=32; sleep 600",
                    volumeMounts=[{"name": "temporary", "mountPath": "/tmp"}],
                ),
            ),
            reason("Evicted"),
        ),
    }


def of_volumes(registry: str) -> Mapping[str, Situation]:
    """Volumes and the pod's own parts that do not come."""
    box = busybox(registry)
    home = {"volumeMounts": [{"name": "home", "mountPath": "/home/rachel"}]}
    part = {"volumeMounts": [{"name": "home", "mountPath": "/home/rachel", "subPath": "r/rachel"}]}

    def lab(volume: Manifest, container: Manifest = home) -> Manifest:
        return pod(box, volumes=[{"name": "home", **volume}], container=container)

    unbound = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "home-rachel"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    runtime = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "situation-sandboxed"},
        "handler": "sandboxed",
    }
    gated = [{"name": "despejado.dev/home"}]
    return {
        "claim_missing": Situation(
            lab({"persistentVolumeClaim": {"claimName": "not-there"}}), no_place
        ),
        "claim_unbound": Situation(
            lab({"persistentVolumeClaim": {"claimName": "home-rachel"}}),
            no_place,
            before=(unbound,),
        ),
        "folder_missing": Situation(
            lab({"hostPath": {"path": "/not/there", "type": "Directory"}}), event("FailedMount")
        ),
        "config_map_missing": Situation(
            lab({"configMap": {"name": "not-there"}}), event("FailedMount")
        ),
        "folder_in_a_file": Situation(
            lab({"hostPath": {"path": "/etc/hostname"}}, part),
            waiting("CreateContainerConfigError", "CreateContainerError"),
        ),
        "runtime_missing": Situation(
            pod(box, runtimeClassName="situation-sandboxed"),
            event("FailedCreatePodSandBox"),
            before=(runtime,),
        ),
        "home_gate": Situation(
            pod(box, schedulingGates=gated),
            lambda found, events: (
                found["status"].get("conditions", [{}])[0].get("reason") == "SchedulingGated"
            ),
        ),
    }
