"""Settings of auto-admin."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings


class AutoAdminSettings(ServiceSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    region: str = Field(default="us-east-1", description="Region in the ARNs of tables.")
    account: str = Field(default="000000000000", pattern=r"^\d{12}$", description="Account id in the ARNs of tables.")
    replicas: int = Field(default=3, ge=1, le=7, description="Replicas of a partition, one per zone where possible.")
    initial_partitions: int = Field(
        default=1, ge=1, le=256, description="Partitions of a new table, unless its throughput needs more."
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
    def readers(self) -> tuple[str, ...]:
        """The names in `log_readers`."""
        return tuple(name for each in self.log_readers.split(",") if (name := each.strip()))
