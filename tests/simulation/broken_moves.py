"""Brains that get changes of members wrong, each of which the checks must catch. Registered beside `broken`'s."""

from __future__ import annotations

from typing import Any

from dynabus.core.replication import fold as fold_module
from dynabus.core.replication import replica as replica_module
from dynabus.core.replication.effects import Query, Respond
from dynabus.core.replication.fold import Verdict
from dynabus.core.replication.leader import Leader
from dynabus.core.replication.membership import Wanted
from dynabus.core.replication.place import Group, Place
from dynabus.core.replication.records import Bodies, Configure, Kind, Record
from dynabus.core.replication.replica import Replica
from tests.simulation import audit, part
from tests.simulation.brains import Patches
from tests.simulation.broken import broken


@broken("I2", "fold takes claims of whoever was a member once: a removed member wins an election")
def claims_of_strangers_count() -> Patches:
    return [(Group, "has", lambda self, node: True)]


@broken("I2", "a node that joins claims before it is a member, and before it has replayed")
def joining_node_claims() -> Patches:
    def able(self: Replica) -> bool:
        leading = self.leader is not None and self.leader.serving
        begun = self.place.group is not None and not self.place.sealed
        return begun and not self.stopping and self.alarm is None and not leading

    return [(Replica, "_able", property(able)), (Replica, "caught_up", property(lambda self: True))]


@broken("I2", "a node that joins answers reads before it is a member")
def joining_node_serves() -> Patches:
    def query(self: Replica, request: Query, now_ms: float) -> None:
        if self._refused(request.sender, request.generation):
            return
        if self.leader is not None and self.leader.serving:
            self.leader.read(request.sender, request.read, now_ms)
        elif not self.place.admits(self.around.me.node):
            real(self, request._replace(consistent=False), now_ms)
        else:
            self._redirect([request.sender])

    def real(self: Replica, request: Query, now_ms: float) -> None:
        self._effects.append(Respond(request.sender, request.read(self.store)))

    return [(Replica, "query", query)]


@broken("I2", "a replica takes its group's members from metadata, not from the log")
def members_from_metadata() -> Patches:
    real_become, real_read = part.Part._become_replica, Replica._read

    def become(self: part.Part, place: Place, now_ms: float) -> None:
        real_become(self, place, now_ms)
        self.replica.metadata = self.partition  # type: ignore[union-attr]

    def read(self: Replica, record: Record, now_ms: float) -> None:
        told = getattr(self, "metadata", None)
        if told is not None and self.place.group is not None:
            members = told.target or told.members
            self.place = self.place._replace(group=self.place.group._replace(members=members))
        real_read(self, record, now_ms)

    return [(part.Part, "_become_replica", become), (Replica, "_read", read)]


@broken("I2", "an order, and a configure, of an older plan changes the members")
def configure_of_an_older_plan() -> Patches:
    def configured(group: Group, body: Configure) -> Group:
        return group._replace(members=body.members, plan=body.plan)

    def obey(wanted: Wanted, leader: Leader, *_: Any) -> None:
        now_ms: float = _[-1]
        if wanted.configure and leader.serving and leader.seat.me.node in wanted.nodes:
            leader._plan = 0
            leader.configure(wanted.plan, wanted.nodes, now_ms)

    return [(fold_module, "_configured", configured), (replica_module, "obey", obey)]


@broken("I2", "an older plan is refused by nobody but the order's reader, which has not folded the newer one")
def older_plan_is_the_leaders_business() -> Patches:
    def configured(group: Group, body: Configure) -> Group:
        return group._replace(members=body.members, plan=body.plan)

    def configure(self: Leader, plan: int, members: Any, now_ms: float) -> None:
        if self.serving:
            self._append(Kind.CONFIGURE, Configure(members, plan), now_ms)

    return [(fold_module, "_configured", configured), (Leader, "configure", configure)]


@broken("I2", "a leader removes itself and leads on")
def leader_removes_itself() -> Patches:
    def obey(wanted: Wanted, leader: Leader, group: Group, *_: Any) -> None:
        now_ms: float = _[-1]
        if wanted.configure and wanted.plan > group.plan:
            leader.configure(wanted.plan, wanted.nodes, now_ms)

    return [(replica_module, "obey", obey)]


@broken("I2", "some readers let a configure change nothing")
def configure_is_not_folded() -> Patches:
    def fold(place: Place, record: Record, bodies: Bodies) -> tuple[Place, Verdict]:
        moved, verdict = fold_module.fold(place, record, bodies)
        if record.kind == Kind.CONFIGURE and verdict == Verdict.ACCEPTED:
            moved = moved._replace(group=place.group)
        return moved, verdict

    # The auditor has the true one under another name.
    assert vars(audit)["true_fold"] is fold_module.fold
    return [(replica_module, "fold", fold)]
