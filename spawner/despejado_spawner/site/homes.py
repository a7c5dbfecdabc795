"""What a site configures about homes and mounts, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from despejado_spawner.pods.models import ClaimMount, HomeProvisioner

Layout = Literal["username", "initial/username"]


class SettingsError(ValueError):
    """A setting that cannot be meant; the text names the key and what is allowed."""


@dataclass(frozen=True)
class HomeSettings:
    """Where homes are: on one shared claim, or each on its own; ``path`` is what they are below."""

    claim: str = ""
    own_claim: bool = False
    layout: Layout = "username"
    path: str = "/home"
    provisioner: HomeProvisioner | None = None

    def folder(self, name: str) -> str:
        """The folder of a user below ``path`` and below the claim's root."""
        return f"{name[:1]}/{name}" if self.layout == "initial/username" else name


def parse_homes(value: Mapping[str, Any]) -> HomeSettings:
    """Home settings from plain configuration.

    Raises
    ------
    SettingsError
        For an unknown key, a wrong type, or a combination that has no meaning.
    """
    _only("homes", value, ("claim", "own_claim", "layout", "path", "provisioner"))
    claim = _text("claim", value.get("claim", ""))
    own = value.get("own_claim", False)
    if not isinstance(own, bool):
        raise SettingsError(f"own_claim must be true or false, not {own!r}.")
    if bool(claim) == own:
        raise SettingsError("either claim (shared by all labs) or own_claim: true is needed.")
    layout = value.get("layout", "username")
    if layout not in get_args(Layout):
        raise SettingsError(f"layout is {layout!r}. Allowed: {', '.join(get_args(Layout))}.")
    path = _absolute("path", value.get("path", "/home"))
    provisioner = value.get("provisioner")
    if provisioner is not None and own:
        raise SettingsError("a provisioner makes folders of a shared claim; own_claim needs none.")
    return HomeSettings(
        claim=claim,
        own_claim=own,
        layout=cast(Layout, layout),
        path=path,
        provisioner=None if provisioner is None else _provisioner(provisioner),
    )


def parse_mount(value: Mapping[str, Any]) -> ClaimMount:
    """One more mount of a claim.

    Raises
    ------
    SettingsError
        For an unknown or missing key and for paths that are not absolute.
    """
    _only("lab_mounts", value, ("claim", "path", "sub_path", "read_only"))
    claim = _text("claim", value.get("claim", ""))
    if not claim:
        raise SettingsError("a mount needs claim, the name of a PersistentVolumeClaim.")
    return ClaimMount(
        claim=claim,
        path=_absolute("path", value.get("path", "")),
        sub_path=_text("sub_path", value.get("sub_path", "")),
        read_only=bool(value.get("read_only", False)),
    )


def _provisioner(value: object) -> HomeProvisioner:
    if not isinstance(value, Mapping):
        raise SettingsError("provisioner must be a mapping: namespace, claim, image.")
    _only("provisioner", value, ("namespace", "claim", "image", "timeout", "pull_secrets"))
    missing = [key for key in ("namespace", "claim", "image") if not value.get(key)]
    if missing:
        raise SettingsError(f"provisioner needs {missing[0]}.")
    return HomeProvisioner(
        namespace=_text("namespace", value["namespace"]),
        claim=_text("claim", value["claim"]),
        image=_text("image", value["image"]),
        timeout=float(value.get("timeout", 60.0)),
        pull_secrets=tuple(value.get("pull_secrets", ())),
    )


def _only(what: str, value: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in value:
        if key not in allowed:
            raise SettingsError(f"{what}: {key!r} is unknown. Allowed: {', '.join(allowed)}.")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{key} must be a text, not {value!r}.")
    return value


def _absolute(key: str, value: object) -> str:
    path = _text(key, value)
    if not path.startswith("/") or ".." in path.split("/"):
        raise SettingsError(f"{key} must be an absolute path, not {path!r}.")
    return path.rstrip("/") or "/"
