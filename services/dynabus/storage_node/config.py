"""Settings of a storage node."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings
from dynabus.core.admission import Mode
from dynabus.core.local_indexes import COLLECTION_BYTES_MOST
from dynabus.core.replication.effects import Timing
from dynabus.core.replication.election import ElectionTiming
from dynabus.core.replication.lease import LeaseTiming
from dynabus.core.tables.descriptions import PARTITION_READ_UNITS, PARTITION_WRITE_UNITS


class StorageNodeSettings(ServiceSettings):
    """What a storage node adds to the settings of every service."""

    heartbeat_ms: int = Field(
        default=1500,
        ge=50,
        le=60_000,
        description="Milliseconds between heartbeats; the same on every node of a cluster.",
    )
    missed: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Heartbeats of a leader that must be missed before another replica asks to take over.",
    )
    lease_ms: int = Field(
        default=3000,
        ge=100,
        le=60_000,
        description="D: how long a leader may answer strong reads after it sent its last accepted record; "
        "the same on every node of a cluster.",
    )
    clock_drift: float = Field(
        default=0.02,
        ge=0,
        le=0.5,
        description="Largest difference in speed between two hosts' clocks that is still safe, as a fraction.",
    )
    barrier_reads: bool = Field(
        default=False,
        description="Answer strong reads only after a barrier was appended and read back: slower, trusts no clock.",
    )
    step_down_ms: int = Field(
        default=5000,
        ge=500,
        description="A leader whose record is not accepted for so many milliseconds steps down.",
    )
    sync: bool = Field(
        default=False,
        description="Sync data pages at every commit, so that a replica survives a host crash; without it such a "
        "replica is opened from its checkpoint, cloned or rebuilt from its log.",
    )
    commit_interval_ms: int = Field(
        default=1000,
        ge=1,
        le=60_000,
        description="Milliseconds after which applied records are committed to LMDB; a restart reads the rest again.",
    )
    commit_records: int = Field(
        default=1000,
        ge=1,
        description="Applied records of one replica after which they are committed, whatever the time; LMDB keeps "
        "4 KB of memory for each.",
    )

    collection_bytes: int = Field(
        default=COLLECTION_BYTES_MOST,
        ge=1,
        description="Bytes that an item collection of a table with local secondary indexes may have, its index "
        "entries included.",
    )

    throttling: Mode = Field(
        default=Mode.ON,
        description="Whether partitions refuse what exceeds their caps: on, off, or report (pass, and list it).",
    )
    partition_read_units: int = Field(
        default=PARTITION_READ_UNITS, ge=1, description="Read units that one replica of a partition serves a second."
    )
    partition_write_units: int = Field(
        default=PARTITION_WRITE_UNITS, ge=1, description="Write units that a partition takes a second."
    )

    scrub_period_s: int = Field(
        default=86_400,
        ge=0,
        description="Seconds between two scrubs of a replica, in which every row is read and compared with its "
        "checksums, and a damaged replica is rebuilt; the first one is a minute after the start (0: only on demand).",
    )
    scrub_mb_per_s: float = Field(
        default=8.0,
        gt=0,
        description="Megabytes a second that scrubs read at most on this node, one replica at a time.",
    )

    max_clock_lead_ms: int = Field(
        default=60_000,
        ge=0,
        description="Milliseconds by which a write of another region of a global table may be stamped ahead of "
        "this node's clock; beyond it the write waits, with an alarm, and is parked if it is more than an hour. "
        "Clocks that differ by less decide only who wins a conflict.",
    )

    expire_per_s: int = Field(
        default=1000,
        ge=0,
        le=10_000,
        description="Items whose time to live is over that this node deletes in a second at most, of all partitions "
        "that it leads (0: none).",
    )

    tombstone_rows_per_s: int = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="Rows that this node looks at in a second at most, of all partitions that it leads, for "
        "tombstones that are not needed any more: so many of global secondary indexes, and as many of global tables; "
        "a partition is walked only while there may be some (0: they stay).",
    )

    tombstone_least_s: int = Field(
        default=86_400,
        ge=0,
        description="Seconds for which a deletion in a global table is remembered at least, however soon all regions "
        "have it.",
    )

    floors_every_s: int = Field(
        default=30,
        ge=1,
        le=86_400,
        description="Seconds between two records by which the log of each partition of a global table says up to "
        "which time writes are decided here and in other regions: so deletions are forgotten, after the least.",
    )

    clone_mb_per_s: float = Field(
        default=8.0,
        ge=0,
        description="Megabytes a second that this node sends of its replicas to nodes that clone them, and as many "
        "that it receives (0: as fast as it goes).",
    )
    clone_after_records: int = Field(
        default=100_000,
        ge=0,
        description="A replica of which nothing is here is cloned from another node if its log, with those of the "
        "partitions that it was split from, has more records; else they are replayed.",
    )

    checkpoint_records: int = Field(
        default=100_000,
        ge=1,
        description="Records that a replica reads until it is copied beside its store again, synced, unless that "
        "is less than half of its items; logs are pruned behind these copies only (no copies with `sync`).",
    )
    checkpoint_mb_per_s: float = Field(
        default=8.0, ge=0, description="Megabytes a second that such copies are made with (0: as fast as it goes)."
    )

    def timing(self) -> Timing:
        """The periods of replication."""
        return Timing(
            lease=LeaseTiming(duration_ms=float(self.lease_ms), drift=self.clock_drift),
            election=ElectionTiming(heartbeat_ms=float(self.heartbeat_ms), missed=self.missed),
            step_down_ms=float(self.step_down_ms),
            barrier_reads=self.barrier_reads,
        )
