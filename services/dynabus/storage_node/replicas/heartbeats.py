"""What this node says of its replicas once per period, and what it makes of the others' heartbeats."""

from __future__ import annotations

from collections.abc import Iterable

from dynabus.core.cluster_view import ClusterView, Node
from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.messages import Heartbeat, ReplicaState
from dynabus.core.replication.effects import Leading, Peer
from dynabus.storage_node.namesake import SERVICE, check_heard
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.replicas.hosting import Hosting

SILENT = Leading(False, False, 0)
"""What a node says of a partition of which it has said nothing yet."""


def replica_state(hosted: Hosted, now_ms: float) -> ReplicaState:
    """One replica, as heartbeats carry it."""
    replica = hosted.replica
    place = replica.place
    leading = replica.leading(now_ms)
    return {
        "log": hosted.partition.log,
        "partition": hosted.partition.number,
        "generation": place.group.generation if place.group is not None else 0,
        "state": hosted.state,
        "leading": leading.leading,
        "appending": leading.appending,
        "term": leading.term,
        "sequence": place.next_sequence - 1,
        "next_offset": place.next_offset,
        "lag": replica.lag,
        "alarm": hosted.alarm or hosted.warning,
        "totals": [number for pair in hosted.contents.totals for number in pair],
        # A store that failed may have stopped between a place and its rows.
        "checked": [] if hosted.failed else hosted.statements.say(place.next_offset, hosted.contents.checksum),
        "plan": place.group.plan if place.group is not None else 0,
    }


def compose(me: Writer, zone: str, hosting: Hosting, stopping: bool, saying: Saying, now_ms: float) -> Heartbeat:
    """This node's next heartbeat, of all replicas, those too that are still being opened or could not be."""
    states = [replica_state(hosted, now_ms) for hosted in hosting.hosted.values()]
    said = saying.say([*states, *hosting.unopened()], now_ms)
    return {
        "node": me.node,
        "service": SERVICE,
        "zone": zone,
        "incarnation": me.incarnation,
        "stopping": stopping,
        "number": said.number,
        "whole": said.whole,
        "replicas": said.replicas,
    }


def hear(me: Writer, heartbeat: Heartbeat, view: ClusterView, hosting: Hosting, now_ms: float) -> Iterable[Hosted]:
    """Tell the view and the brains; returns the replicas that heard something new.

    Those that it names are told what was said; the others have its pulse. The own heartbeat tells every replica that
    Kafka works, and a newer incarnation of a leader's node tells that the leader is gone, though it does not name the
    partition yet. What an older run says late is not heard: a leader of it is gone.
    Raises NamesakeError: a newer run has this node's name.
    """
    if heartbeat["service"] == SERVICE:
        check_heard(me, heartbeat)
    view.take("heartbeat", heartbeat, now_ms)
    if heartbeat["service"] != SERVICE:
        return ()
    known = view.nodes[heartbeat["node"]]
    if known.incarnation != heartbeat["incarnation"]:
        return ()
    # That a node is stopping is said of none of its replicas, and means all.
    states = known.replicas.values() if known.stopping and known.complete else heartbeat["replicas"]
    told: dict[Hosted, None] = {}
    here = hosting.hosted
    for state in states:
        hosted = here.get((state["log"], state["partition"]))
        if hosted is not None:
            told[hosted] = None
            _tell(hosted, known, state, now_ms)
    if (known.name, known.incarnation) == me:
        for hosted in here.values():
            hosted.replica.hear_itself(now_ms)
        return told
    for hosted in _led_by_older_run(known, here.values()):
        if hosted not in told:
            told[hosted] = None
            _tell(hosted, known, known.replicas.get(hosted.partition), now_ms)
    return told


def acquaint(hosted: Hosted, view: ClusterView, now_ms: float) -> None:
    """Tell a replica that was just opened what nodes said of its partition before, and will not say again soon."""
    replica = hosted.replica
    for node in view.nodes.values():
        state = node.replicas.get(hosted.partition)
        if state is not None and node.complete and node.name != replica.around.me.node:
            said, peer = _said(node, state, hosted, node.heard_ms)
            replica.neighbours.acquaint(NodeName(node.name), said, peer)
            replica.heard_of_loss(NodeName(node.name), peer, now_ms)


def _tell(hosted: Hosted, node: Node, state: ReplicaState | None, now_ms: float) -> None:
    said, peer = _said(node, state, hosted, now_ms)
    hosted.replica.hear(NodeName(node.name), Incarnation(node.incarnation), said, peer, now_ms)


def _said(node: Node, state: ReplicaState | None, hosted: Hosted, at_ms: float) -> tuple[Leading, Peer]:
    """What a node says of its replica of the partition; None: it has not said anything."""
    if state is None:
        return SILENT, Peer(node.incarnation, -1, at_ms, False)
    said = Leading(state["leading"], state["appending"], state["term"])
    able, lost = _able(state, node.stopping), _lost(state, hosted)
    return said, Peer(node.incarnation, state["next_offset"], at_ms, able, _doubtful(state), lost, node.pulse)


def _able(state: ReplicaState, stopping: bool) -> bool:
    """`active` is said only by a member that is caught up."""
    return state["state"] == "active" and not stopping


def _doubtful(state: ReplicaState) -> bool | None:
    """One that is being opened does not know yet where its place lies."""
    return None if state["state"] == "opening" else state["state"] == "doubtful"


def _lost(state: ReplicaState, hosted: Hosted) -> str:
    """Why it is frozen, if its log is the one that this replica reads."""
    group = hosted.replica.place.group
    same = group is not None and group.generation == state["generation"]
    return state["alarm"] if same and state["state"] == "frozen" else ""


def _led_by_older_run(node: Node, replicas: Iterable[Hosted]) -> list[Hosted]:
    """One pass over a thousand that rest, at each heartbeat: so in one loop."""
    name, incarnation, found = node.name, node.incarnation, []
    for hosted in replicas:
        leader = hosted.replica.place.reign.leader
        if leader is not None and leader.writer.node == name and leader.writer.incarnation < incarnation:
            found.append(hosted)
    return found
