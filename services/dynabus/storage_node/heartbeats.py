"""What this node says of its replicas once per period, and what it makes of the others' heartbeats."""

from __future__ import annotations

from collections.abc import Iterable

from dynabus.core.cluster_view import ClusterView
from dynabus.core.heartbeats import Saying
from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.messages import Heartbeat, ReplicaState
from dynabus.core.replication.effects import Leading, Peer
from dynabus.storage_node.hosted import Hosted
from dynabus.storage_node.hosting import Hosting
from dynabus.storage_node.namesake import SERVICE, check_heard


def _said(heartbeat: Heartbeat, view: ClusterView) -> Iterable[ReplicaState]:
    """All that is known to be so now: what the heartbeat names, and what it leaves as it was."""
    known = view.nodes.get(heartbeat["node"])
    same = known is not None and known.incarnation == heartbeat["incarnation"] and known.complete
    return known.replicas.values() if known is not None and same else heartbeat["replicas"]


SILENT = Leading(False, False, 0)
"""What a heartbeat says of a partition that it does not mention."""


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
        "alarm": hosted.alarm,
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

    Those that it names, and those that it leaves as they were, are told what was said. The own heartbeat tells every
    replica that Kafka works, and a newer incarnation of a leader's node tells that the leader is gone, though it does
    not name the partition yet. Raises NamesakeError: a newer run has this node's name.
    """
    if heartbeat["service"] == SERVICE:
        check_heard(me, heartbeat)
    view.take("heartbeat", heartbeat, now_ms)
    if heartbeat["service"] != SERVICE:
        return ()
    node, incarnation = NodeName(heartbeat["node"]), Incarnation(heartbeat["incarnation"])
    told: set[tuple[str, int]] = set()
    for state in _said(heartbeat, view):
        key = (state["log"], state["partition"])
        hosted = hosting.hosted.get(key)
        if hosted is not None:
            said = Leading(state["leading"], state["appending"], state["term"])
            able, lost = _able(state, heartbeat["stopping"]), _lost(state, hosted)
            peer = Peer(incarnation, state["next_offset"], now_ms, able, _doubtful(state), lost)
            hosted.replica.hear(node, incarnation, said, peer, now_ms)
            told.add(key)
    news = {(state["log"], state["partition"]) for state in heartbeat["replicas"]}
    mine = Writer(node, incarnation) == me
    for key, hosted in hosting.hosted.items():
        if key not in told and (mine or _led_by_older_run(hosted, node, incarnation)):
            hosted.replica.hear(node, incarnation, SILENT, Peer(incarnation, -1, now_ms, False), now_ms)
            news.add(key)
    return [hosting.hosted[key] for key in news if key in hosting.hosted]


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


def _led_by_older_run(hosted: Hosted, node: NodeName, incarnation: Incarnation) -> bool:
    leader = hosted.replica.place.reign.leader
    return leader is not None and leader.writer.node == node and leader.writer.incarnation < incarnation
