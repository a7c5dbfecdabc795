"""The plain objects that do the work of one ``LabSpawner``, put together."""

from __future__ import annotations

from typing import Any

from despejado_spawner.pods.diagnosis.diagnose import Settings
from despejado_spawner.pods.homes import LabHomes
from despejado_spawner.pods.kubespawner.planner import StockPlanner
from despejado_spawner.pods.kubespawner.profiles import Overrides, ProfileOptions
from despejado_spawner.pods.kubespawner.stock import Stock
from despejado_spawner.pods.lab_cluster import LabCluster
from despejado_spawner.pods.monitor import LabMonitor
from despejado_spawner.pods.options import MenuOptions, PodOptions
from despejado_spawner.pods.planner import LabPlanner, Planner
from despejado_spawner.pods.renewal import SecretRenewal
from despejado_spawner.pods.starter import LabStarter


class LabParts:
    """What a spawner's hook points call.

    Here, and nowhere else, is decided whether the site has an image menu or is as KubeSpawner has
    it (its own pod and profiles). ``stock`` is the spawner without our hook points (``super()``).
    """

    def __init__(self, spawner: Any, stock: Any) -> None:
        source = Stock(spawner)
        self.cluster = LabCluster(spawner)
        self.homes = LabHomes(spawner)
        self.overrides = Overrides(spawner)
        self.profiles = ProfileOptions(spawner, stock, self.overrides)
        self.menu: MenuOptions | None = None
        self.options: PodOptions = self.profiles
        self.planner: Planner = StockPlanner(spawner, source)
        if spawner.image_source is not None:
            self.options = self.menu = MenuOptions(spawner, spawner.image_source)
            self.planner = LabPlanner(spawner, source, self.menu, self.homes)
        self.monitor = LabMonitor(
            spawner, self.cluster, source, self._settings_of(spawner), spawner.poll_and_notify
        )
        self.renewal = SecretRenewal(spawner, self.cluster)
        self.starter = LabStarter(
            spawner,
            source,
            self.cluster,
            self.options,
            self.planner,
            self.homes,
            self.monitor,
        )

    def _settings_of(self, spawner: Any) -> Any:
        def settings() -> Settings:
            return Settings(
                autoscaler=spawner.autoscaler,
                image_retry_seconds=spawner.image_retry,
                bigger_size=self.options.bigger_size(),
                image_bytes=self.options.image_bytes(),
            )

        return settings
