"""What auto-admin orders of a partition's leader: say where to split, seal, take other members, hand over; and of a
member: be built anew."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from dynabus.adapters.lmdb import SnapshotClosed, StoreError
from dynabus.adapters.logs import logger
from dynabus.core.ids import NodeName
from dynabus.core.messages import Order, SplitPoint
from dynabus.core.replication.membership import Wanted
from dynabus.core.replication.records import Child
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.splitting.middle import NoMiddle, middle
from dynabus.storage_node.upkeep.scrubbing import usable

Tell = Callable[[SplitPoint], None]


class Orders:
    """Obeys. `step` sends what the thread has found; False where it looks for nothing."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._looking: dict[tuple[str, int, int], Future[bytes]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __bool__(self) -> bool:
        return bool(self._looking)

    def obey(self, order: Order, hosted: Hosted, now_ms: float) -> None:
        """Only a leader of the generation that is meant seals or says where to cut; twice ordered is obeyed once."""
        if order["kind"] == "rebuild":
            _rebuild(order, hosted)
            return
        leader = hosted.replica.leader
        if leader is None or not leader.serving or leader.seat.generation != order["generation"]:
            return
        if order["kind"] == "seal":
            logger().info("ordered to seal", partition=str(hosted.partition))
            hosted.replica.seal(order["generation"], tuple(Child(**each) for each in order["children"]), now_ms)
        elif order["kind"] == "middle":
            self._look(order, hosted)
        elif order["kind"] in ("configure", "transfer"):
            self._members(order, hosted, now_ms)

    def _members(self, order: Order, hosted: Hosted, now_ms: float) -> None:
        nodes = tuple(map(NodeName, order["members"]))
        wanted = Wanted(order["kind"] == "configure", order["generation"], order["plan"], nodes)
        logger().info("ordered to " + order["kind"], partition=str(hosted.partition), plan=wanted.plan, nodes=nodes)
        hosted.replica.regroup(wanted, now_ms)

    def _look(self, order: Order, hosted: Hosted) -> None:
        key = (order["log"], order["partition"], order["generation"])
        group = hosted.replica.place.group
        if key in self._looking or group is None:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="middle")
        bounds, indexes = (group.lower, group.upper), hosted.contents.indexes
        self._looking[key] = self._pool.submit(middle, hosted.store.snapshot(), bounds, indexes)

    def step(self) -> None:
        """Tell what was found."""
        for key, future in [each for each in self._looking.items() if each[1].done()]:
            del self._looking[key]
            log, partition, generation = key
            at: bytes | None = None
            why = ""
            try:
                at = future.result()
            except (NoMiddle, StoreError, SnapshotClosed) as error:
                why = str(error) or "the replica was closed"
            self._tell({"log": log, "partition": partition, "generation": generation, "at": at, "why": why})


def _rebuild(order: Order, hosted: Hosted) -> None:
    """Its scrub found nothing, and yet it holds something else than others: let the log tell."""
    group = hosted.replica.place.group
    if group is not None and group.generation == order["generation"] and usable(hosted):
        hosted.damaged("other rows than another replica at the same offset")
