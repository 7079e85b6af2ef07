"""How a replica stops: for good, with an alarm, or while its log is in doubt (`standstill`). A part of `Replica`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dynabus.core.ids import NodeName
from dynabus.core.replication.effects import Append, Beat, Effect, Peer, Surroundings
from dynabus.core.replication.leader import Leader
from dynabus.core.replication.place import Place
from dynabus.core.replication.records import Record
from dynabus.core.replication.standstill import Standstill, encode_fence, is_fence


class Stoppable(ABC):
    """`alarm`: why it has stopped. `lost`: its log lost acknowledged records (I9), some of which `saw_loss` holds."""

    place: Place
    leader: Leader | None
    around: Surroundings
    _effects: list[Effect]

    def __init__(self) -> None:
        self.alarm: str | None = None
        self.lost, self.saw_loss, self.standstill = False, False, Standstill()

    @abstractmethod
    def _retire(self, now_ms: float) -> None:
        """The term is over for this replica."""

    def freeze(self, why: str, now_ms: float) -> None:
        """Stop reading, serving and claiming, for good; the reason is what status and heartbeats show."""
        self.alarm = why
        self._retire(now_ms)

    def lose(self, why: str, now_ms: float, *, saw: bool = True, fence: bool = True) -> None:
        """Kafka lost acknowledged records: frozen, and by the fence so is whoever else reads this log.

        `saw`: by its own place, not as another told, so that it may hold what the log does not. Others need no fence.

        What a sealed log held is its children's, so that its replicas have nothing to lose. The log of no members,
        the admin log, is not fenced: all its readers begin at its start, and a restart reads what is left.
        """
        if self.alarm is not None or self.place.sealed:
            return
        self.lost, self.saw_loss = True, saw or self.standstill.beyond
        self.freeze(why, now_ms)
        self._effects.append(Beat())
        group, around = self.place.group, self.around
        if fence and self.saw_loss and group is not None and group.members:
            self._effects.append(Append(encode_fence(group.generation, around.me, around.bodies)))

    def doubt(self, why: str, now_ms: float, *, beyond: bool = False) -> None:
        """The place may lie outside of the log; `beyond`: behind its end, as Kafka says, so that others are told."""
        self.standstill.doubt(why)
        if beyond and not self.standstill.beyond:
            self.standstill.beyond = True
            self._effects.append(Beat())
        self._halt()

    def heard_of_loss(self, node: NodeName, peer: Peer, now_ms: float) -> None:
        """What another replica says of its own log, which is this one's."""
        if peer.lost:
            self.lose(f"{node} is frozen: {peer.lost}", now_ms, saw=False)
        self.standstill.heard(node, peer.doubtful)
        self._halt()

    def _halt(self) -> None:
        """A leader that stands still serves nobody until it has claimed again."""
        if self.standstill and self.leader is not None and self.leader.serving:
            self.leader.serving = False
            self._effects.append(Beat())

    def _diverged(self, record: Record, now_ms: float) -> None:
        if is_fence(record):
            by = f"by {record.writer.node}, whose alarm says why"
            self.lose(f"frozen at offset {record.offset}, {by}", now_ms, saw=False)
        elif self.standstill.missed and record.offset > self.place.next_offset:
            return  # of before it stood still: its place is not sought again yet
        else:
            self.lose(f"diverged at offset {record.offset}: the log is not the one that was read before", now_ms)
