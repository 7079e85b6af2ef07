"""Partitions of this node whose logs lost records, as auto-admin decided and as this node found (I9).

What a replica has seen of it is written beside its store: fences and later appends make the log longer, so that after
a restart its place might seem to lie in it again. What is frozen is never repaired, discarded or built anew.
"""

from __future__ import annotations

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.lmdb import keep_loss, loss_kept
from dynabus.adapters.logs import logger
from dynabus.core.ids import PartitionId
from dynabus.storage_node.replicas.assignments import Change
from dynabus.storage_node.replicas.hosted import Hosted

FROZEN_ELSEWHERE = "the partition is frozen: its log lost acknowledged records"


class Losses:
    """Decided ones by metadata, found ones by file."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._decided: frozenset[PartitionId] = frozenset()
        self._written: set[PartitionId] = set()
        self._unwritten: set[PartitionId] = set()
        """Of which it is told once that the disk refuses."""

    def learn(self, change: Change) -> frozenset[PartitionId]:
        """From metadata; returns the frozen partitions of that table."""
        if change.table is not None:
            others = (partition for partition in self._decided if partition.log != change.table)
            self._decided = frozenset((*others, *change.frozen))
        return change.frozen

    def __contains__(self, partition: PartitionId) -> bool:
        """Hands off its store."""
        return partition in self._decided or bool(loss_kept(self._folder.replica(partition)))

    def freeze(self, hosted: Hosted, now_ms: float) -> None:
        """As decided; also a replica that was away when the others found it."""
        if hosted.partition in self._decided:
            hosted.replica.lose(FROZEN_ELSEWHERE, now_ms, saw=False)

    def reopened(self, hosted: Hosted, now_ms: float, *, fence: bool) -> bool:
        """True if an earlier run found that its log lost what this replica holds."""
        why = loss_kept(self._folder.replica(hosted.partition))
        if why:
            hosted.replica.lose(why, now_ms, fence=fence)
            self._written.add(hosted.partition)
        return bool(why)

    def keep(self, hosted: Hosted) -> None:
        """Write down what a replica has just found; once, and until it is written."""
        if hosted.replica.saw_loss and hosted.partition not in self._written:
            try:
                keep_loss(self._folder.replica(hosted.partition), hosted.alarm)
            except OSError as error:
                if hosted.partition not in self._unwritten:
                    self._unwritten.add(hosted.partition)
                    logger().error("frozen, not written down yet", partition=str(hosted.partition), reason=str(error))
                return
            self._written.add(hosted.partition)
            logger().error("frozen", partition=str(hosted.partition), reason=hosted.alarm)
