"""What the other replicas' heartbeats say, as far as a replica has to know: is there a healthy leader, who is ahead.

A heartbeat is healthy for a partition only if it says "I lead it, in a term at least yours, and my appends succeed";
an accepted claim counts as one. A leader whose node is heard in a newer incarnation is gone.

A heartbeat names only replicas whose state is new, and so do the calls of `heard_peer` and `heard_leading`. That what
was said is still so is told by the node's pulse, which the replica looks at when it matters: a thousand
replicas that rest hear nothing, and elections see no difference.
"""

from __future__ import annotations

from collections.abc import Collection

from dynabus.core.heartbeats import Pulse
from dynabus.core.ids import Incarnation, NodeName
from dynabus.core.replication.effects import Leading, Peer
from dynabus.core.replication.election import Election
from dynabus.core.replication.place import Reign


class Neighbours:
    """Listens for one replica, and tells its election."""

    __slots__ = ("_election", "_healthy_term", "_leading", "peers")

    def __init__(self, election: Election) -> None:
        self.peers: dict[NodeName, Peer] = {}
        self._election = election
        self._healthy_term = 0
        self._leading: dict[NodeName, tuple[int, Pulse]] = {}
        """Who says to lead with appends that succeed: in which term, and whether it is still so."""

    def heard_peer(self, node: NodeName, peer: Peer) -> None:
        """Another node lives; what an older run of it said does not count any more."""
        known = self.peers.get(node)
        if known is None or peer.incarnation >= known.incarnation:
            self.peers[node] = peer

    def heard_leading(
        self,
        reign: Reign,
        node: NodeName,
        incarnation: Incarnation,
        said: Leading,
        now_ms: float,
        pulse: Pulse | None = None,
    ) -> None:
        """What a heartbeat says about leading this partition."""
        self.note(node, said, pulse)
        if said.leading and said.appending and _counts(said.term, reign):
            self._healthy_term = said.term
            self._election.heard_leader(now_ms)
        elif self._is_newer_run(reign, node, incarnation):
            self._election.leader_gone(now_ms)

    def note(self, node: NodeName, said: Leading, pulse: Pulse | None) -> None:
        """What a node said last about leading this partition, whenever that was."""
        if said.leading and said.appending and pulse is not None:
            self._leading[node] = (said.term, pulse)
        else:
            self._leading.pop(node, None)

    def acquaint(self, node: NodeName, said: Leading, peer: Peer) -> None:
        """What another node said of this partition before this replica was there to hear it."""
        self.heard_peer(node, peer)
        self.note(node, said, peer.pulse)

    def tick(self, reign: Reign, now_ms: float) -> None:
        """Before the election does something, it learns what heartbeats have confirmed."""
        if self._election.wants_news(now_ms):
            self._confirm(reign)

    def _confirm(self, reign: Reign) -> None:
        """Take up what later heartbeats confirmed without naming the partition."""
        for term, pulse in self._leading.values():
            if _counts(term, reign) and self._election.heard_leader_since(pulse.heard_ms):
                self._healthy_term = term

    def claim_accepted(self, term: int) -> None:
        self._healthy_term = term

    def hears_leader(self, reign: Reign, asker: NodeName, incarnation: int, term: int, now_ms: float) -> bool:
        """A healthy leader is heard, in a term of at least `term`, and it is no earlier run of the asker."""
        self._confirm(reign)
        alive = self._election.hears_leader(now_ms) and self._healthy_term >= term and not reign.resigned
        return alive and not self._is_newer_run(reign, asker, incarnation)

    def successor(self, heard_since_ms: float, among: Collection[NodeName] = ()) -> NodeName | None:
        """The most advanced other replica of these nodes (none given: of all) that is able to claim."""
        ready = [
            (peer.next_offset, node)
            for node, peer in self.peers.items()
            if peer.able and peer.confirmed_ms > heard_since_ms and (not among or node in among)
        ]
        return max(ready)[1] if ready else None

    @staticmethod
    def _is_newer_run(reign: Reign, node: NodeName, incarnation: int) -> bool:
        leader = reign.leader
        return leader is not None and node == leader.writer.node and incarnation > leader.writer.incarnation


def _counts(term: int, reign: Reign) -> bool:
    """A leader of this term is none that was succeeded or has resigned, as far as the log was read."""
    return term > reign.term or (term == reign.term and not reign.resigned)
