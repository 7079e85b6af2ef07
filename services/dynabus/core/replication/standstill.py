"""Standing still: what a replica does while its log may have lost acknowledged records (I9).

| its own place              | another replica says | it                                                           |
|----------------------------|----------------------|--------------------------------------------------------------|
| lies in the log            | nothing of the kind  | goes on                                                      |
| may lie outside of the log | -                    | stands still, while Kafka is asked                           |
| lies beyond the log's end  | -                    | stands still and says *doubtful*                             |
| beyond it for ten seconds  | -                    | is frozen, says *frozen*, and fences the log                 |
| diverged                   | -                    | the same, at once                                            |
| lies in the log            | doubtful             | stands still, until that one says that it was wrong          |
| lies in the log            | frozen               | is frozen                                                    |
| any                        | (a fence in the log) | is frozen                                                    |

Who stands still neither reads on nor claims nor serves, and forgets nothing: it goes on where it was. Without that,
replicas that are consistent with what Kafka has left would go on as a majority, and over the writes that only the
other one holds. What they acknowledged between the loss and hearing of it is what a recovery can lose.

A *fence* is a claim of the highest term. For every reader at any place of that generation it is a term too high, so
it diverges there and stops: frozen is decided in the log as everything else, for those too that hear no heartbeat. A
leader that has not read it yet goes on for as long as its lease holds, which is what a recovery's first leader waits
out (I7).
"""

from __future__ import annotations

from dynabus.core.ids import NodeName, Writer
from dynabus.core.replication.records import CHAIN_START, Bodies, Empty, Envelope, Kind, Record, encode_record

FENCE_TERM = 2**62
"""No term that was ever claimed, and it fits Avro's signed long."""


class Standstill:
    """Of one replica. `missed`: records went by meanwhile; whoever reads for it must seek its place again."""

    __slots__ = ("_others", "beyond", "missed", "own")

    def __init__(self) -> None:
        self.own = ""
        """Why its place may lie outside of the log."""
        self.beyond = False
        """Kafka said so once at least: told to the others."""
        self.missed = False
        self._others: set[NodeName] = set()

    @property
    def why(self) -> str:
        """Empty while it goes on."""
        if self.own or not self._others:
            return self.own
        return f"stands still: for {', '.join(sorted(self._others))} its place lies beyond the log's end"

    def __bool__(self) -> bool:
        return bool(self.own or self._others)

    @property
    def doubted(self) -> bool:
        """Records of its log may be lost: by what Kafka said here, or at another replica."""
        return self.beyond or bool(self._others)

    def doubt(self, why: str) -> None:
        """Its place may lie outside of its log."""
        self.own = self.own or why

    def clear(self) -> None:
        """It does lie in its log."""
        self.own, self.beyond = "", False

    def heard(self, node: NodeName, doubtful: bool | None) -> None:
        """What another replica says of itself; None: it is being opened, or says nothing."""
        if doubtful:
            self._others.add(node)
        elif doubtful is not None:
            self._others.discard(node)


def encode_fence(generation: int, me: Writer, bodies: Bodies) -> bytes:
    """What ends the log of a partition's generation for every reader."""
    number, body = bodies.encode(Kind.CLAIM, Empty())
    return encode_record(Envelope(generation, FENCE_TERM, 0, CHAIN_START, 0, me, 0, Kind.CLAIM), number, body)


def is_fence(record: Record) -> bool:
    """Whether a record is one."""
    return record.intact and record.kind == Kind.CLAIM and record.term == FENCE_TERM
