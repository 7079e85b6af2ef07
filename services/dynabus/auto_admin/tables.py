"""What the active auto-admin does for its tables: looks at each row and takes the next step of its workflow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import orjson

from dynabus.adapters.logs import logger
from dynabus.auto_admin import decisions
from dynabus.auto_admin.decisions import TableState, read_row
from dynabus.auto_admin.executor import Executor, StepFailed
from dynabus.auto_admin.links import Links
from dynabus.auto_admin.planner import Load, Placement
from dynabus.auto_admin.workflow import Progress, Step, metadata_version, next_step
from dynabus.core.cluster_view import ClusterView
from dynabus.core.messages import Heartbeat
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Evaluate, Reader

RETRY_MS = 100.0
"""After a step that Kafka did not take: a topic's leaders take a moment to be known everywhere."""

HELD_MOST_MS = 6000.0
"""A node that has not let go of a deleted table by then is dead or deaf; it finds the topic gone."""

Decide = Callable[[str, Evaluate], None]
"""(table name, evaluate): append a decision of our own."""


class Tables:
    """Knows what was done since this process became the active one; `forget` when it no longer is."""

    def __init__(self, replica: Replica, store: Reader, view: ClusterView, links: Links, executor: Executor) -> None:
        self._replica, self._store, self._view = replica, store, view
        self._links, self._executor = links, executor
        self._progress: dict[str, Progress] = {}
        self._jobs: list[tuple[TableState, Step, Future[None]]] = []
        self._leaders: dict[tuple[str, int], tuple[int, str]] = {}

    @property
    def busy(self) -> bool:
        return bool(self._jobs)

    def all(self) -> list[TableState]:
        return [read_row(row) for _, row in self._store.scan(decisions.PREFIX, None)]

    def load(self) -> Load:
        """How the replicas of all tables lie on the nodes."""
        load = Load()
        for state in self.all():
            for each in state.partitions:
                load.add(Placement(tuple(each["members"]), each["preferred"]))
        return load

    def forget(self) -> None:
        """Another term: whoever is active begins at the top of each workflow."""
        self._progress.clear()
        self._leaders.clear()

    def step(self, now_ms: float, decide: Decide) -> None:
        """Take the next step of each table that has one."""
        self._collect(now_ms)
        tables = self.all()
        for state in tables:
            progress = self._progress.setdefault(state.id, Progress())
            step = next_step(state.status, progress, led=self._led(state), held=self._held(state, progress, now_ms))
            if step is not None and now_ms >= progress.not_before_ms:
                self._do(step, state, progress, now_ms, decide)
        for table_id in self._progress.keys() - {state.id for state in tables}:
            del self._progress[table_id]
            self._links.metadata(f"table/{table_id}", "table_metadata", None)

    def _do(self, step: Step, state: TableState, progress: Progress, now_ms: float, decide: Decide) -> None:
        if step is Step.PUBLISH:
            self._publish(state, state.status)
            progress.published, progress.published_ms = state.status, now_ms
        elif step in (Step.BUILD, Step.DESTROY):
            progress.busy = True
            job = self._executor.build(state) if step is Step.BUILD else self._executor.destroy(state)
            self._jobs.append((state, step, job))
            logger().info(step.value, table=state.name, id=state.id)
        elif progress.decided != state.status:
            # Once per term: the decision is accepted, or this term ends and the next active one starts over.
            progress.decided = state.status
            if step is Step.REMOVE:
                self._publish(state, "DELETED")
            make = decisions.activate if step is Step.ACTIVATE else decisions.remove
            decide(state.name, make(state.id))

    def _collect(self, now_ms: float) -> None:
        """Steps that are done."""
        for job in [each for each in self._jobs if each[2].done()]:
            self._jobs.remove(job)
            state, step, future = job
            progress = self._progress.get(state.id)
            if progress is None:
                continue
            progress.busy = False
            error = future.exception()
            if isinstance(error, StepFailed):
                progress.not_before_ms = now_ms + RETRY_MS
                logger().warning("step failed, tried again", step=step.value, table=state.name, reason=str(error))
            elif error is not None:
                raise error
            elif step is Step.BUILD:
                progress.built = True
            else:
                progress.destroyed = True

    def _led(self, state: TableState) -> bool:
        return all(self._view.leader(state.id, each["number"]) is not None for each in state.partitions)

    def _held(self, state: TableState, progress: Progress, now_ms: float) -> bool:
        """Some living node still has a replica, or was not heard since it was told."""
        if now_ms - progress.published_ms > HELD_MOST_MS:
            return False
        return any(
            node.heard_ms <= progress.published_ms or any(log == state.id for log, _ in node.replicas)
            for node in self._view.nodes.values()
            if self._view.alive(node.name, now_ms)
        )

    def _publish(self, state: TableState, status: str) -> None:
        message: dict[str, Any] = {
            "id": state.id,
            "name": state.name,
            "version": metadata_version(self._replica.place.next_offset, status),
            "status": status,
            "description": orjson.dumps(state.description),
            "partitions": state.metadata_partitions(),
        }
        self._links.metadata(f"table/{state.id}", "table_metadata", message)

    def publish_leaders(self, heartbeat: Heartbeat) -> None:
        """The durable copy of who leads, for whoever starts later."""
        for state in heartbeat["replicas"]:
            key, led = (state["log"], state["partition"]), (state["term"], heartbeat["node"])
            if state["leading"] and self._leaders.get(key, (-1, "")) < led:
                self._leaders[key] = led
                message = {
                    "log": state["log"],
                    "partition": state["partition"],
                    "term": state["term"],
                    "node": heartbeat["node"],
                    "incarnation": heartbeat["incarnation"],
                }
                self._links.metadata(f"leader/{state['log']}/{state['partition']}", "leader_metadata", message)
