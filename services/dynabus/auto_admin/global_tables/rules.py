"""What auto-admin does for regions and global tables without being asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dynabus.auto_admin.config import AutoAdminSettings
from dynabus.auto_admin.global_tables.following import Following
from dynabus.auto_admin.global_tables.regions import RegionRecords
from dynabus.auto_admin.outside import Bus
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.global_tables.messages import RegionMetadata
from dynabus.core.replication.store import Evaluate, Reader


class GlobalRules:
    """Records of regions, and what follows from rows of tables."""

    def __init__(self, settings: AutoAdminSettings, bus: Bus, store: Reader, wall_ms: Callable[[], int]) -> None:
        self._namespace = settings.namespace
        # A default is nobody's word: clusters of before regions existed must not become one by an upgrade.
        self._own = settings.region if "region" in settings.model_fields_set else ""
        self._records, self._following = RegionRecords(bus, store), Following(wall_ms)

    def saw(self, message: RegionMetadata) -> None:
        """A record of the metadata topic, whoever wrote it."""
        self._records.saw(message)

    def step(
        self, states: Mapping[str, TableState], now_ms: float, decide: Callable[[bytes, Evaluate], None]
    ) -> None:
        """Only while no decision is under way."""
        rows = self._records.step(self._own, self._namespace, decide)
        self._following.step(states, rows, now_ms, decide)
