"""Who a lab's containers run as, and Pod Security *restricted* for all of them (pure).

The rules are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/ as the
API server of Kubernetes 1.36 checks them. What a site says about a container stays where the rules
allow it. What cannot be taken away without changing what the site means (a ``hostPath`` volume,
say) stays as well; :func:`still_refused` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from despejado_spawner.models import Identity
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import CONTAINER

_ADDABLE_CAPABILITY = "NET_BIND_SERVICE"
_SECCOMP_DEFAULT = "RuntimeDefault"
_ALLOWED_PROFILES = ("RuntimeDefault", "Localhost")
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)


def containers(pod: Manifest) -> Iterator[Manifest]:
    """All containers of a pod, init containers and sidecars too."""
    for kind in ("initContainers", "containers"):
        yield from pod["spec"].get(kind) or []


def run_as(pod: Manifest, identity: Identity, *, own_identity: bool) -> None:
    """Write the identity at pod level, so that every container has it.

    With ``own_identity`` it is the user's and replaces what the site says for the pod and for the
    lab's container; without, it is a default for what the site leaves open.
    """
    context = _context(pod["spec"])
    wanted: dict[str, Any] = {"runAsUser": identity.uid, "runAsGroup": identity.gid}
    if own_identity:
        wanted["supplementalGroups"] = list(identity.supplemental_gids)
        context.update(wanted)
        for container in containers(pod):
            if container["name"] == CONTAINER:
                for key in ("runAsUser", "runAsGroup"):
                    (container.get("securityContext") or {}).pop(key, None)
    else:
        for key, value in wanted.items():
            if context.get(key) is None:
                context[key] = value


def restrict(pod: Manifest, identity: Identity, *, own_identity: bool = True) -> None:
    """Change a pod so that a namespace that enforces *restricted* takes it.

    ``identity`` is written as by :func:`run_as`; a root user is replaced by it in any case.
    """
    context = _context(pod["spec"])
    if context.get("runAsUser") == 0:
        del context["runAsUser"]
    run_as(pod, identity, own_identity=own_identity)
    context["runAsNonRoot"] = True
    if _profile(context, "seccompProfile") not in _ALLOWED_PROFILES:
        context["seccompProfile"] = {"type": _SECCOMP_DEFAULT}
    _common(context)
    for container in containers(pod):
        _restrict_container(_context(container))
    annotations = pod["metadata"].get("annotations") or {}
    for name, value in list(annotations.items()):
        allowed = value == "runtime/default" or value.startswith("localhost/")
        if name.startswith(_APPARMOR_ANNOTATION) and not allowed:
            del annotations[name]


def still_refused(pod: Manifest) -> tuple[str, ...]:
    """What *restricted* forbids and :func:`restrict` leaves, one sentence each."""
    spec = pod["spec"]
    found = [f"{key} is true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    for volume in spec.get("volumes") or []:
        kinds = [key for key in volume if key != "name" and key not in _VOLUMES]
        found += [f"volume {volume['name']} is of the kind {kind}" for kind in kinds]
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or []:
        if sysctl["name"] not in _SYSCTLS:
            found.append(f"sysctl {sysctl['name']} is set")
    for container in containers(pod):
        name = container["name"]
        ports = [port["hostPort"] for port in container.get("ports") or [] if port.get("hostPort")]
        found += [f"container {name} has the host port {port}" for port in ports]
        if any(_hosts(container)):
            found.append(f"container {name} has a probe or lifecycle hook with a host")
    return tuple(found)


def _restrict_container(context: Manifest) -> None:
    context["allowPrivilegeEscalation"] = False
    capabilities: Manifest = {"drop": ["ALL"]}
    if _ADDABLE_CAPABILITY in ((context.get("capabilities") or {}).get("add") or []):
        capabilities["add"] = [_ADDABLE_CAPABILITY]
    context["capabilities"] = capabilities
    for key in ("privileged", "runAsNonRoot", "procMount"):
        context.pop(key, None)
    if context.get("runAsUser") == 0:
        del context["runAsUser"]
    if _profile(context, "seccompProfile") not in (None, *_ALLOWED_PROFILES):
        del context["seccompProfile"]
    _common(context)


def _common(context: Manifest) -> None:
    """Fields that a pod and a container have with the same rules."""
    if _profile(context, "appArmorProfile") not in (None, *_ALLOWED_PROFILES):
        del context["appArmorProfile"]
    options = context.get("seLinuxOptions")
    if options:
        options.pop("user", None)
        options.pop("role", None)
        if options.get("type", "") not in _SELINUX_TYPES:
            del options["type"]
    (context.get("windowsOptions") or {}).pop("hostProcess", None)


def _context(owner: Manifest) -> Manifest:
    """The security context of a pod's spec or a container, made where there is none."""
    if owner.get("securityContext") is None:
        owner["securityContext"] = {}
    context: Manifest = owner["securityContext"]
    return context


def _profile(context: Manifest, key: str) -> str | None:
    kind: str | None = (context.get(key) or {}).get("type")
    return kind


def _hosts(container: Manifest) -> Iterator[str]:
    handlers = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
    lifecycle = container.get("lifecycle") or {}
    handlers += [lifecycle.get("postStart"), lifecycle.get("preStop")]
    for handler in handlers:
        for action in ("httpGet", "tcpSocket"):
            host = ((handler or {}).get(action) or {}).get("host")
            if host:
                yield host
