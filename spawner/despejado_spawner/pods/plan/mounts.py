"""What a lab's container sees of volumes: the site's, the claims of the plan, /tmp (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from despejado_spawner.pods.models import ClaimMount, Manifest, PlanError, PodPlan
from despejado_spawner.pods.plan.files import FileMounts
from despejado_spawner.units import format_memory

TEMPORARY = "/tmp"  # noqa: S108 (the pod's own emptyDir)

_TEMPORARY_VOLUME = "despejado-tmp"
_HOME_VOLUME = "despejado-home"
_OWN_VOLUMES = "despejado-"
_CLOSED = ("/etc/despejado", "/etc/nublado", "/opt/despejado", "/proc", "/sys", "/dev")
"""Folders that no mount may cover or lie in."""
_COVERED = ("/etc/passwd", "/etc/group", TEMPORARY)
"""Paths that no mount may cover."""
_FREE = ("/dev/shm",)  # noqa: S108 (a mount point: sites give it more memory)


def mount_all(spec: Manifest, notebook: Manifest, plan: PodPlan, files: FileMounts) -> None:
    """Check the mounts of the site, then add the lab's own volumes and mounts."""
    given = spec.get("volumes") or []
    for volume in given:
        if volume["name"].startswith(_OWN_VOLUMES):
            raise PlanError(
                f"The site's volume {volume['name']!r} has a name of the platform's.",
                f"Call it by one that does not begin with {_OWN_VOLUMES!r}.",
            )
    site = notebook.get("volumeMounts") or []
    claim_volumes, claim_mounts = _claims(plan)
    taken: dict[str, str] = {}
    for mount in [*site, *claim_mounts]:
        _check_mount(mount, taken, launcher=plan.launcher)
    volumes, mounts = _temporary(plan)
    spec["volumes"] = [*given, *files.volumes, *volumes, *claim_volumes]
    notebook["volumeMounts"] = [*site, *files.mounts, *mounts, *claim_mounts]


def _claims(plan: PodPlan) -> tuple[list[Manifest], list[Manifest]]:
    """One volume for each claim, however many folders of it are mounted."""
    wanted = [plan.home.mount] if plan.home else []
    wanted += plan.mounts
    by_claim: dict[str, list[ClaimMount]] = {}
    for use in wanted:
        by_claim.setdefault(use.claim, []).append(use)
    names = {claim: f"despejado-claim-{number}" for number, claim in enumerate(by_claim, 1)}
    volumes: list[Manifest] = []
    for claim, uses in by_claim.items():
        source: Manifest = {"claimName": claim}
        if all(use.read_only for use in uses):
            source["readOnly"] = True
        volumes.append({"name": names[claim], "persistentVolumeClaim": source})
    mounts: list[Manifest] = []
    for use in wanted:
        mount: Manifest = {"name": names[use.claim], "mountPath": use.path}
        if use.sub_path:
            mount["subPath"] = use.sub_path
        if use.read_only:
            mount["readOnly"] = True
        mounts.append(mount)
    return volumes, mounts


def _temporary(plan: PodPlan) -> tuple[list[Manifest], list[Manifest]]:
    """The folder for temporary files, and a home that goes with the lab where the site has none.

    In memory it is charged to the lab: what is written there counts to its memory limit.
    """
    temporary = plan.settings.temporary
    source: Manifest = {"medium": "Memory"} if temporary.in_memory else {}
    if temporary.size is not None:
        source["sizeLimit"] = format_memory(temporary.size)
    volumes: list[Manifest] = [{"name": _TEMPORARY_VOLUME, "emptyDir": source}]
    mounts: list[Manifest] = [{"name": _TEMPORARY_VOLUME, "mountPath": TEMPORARY}]
    if plan.home is None:
        volumes.append({"name": _HOME_VOLUME, "emptyDir": {}})
        mounts.append({"name": _HOME_VOLUME, "mountPath": str(plan.lab.home)})
    return volumes, mounts


def _check_mount(mount: Manifest, taken: dict[str, str], *, launcher: bool) -> None:
    """Refuse a mount that cannot be meant; ``taken`` collects the paths so far."""
    path, volume = mount.get("mountPath") or "", mount["name"]
    what = f"The mount of volume {volume!r} at {path!r}"
    parts = path.split("/")
    if not path.startswith("/") or ".." in parts or ":" in path:
        raise PlanError(f"{what} is refused: its path must be absolute, without '..' and ':'.")
    sub_path = mount.get("subPath") or mount.get("subPathExpr") or ""
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise PlanError(
            f"{what} is refused: its folder in the volume is {sub_path!r}, which must be relative "
            "and without '..'."
        )
    plain = "/" + "/".join(part for part in parts if part not in ("", "."))
    for reserved in _reserved(launcher=launcher):
        inside = reserved in _CLOSED and PurePosixPath(plain).is_relative_to(reserved)
        if plain not in _FREE and (inside or PurePosixPath(reserved).is_relative_to(plain)):
            raise PlanError(
                f"{what} is refused: it would cover {reserved}, which belongs to the system or "
                "the platform.",
                "Mount it elsewhere.",
            )
    if plain in taken:
        raise PlanError(
            f"{what} is refused: volume {taken[plain]!r} is mounted there already.",
            "Give each a path of its own.",
        )
    taken[plain] = volume


def _reserved(*, launcher: bool) -> Iterable[str]:
    for path in (*_CLOSED, *_COVERED):
        if launcher or path != "/opt/despejado":
            yield path


def shared_writable(plan: PodPlan) -> tuple[ClaimMount, ...]:
    """The mounts of claims that other labs use too and that this one may write to."""
    mounts = list(plan.mounts)
    if plan.home is not None and not plan.home.own_claim:
        mounts.append(plan.home.mount)
    return tuple(mount for mount in mounts if not mount.read_only)
