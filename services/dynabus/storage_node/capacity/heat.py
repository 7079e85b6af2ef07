"""What a node tells auto-admin of its replicas' load, every few seconds and only where there was any.

All replicas say what they served, which auto-admin adds up for auto scaling. The leader of a hot partition says more:
how hot it is, and where a split would halve the load. Only there keys of requests are looked at, and they stay here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from dynabus.core.admission.heat import Cut, Heat, Range, cut
from dynabus.core.admission.messages import IndexCharge, NodeHeat, PartitionHeat
from dynabus.core.admission.partition import PartitionMeter
from dynabus.core.cluster_view import ClusterView
from dynabus.storage_node.replicas.hosted import Hosted

PERIOD_MS = 5000.0
"""Rules look at minutes, so seconds do; and a message costs less than a thousandth of a core."""

WATCHED_PERMILLE = 250
"""Of the cap. No rule may split below it (`heat_percent` of auto-admin is at least 30)."""

COLD_PERIODS = 12
"""A minute of less: then the samples are dropped. Load that comes and goes keeps them."""

TellHeat = Callable[[NodeHeat], None]


class HeatTeller:
    """`caps`: read and write units of a partition; None: load is counted, but no partition is hot."""

    def __init__(self, node: str, caps: tuple[int, int] | None, view: ClusterView, tell: TellHeat) -> None:
        self._node, self._view, self._tell = node, view, tell
        self._rates = None if caps is None else tuple(2 * units for units in caps)
        self._cold: dict[PartitionMeter, int] = {}
        """Meters with samples, and for how many periods they have not been hot."""
        self._since_ms: float | None = None

    @property
    def watched(self) -> int:
        """Partitions whose keys are looked at."""
        return len(self._cold)

    def step(self, replicas: Iterable[Hosted], now_ms: float) -> None:
        """Tell, if it is time. The first period begins with the first call."""
        if self._since_ms is None:
            self._since_ms = now_ms
        elapsed_ms = now_ms - self._since_ms
        if elapsed_ms < PERIOD_MS:
            return
        self._since_ms = now_ms
        hosted = [each for each in replicas if each.meter is not None]
        told = [each for each in (self._look(replica, elapsed_ms) for replica in hosted) if each is not None]
        present = {each.meter.meter for each in hosted if each.meter is not None}
        for meter in self._cold.keys() - present:
            del self._cold[meter]
        if told:
            self._tell({"node": self._node, "period_ms": int(elapsed_ms), "partitions": told})

    def _look(self, hosted: Hosted, elapsed_ms: float) -> PartitionHeat | None:
        assert hosted.meter is not None
        meter = hosted.meter.meter
        units = meter.take()
        heat = self._permille(units, elapsed_ms)
        is_hot = self._watch(meter, max(heat, default=0) >= WATCHED_PERMILLE)
        leads = hosted.replica.leader is not None and hosted.replica.leader.serving
        charges = self._charges(hosted) if leads else []
        if units is None and not charges:
            return None
        found = self._cut(hosted, meter, heat) if leads and is_hot else Cut(None, "")
        group, (log, number) = hosted.replica.place.group, hosted.partition
        return {
            "log": log,
            "partition": number,
            "generation": group.generation if group is not None else 0,
            "units": units or [0, 0, 0, 0],
            "heat": heat if leads and is_hot else [],
            "at": found.at,
            "why": found.why,
            "charges": charges,
        }

    def _charges(self, hosted: Hosted) -> list[IndexCharge]:
        """Of indexes of its table, since they were told last."""
        return [
            {"index": index.id, "units": halves}
            for name, halves in hosted.backlogs.take_charged().items()
            if (index := self._view.index(hosted.partition.log, name)) is not None
        ]

    def _permille(self, units: Sequence[int] | None, elapsed_ms: float) -> list[int]:
        """Reads and writes, with those that were refused, in thousandths of the cap."""
        if units is None or self._rates is None:
            return []
        reads, writes, no_reads, no_writes = units
        demand = (reads + no_reads, writes + no_writes)
        return [int(1e6 * each / elapsed_ms / rate) for each, rate in zip(demand, self._rates, strict=True)]

    def _watch(self, meter: PartitionMeter, is_hot: bool) -> bool:
        """Begin or end to look at keys."""
        if is_hot and self._rates is not None:
            if meter.heat is None:
                meter.heat = Heat(self._rates)
            self._cold[meter] = 0
        elif meter in self._cold:
            self._cold[meter] += 1
            if self._cold[meter] > COLD_PERIODS:
                meter.heat = None
                del self._cold[meter]
        return is_hot

    def _cut(self, hosted: Hosted, meter: PartitionMeter, heat: Sequence[int]) -> Cut:
        """Where the hotter kind of requests would be halved."""
        group, table = hosted.replica.place.group, self._view.table(hosted.partition.log)
        if group is None or table is None or meter.heat is None:
            return Cut(None, "")
        whole, number = bool(table.indexes.all), table.schema.hash_type == "N"
        bounds = Range(group.lower, group.upper, whole, number)
        return cut(meter.heat.samples[heat.index(max(heat))].keys, bounds)
