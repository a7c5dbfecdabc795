"""KubeSpawner's profile list, strict in what it takes: wrong input is a 400, nothing leaks."""

from despejado_spawner.pods.kubespawner.profiles.hub import ProfileOptions
from despejado_spawner.pods.kubespawner.profiles.overrides import Overrides

__all__ = ["Overrides", "ProfileOptions"]
