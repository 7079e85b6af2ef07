"""Which consumer reads which log: `catch_up` a log that is behind, then `main` or `followed` (`readers`).

A replica that stands still hears no records meanwhile; once it goes on its place is sought again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dynabus.core.replication.place import one_before
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.readers import By, Readers


class Following:
    """Of the replicas of this node, `by_log`. `replayed`: one that joins its group has come to the end of its log."""

    def __init__(self, readers: Readers, by_log: Mapping[tuple[str, int], Hosted]) -> None:
        self.replayed = False
        self._readers, self._by_log = readers, by_log

    def catch_up(self, hosted: Hosted, *, compare: bool = False) -> None:
        """Read from its place on, behind which there may be a lot.

        `compare`: from the record before it, which `Intake` looks at and drops.
        """
        place, hosted.comparing = hosted.replica.place, compare
        self._readers.read(By.CATCH_UP, [(hosted.log, one_before(place) if compare else place)])

    def move_caught_up(self) -> None:
        """Those that have come to the ends of their logs."""
        for log in list(self._readers.catching_up):
            hosted = self._by_log[log]
            end = max(self._readers.end_offset(log), hosted.replica.end_offset or 0)
            hosted.replica.end_offset = end
            # A child's log may not have begun yet; here its genesis is read at once.
            here = hosted.replica.place.next_offset >= end and hosted.replica.place.group is not None
            if here and not hosted.comparing:
                self._move(hosted)
                # Auto-admin waits for one that joins; a period of heartbeats would be most of its time.
                self.replayed = self.replayed or hosted.state == "joining"

    def settle(self, hosted: Hosted) -> None:
        """Who leads may have changed, and with it who should read; or it goes on after it stood still."""
        if self._by_log.get(hosted.log) is not hosted:
            return  # another one has taken its place
        standstill = hosted.replica.standstill
        if standstill.missed and not standstill:
            standstill.missed = False
            self.catch_up(hosted, compare=hosted.replica.place.next_offset > 0)
        reader = self._readers.reader_of(hosted.log)
        if reader is not None and reader is not By.CATCH_UP and reader is not hosted.best_read_by:
            self._move(hosted)

    def look_at_ends(self, replicas: Iterable[Hosted]) -> None:
        """Tell these replicas where their logs end, as far as fetches told."""
        for hosted in replicas:
            end = self._readers.end_offset(hosted.log)
            if end >= 0:
                hosted.replica.end_offset = max(end, hosted.replica.place.next_offset)

    def _move(self, hosted: Hosted) -> None:
        if self._readers.knows(hosted.log.topic):
            self._readers.read(hosted.best_read_by, [(hosted.log, hosted.replica.place)])
