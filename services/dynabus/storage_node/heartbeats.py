"""What this node says of its replicas once per period, and what it makes of the others' heartbeats."""

from __future__ import annotations

from collections.abc import Iterable

from dynabus.core.ids import Incarnation, NodeName, Writer
from dynabus.core.messages import Heartbeat, ReplicaState
from dynabus.core.replication.effects import Leading, Peer
from dynabus.storage_node.hosted import Hosted
from dynabus.storage_node.hosting import Hosting
from dynabus.storage_node.namesake import SERVICE, check_heard

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


def compose(me: Writer, zone: str, hosting: Hosting, stopping: bool, now_ms: float) -> Heartbeat:
    """This node's heartbeat: all replicas, those too that are still being opened or could not be."""
    states = [replica_state(hosted, now_ms) for hosted in hosting.hosted.values()]
    states += hosting.unopened()
    return {
        "node": me.node,
        "service": SERVICE,
        "zone": zone,
        "incarnation": me.incarnation,
        "stopping": stopping,
        "replicas": states,
    }


def hear(me: Writer, heartbeat: Heartbeat, hosting: Hosting, now_ms: float) -> Iterable[Hosted]:
    """Tell the brains; returns the replicas that were told.

    Those that it mentions are told what it says. The own heartbeat tells every replica that Kafka works, and a newer
    incarnation of a leader's node tells that the leader is gone, though it does not mention the partition yet.
    Raises NamesakeError: a newer run has this node's name.
    """
    if heartbeat["service"] != SERVICE:
        return ()
    check_heard(me, heartbeat)
    node, incarnation = NodeName(heartbeat["node"]), Incarnation(heartbeat["incarnation"])
    told: dict[tuple[str, int], Hosted] = {}
    for state in heartbeat["replicas"]:
        key = (state["log"], state["partition"])
        hosted = hosting.hosted.get(key)
        if hosted is not None:
            said = Leading(state["leading"], state["appending"], state["term"])
            able, lost = _able(state, heartbeat["stopping"]), _lost(state, hosted)
            peer = Peer(incarnation, state["next_offset"], now_ms, able, _doubtful(state), lost)
            hosted.replica.hear(node, incarnation, said, peer, now_ms)
            told[key] = hosted
    mine = Writer(node, incarnation) == me
    for key, hosted in hosting.hosted.items():
        if key not in told and (mine or _led_by_older_run(hosted, node, incarnation)):
            hosted.replica.hear(node, incarnation, SILENT, Peer(incarnation, -1, now_ms, False), now_ms)
            told[key] = hosted
    return told.values()


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
