"""Clones between modelled nodes: the real sender, receiver and choice, over a network that keeps order and loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dynabus.core.cloning import choice, receiver, sender
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.position import Section
from dynabus.core.replication.place import Place
from tests.simulation.audit import Violation
from tests.simulation.disk import Disk, History
from tests.simulation.kafka import origin_of

if TYPE_CHECKING:
    from tests.simulation.part import Part

CHUNK_PAIRS = 12
"""Few enough for several chunks of request ids."""

RETRY_MS = 400.0
PATIENCE_MS = choice.PATIENCE_MS


class Snapshot(NamedTuple):
    """One commit of a source."""

    rows: dict[bytes, bytes]
    requests: dict[bytes, bytes]
    digest: int
    place: Place
    history: History

    def pairs(self, section: Section) -> dict[bytes, bytes]:
        """In the order in which they are sent."""
        found = (self.rows, {}, self.requests)[section]
        return dict(sorted(found.items()))


class Outgoing:
    """The source's side, on one node, for one partition."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._given: dict[int, tuple[sender.Sender, Snapshot]] = {}

    def ask(self, request: Any, now_ms: float) -> None:
        """A request of another node."""
        clone, asker = request["clone"], request["node"]
        if clone not in self._given:
            why = self._refuse(request)
            if why or request["done"]:
                self._send(asker, "clone_refusal", {"clone": clone, "node": self.part.node.name, "why": why})
                return
            self._given[clone] = sender.Sender(clone, now_ms), _snapshot(self.part.disk)
        sending, snapshot = self._given[clone]
        sending.asked(request, now_ms)
        self._serve(asker, sending, snapshot)
        if sending.is_over(now_ms):
            del self._given[clone]

    def _refuse(self, request: Any) -> str:
        state = state_of(self.part)
        if state is None or state["state"] not in choice.SOURCES or request["number"]:
            return "no"
        self.part.commit()
        return "behind" if self.part.disk.commits[-1][3].next_offset < request["at_least"] else ""

    def _serve(self, asker: str, sending: sender.Sender, snapshot: Snapshot) -> None:
        while not sending.begun or sending.wants_chunk or sending.wants_end:
            if not sending.begun:
                sending.begun = True
                self._send(asker, "clone_manifest", self._manifest(sending.clone, snapshot, -1))
            elif sending.wants_chunk:
                self._send(asker, "clone_chunk", self._chunk(sending, snapshot))
            if sending.wants_end:
                sending.ended = True
                self._send(asker, "clone_manifest", self._manifest(sending.clone, snapshot, sending.number))

    def _manifest(self, clone: int, snapshot: Snapshot, chunks: int) -> dict[str, Any]:
        return {
            "clone": clone,
            "node": self.part.node.name,
            "place": snapshot.place,
            "totals": snapshot.digest,
            "requests": len(snapshot.requests),
            "chunks": chunks,
            "history": snapshot.history,
        }

    def _chunk(self, sending: sender.Sender, snapshot: Snapshot) -> dict[str, Any]:
        number, (section, after) = sending.number, sending.position
        left = [pair for pair in snapshot.pairs(section).items() if pair[0] > after]
        sent, last = left[:CHUNK_PAIRS], len(left) <= CHUNK_PAIRS
        keys = [key for key, _ in sent]
        sending.sent(keys, last=last)
        values = [value for _, value in sent]
        where = {"clone": sending.clone, "number": number, "section": int(section), "after": after}
        return {**where, "keys": keys, "values": values, "last": last}

    def _send(self, asker: str, kind: str, message: Any) -> None:
        part = self.part
        part.node.cluster.send_in_order(part.node.name, asker, "clone", part.partition.number, kind, message)


class Incoming:
    """The receiver's side: a partition of which the node has nothing, or nothing of use.

    `expected`: up to where the replica had read that was here.
    """

    def __init__(self, part: Part, expected: Place | None) -> None:
        self.part, self.expected = part, expected
        self._refused: set[str] = set()
        self._retry_at_ms = 0.0
        self._since_ms: float | None = None
        """When it was found first that there is nobody to clone."""
        self._source = ""
        self._receiver: receiver.Receiver | None = None
        self._rows: dict[bytes, bytes] = {}
        self._requests: dict[bytes, bytes] = {}

    def step(self, now_ms: float) -> None:
        """Choose, ask, give up."""
        if self._receiver is None and now_ms >= self._retry_at_ms and not self.part.partition.frozen:
            self._begin(now_ms)
        if self._receiver is None:
            return
        request = self._receiver.request(now_ms)
        if request is not None:
            node = self.part.node
            node.cluster.send_in_order(node.name, self._source, "clone_request", self.part.partition.number, request)
        if self._receiver.state is receiver.State.FAILED:
            self._refused = {self._source} if self._source in self._refused else {*self._refused, self._source}
            self._receiver, self._retry_at_ms = None, now_ms + RETRY_MS

    def _begin(self, now_ms: float) -> None:
        node, number = self.part.node, self.part.partition.number
        others = [other.parts.get(number) for other in node.cluster.nodes.values() if other is not node and other.up]
        said = [(part.node.name, state) for part in others if part is not None and (state := state_of(part))]
        source = choice.choose(said, self._refused)
        if source is None:
            self._since_ms = now_ms if self._since_ms is None else self._since_ms
            if now_ms - self._since_ms > PATIENCE_MS:
                self.part.replay_instead(now_ms)
            return
        self._since_ms = None
        at_least = self.expected.next_offset if self.expected is not None else 0
        wanted = receiver.Wanted(node.name, "", number, at_least)
        clone = node.world.random.getrandbits(60)
        self._source, self._rows, self._requests = source, {}, {}
        self._receiver = receiver.Receiver(clone, wanted, Pace(0.0), 0.0, now_ms)

    def take(self, kind: str, message: Any, now_ms: float) -> Place | None:
        """A message of the clone topic; the place of what was installed, when it is whole."""
        receiving = self._receiver
        if receiving is None:
            return None
        had = receiving.manifest
        got = receiving.take(kind, message, 100, now_ms)
        if had is None and receiving.manifest is not None:
            self._judge(receiving)
        if got is not None:
            (self._rows, {}, self._requests)[got[0]].update(got[1])
        return self._install(receiving) if receiving.state is receiver.State.WHOLE else None

    def _judge(self, receiving: receiver.Receiver) -> None:
        assert receiving.manifest is not None
        place: Any = receiving.manifest["place"]
        log, at_least = self.part.log, self.expected.next_offset if self.expected is not None else 0
        extent = choice.Extent(log.start, len(log.records))
        why = choice.refusal(place, origin_of(self.part.partition.number), extent, at_least)
        if why is not None:
            receiving.fail(why)

    def _install(self, receiving: receiver.Receiver) -> Place | None:
        manifest: Any = receiving.manifest
        if self.part.loss or self.part.partition.frozen:
            raise Violation(f"{self.part.node.name} replaced a frozen replica by a clone")
        disk = self.part.disk.replaced([])
        for key, row in self._rows.items():
            disk.put(key, row)
        for request, outcome in self._requests.items():
            disk.remember(request, outcome)
        disk.history = [*manifest["history"]]
        if (disk.digest, len(disk.requests)) != (manifest["totals"], manifest["requests"]):
            receiving.state = receiver.State.FAILED
            return None
        place: Place = manifest["place"]
        if self.expected is not None and place.next_offset < self.expected.next_offset:
            raise Violation(f"{self.part.node.name} replaced a replica by a clone that is behind it")
        disk.commit_place(place)
        self.part.disk = disk
        return place


def _snapshot(disk: Disk) -> Snapshot:
    return Snapshot(*disk.commits[-1], disk.committed_history)


def state_of(part: Part) -> Any:
    """What heartbeats say of a replica, as far as it matters here; None of an heir or a clone."""
    replica = part.replica
    if replica is None or replica.alarm is not None or replica.place.group is None or part.is_stranger:
        return None
    if replica.standstill or replica.place.is_restoring:
        return None
    state = "sealed" if replica.place.sealed else "active" if replica.caught_up else "opening"
    leading = replica.leader is not None and replica.leader.serving
    return {"state": state, "alarm": "", "leading": leading, "next_offset": replica.place.next_offset}
