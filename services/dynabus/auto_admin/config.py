"""Settings of auto-admin."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings
from dynabus.auto_admin.splitting.heat import HeatRule
from dynabus.core.tables.partition_needs import Policy


class AutoAdminSettings(ServiceSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    region: str = Field(default="us-east-1", description="Region in the ARNs of tables.")
    account: str = Field(default="000000000000", pattern=r"^\d{12}$", description="Account id in the ARNs of tables.")
    replicas: int = Field(default=3, ge=1, le=7, description="Replicas of a partition, one per zone where possible.")
    initial_partitions: int = Field(
        default=1, ge=1, le=256, description="Partitions of a new table, unless its throughput needs more."
    )
    on_demand_partitions: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Partitions of a new on-demand table, or of one that becomes one (DynamoDB: 4).",
    )
    placement_wait_ms: int = Field(
        default=3000,
        ge=0,
        description="How long after the first node was heard a table waits for enough nodes (milliseconds).",
    )
    split_bytes: int = Field(
        default=10 << 30,
        ge=1,
        description="A partition with more bytes than this, index entries included, is split (DynamoDB: 10 GB).",
    )
    heat_percent: int = Field(
        default=80,
        ge=30,
        le=100,
        description="A partition whose reads or writes take so much of its cap (percent, on average over the window) "
        "is split where its load lies.",
    )
    heat_window_s: int = Field(
        default=300,
        ge=5,
        le=86_400,
        description="How long heat must last (seconds); what is shorter is what bursts are for.",
    )
    heat_partitions_most: int = Field(
        default=64,
        ge=0,
        le=10_000,
        description="A table with so many partitions is not split for heat any more; 0: none ever is.",
    )
    repair_after_ms: int = Field(
        default=60_000,
        ge=1000,
        description="A node that is silent for longer is replaced in all its groups (milliseconds).",
    )
    moves_most: int = Field(
        default=4, ge=0, le=1000, description="Groups whose members change at the same time; 0: none is ever changed."
    )
    double_up: bool = Field(
        default=False, description="Put two replicas of a group into one zone rather than leave it one short."
    )
    log_retention_s: float = Field(
        default=3600,
        ge=0,
        description="Seconds for which records stay in replication logs though no replica needs them: for other "
        "readers of Kafka, and for replicas that come back and need not be cloned then.",
    )
    stream_retention_s: int = Field(
        default=86_400,
        ge=60,
        description="Seconds for which records of streams stay (DynamoDB: 24 hours), and streams that were disabled.",
    )
    log_readers: str = Field(
        default="",
        description="Consumer groups, with commas between them, that no log is pruned past: up to what they "
        "committed; a log for which one has committed nothing is not pruned at all.",
    )
    log_lag_records: int = Field(
        default=1_000_000,
        ge=0,
        description="Records that a reader may keep in a log beyond the retention until `dynabus status` names it.",
    )
    prune_every_ms: int = Field(
        default=10_000, ge=100, description="Milliseconds between two looks at what can be pruned."
    )
    heartbeat_ms: int = Field(default=1500, ge=50, description="Period of heartbeats (milliseconds).")

    @property
    def stream_retention_ms(self) -> int:
        """As Kafka has it."""
        return self.stream_retention_s * 1000

    @property
    def readers(self) -> tuple[str, ...]:
        """The names in `log_readers`."""
        return tuple(name for each in self.log_readers.split(",") if (name := each.strip()))


def heat_rule(settings: AutoAdminSettings) -> HeatRule:
    """When a partition is split for its heat."""
    return HeatRule(settings.heat_percent, settings.heat_window_s * 1000.0, settings.heat_partitions_most)


def partition_policy(settings: AutoAdminSettings, most: int) -> Policy:
    """How many partitions tables get; `most` is what Kafka bears."""
    return Policy(settings.initial_partitions, settings.on_demand_partitions, most)
