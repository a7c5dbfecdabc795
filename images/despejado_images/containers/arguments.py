"""Command lines of buildah, podman and docker. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from despejado_images.containers.models import BuildStep, EngineName, RunStep
from despejado_images.reference import is_loopback, registry_of


def build_arguments(
    engine: EngineName, step: BuildStep, context: Path, secrets: Mapping[str, Path]
) -> list[str]:
    """Build a step from its context folder, which has the ``Containerfile``.

    ``secrets`` are files that the build may read and that stay in no layer. Layers are cached by
    the engine only within one build: what may be used again is decided by the step's key.
    """
    arguments = ["bud" if engine == "buildah" else "build"]
    if engine != "docker":
        # Some builds run where a network or user namespace cannot be made (CI in a container).
        arguments += ["--isolation", "chroot", "--layers=false", "--pull-never"]
    else:
        arguments += ["--no-cache", "--progress=plain", "--provenance=false"]
    arguments += ["--build-arg", f"BASE={step.parent}", "--tag", step.reference]
    for name, path in sorted(secrets.items()):
        arguments += ["--secret", f"id={name},src={path}"]
    for name, value in sorted(step.labels.items()):
        arguments += ["--label", f"{name}={value}"]
    return [*arguments, "--file", str(context / "Containerfile"), str(context)]


def run_arguments(engine: EngineName, step: RunStep, container: str) -> list[str]:
    """Run a command as an arbitrary user, without a network where the engine can do that.

    buildah runs it in ``container``, made by ``create_arguments``; the others make their own,
    with a root file system that is read-only as it is on a cluster.
    """
    mounts = [
        part
        for source, target in sorted(step.mounts.items())
        for part in ("--volume", f"{source}:{target}:ro")
    ]
    if engine == "buildah":
        arguments = ["run", "--isolation", "chroot", "--user", step.user, *mounts, container, "--"]
        return [*arguments, *step.command]
    arguments = ["run", "--rm", "--name", container, "--user", step.user, "--network", "none"]
    arguments += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    arguments += ["--read-only", "--tmpfs", "/tmp:mode=1777", *mounts]  # noqa: S108 - inside it
    arguments += ["--entrypoint", step.command[0], step.reference]
    return [*arguments, *step.command[1:]]


def create_arguments(reference: str, container: str) -> list[str]:
    """buildah: a container of an image, to run in."""
    return ["from", "--pull-never", "--name", container, reference]


def push_arguments(engine: EngineName, reference: str, remote: str, digest: Path) -> list[str]:
    """Push an image; the manifest's digest is written to the file ``digest`` (not by docker)."""
    if engine == "docker":
        return ["push", remote]
    insecure = ["--tls-verify=false"] if is_loopback(registry_of(remote)) else []
    # OCI manifests keep annotations and are what registries and clusters expect today.
    form = ["--format", "oci"] if engine == "podman" else []
    return ["push", *insecure, *form, "--digestfile", str(digest), reference, f"docker://{remote}"]


def list_arguments(engine: EngineName, repository: str) -> list[str]:
    """The names of all images of a repository here, newest first."""
    name = "{{.Name}}" if engine == "buildah" else "{{.Repository}}"
    return ["images", "--filter", f"reference={repository}", "--format", f"{name}:{{{{.Tag}}}}"]


def dangling_arguments() -> list[str]:
    """The ids of all images here that have no name."""
    return ["images", "--filter", "dangling=true", "--quiet", "--no-trunc"]


def pull_arguments(engine: EngineName, remote: str) -> list[str]:
    """Pull an image."""
    if engine == "docker":
        return ["pull", "--quiet", remote]
    insecure = ["--tls-verify=false"] if is_loopback(registry_of(remote)) else []
    return ["pull", "--quiet", *insecure, remote]
