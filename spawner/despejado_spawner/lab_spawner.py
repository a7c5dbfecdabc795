"""Former place of ``LabSpawner``, now :mod:`despejado_spawner.pods.spawner`."""

from __future__ import annotations

from typing import Any

from despejado_spawner.moved import moved

__getattr__: Any = moved(__name__, "despejado_spawner.pods.spawner", ["LabSpawner"])
