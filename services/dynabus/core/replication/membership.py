"""What a leader does when auto-admin wants other members, or another leader.

| wanted    | plan              | this leader          | it does                                                  |
|-----------|-------------------|----------------------|----------------------------------------------------------|
| configure | newer than folded | is of the members    | append `configure`, once per plan and term               |
| configure | newer than folded | is not of them       | resign to one who is a member and stays one              |
| transfer  | not older         | is not of those named | resign to one of them                                   |
| any       | older             | any                  | nothing: the order lay about, or its sender is deposed   |

It resigns only cleanly (past its deferral) and only to a member that was heard of late and is able to claim, so that
a change of members costs no deferral; until then the order comes again. Why a removed member can do no harm:

* It cannot win a term: `fold` voids its claims behind the `configure`, at every reader alike, and no reader takes
  members from anywhere else (I2). A claim of its own that lies before the `configure` ends the term in which that was
  written, which makes the `configure` void.
* It reads nothing stale: no leader removes itself, so whoever is removed led an earlier term at best. Its lease ends
  D after its last accepted record was first sent, which lies before the claim of the leader that configured; that
  one waits it out before its first answer, as does everybody who claims later (I7). Who may claim plays no part.
"""

from __future__ import annotations

from typing import NamedTuple

from dynabus.core.ids import NodeName
from dynabus.core.replication.leader import Leader
from dynabus.core.replication.neighbours import Neighbours
from dynabus.core.replication.place import Group


class Wanted(NamedTuple):
    """An order of auto-admin. `configure`: `nodes` shall be the members; else one of them shall lead."""

    configure: bool
    generation: int
    plan: int
    nodes: tuple[NodeName, ...]


def obey(wanted: Wanted, leader: Leader, group: Group, peers: Neighbours, since_ms: float, now_ms: float) -> None:
    """The table above. `since_ms`: who was not heard since then is no successor."""
    newest = wanted.plan > group.plan if wanted.configure else wanted.plan >= group.plan
    if not newest or leader.seat.generation != wanted.generation or not leader.serving:
        return
    stays = leader.seat.me.node in wanted.nodes
    if stays and wanted.configure:
        leader.configure(wanted.plan, wanted.nodes, now_ms)
    elif not stays and now_ms >= leader.seat.deferred_until_ms:
        among = [node for node in wanted.nodes if node in group.members]
        successor = peers.successor(since_ms, among) if among else None
        if successor is not None:
            leader.resign(successor, now_ms)
