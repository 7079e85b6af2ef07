"""What the active auto-admin does for its tables: looks at each row and takes the next step of its workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import NamedTuple

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import StepFailed, Steps
from dynabus.auto_admin.placement import moves
from dynabus.auto_admin.placement.moving import Moving
from dynabus.auto_admin.placement.planner import Load, Placement
from dynabus.auto_admin.recovery import decisions as recoveries
from dynabus.auto_admin.recovery.freezing import Freezing
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.splitting.sealing import Sealing
from dynabus.auto_admin.streaming import Streaming
from dynabus.auto_admin.tables import decisions, indexing, ingest, kept, stream_endings, table_topics
from dynabus.auto_admin.tables.cache import Cache
from dynabus.auto_admin.tables.decisions import TableState, read_row, table_key
from dynabus.auto_admin.tables.workflow import ANNOUNCED, Division, Ending, Progress, Step, next_step
from dynabus.auto_admin.topic_endings import TopicEndings
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.register import to_tell
from dynabus.core.global_tables.sending import draining
from dynabus.core.replication.replica import Replica
from dynabus.core.replication.store import Evaluate, Reader
from dynabus.core.streams.view import DISABLED
from dynabus.core.tables.descriptions import refuse_more
from dynabus.core.tables.index_changes import are_changing as are_filling
from dynabus.core.tables.streams import are_changing, begins
from dynabus.core.tables.table_topics import is_changing

RETRY_MS = 100.0
"""After a step that Kafka did not take: a topic's leaders take a moment to be known everywhere."""

HELD_MOST_MS = 6000.0
"""A node that has not let go of a deleted table by then is dead or deaf; it finds the topic gone."""

END_MOST_MS = 60_000.0
"""So long DeleteTable waits for propagators: one that died is replaced after 6 s, and reads thousands of records a
second. Where none runs tables must go all the same."""

Decide = Callable[[bytes, Evaluate], None]
"""(row's key, evaluate): append a decision of our own."""


class _Job(NamedTuple):
    state: TableState
    step: Step
    future: Future[None]
    progress: Progress


class Tables:
    """Knows what was done since this process became the active one; `forget` when it no longer is."""

    def __init__(
        self,
        replica: Replica,
        store: Reader,
        view: ClusterView,
        cache: Cache,
        steps: Steps,
        sealing: Sealing,
        moving: Moving,
        freezing: Freezing,
        short: Callable[[TableState], bool],
        streaming: Streaming,
    ) -> None:
        self._replica, self._store, self._view = replica, store, view
        self._cache, self._steps, self._sealing, self._moving = cache, steps, sealing, moving
        self._freezing, self._short, self._streaming = freezing, short, streaming
        self._topics = TopicEndings(steps, streaming)
        self._progress: dict[str, Progress] = {}
        self._jobs: list[_Job] = []
        self._states: dict[str, TableState] = {}
        self._kept: dict[str, TableState] = {}
        self._read_at = -1
        self._now_ms = self._retry_ms = 0.0

    @property
    def busy(self) -> bool:
        """Something is under way, or to be tried again, that no message announces."""
        return self._retry_ms > self._now_ms or any(progress.busy for progress in self._progress.values())

    def all(self) -> Mapping[str, TableState]:
        """The accepted rows by table id; read again when the admin log has moved."""
        if self._read_at != self._replica.place.next_offset:
            self._read_at = self._replica.place.next_offset
            rows = (read_row(row) for _, row in self._store.scan(decisions.PREFIX, None))
            self._states = {state.id: state for state in rows}
            self._kept = kept.read_kept(self._store)
        return self._states

    def kept(self) -> Mapping[str, TableState]:
        """Tables that were deleted and have streams still, by their ids."""
        self.all()
        return self._kept

    def named(self, name: str) -> TableState | None:
        """The row of a name."""
        return next((state for state in self.all().values() if state.name == name), None)

    def is_leaving(self, name: str) -> bool:
        """The last table of that name is destroyed, and routers may know already; its row goes in a moment."""
        return any(
            state.name == name and state.status == "DELETING" and self._progress.get(state.id, Progress()).destroyed
            for state in self.all().values()
        )

    def refuse_more(self, *, new: bool = False) -> ApiError | None:
        """Which quota one more table, or one more that changes, would exceed."""
        states = [each for each in self.all().values() if not each.of_table]
        return refuse_more(len(states), sum(state.status != "ACTIVE" for state in states), new=new)

    def load(self) -> Load:
        """How the replicas of all tables lie on the nodes."""
        load = Load()
        for state in self.all().values():
            for each in state.partitions:
                load.add(Placement(tuple(moves.target(each)), each.get("move", each)["preferred"]))
        return load

    def forget(self) -> None:
        """Another term: whoever is active begins at the top of each workflow."""
        for job in self._jobs:
            job.future.cancel()
        self._jobs.clear()
        self._progress.clear()
        self._moving.forget()
        self._topics.forget()

    def step(self, now_ms: float, decide: Decide) -> None:
        """Take the next step of each table that has one."""
        self._now_ms = now_ms
        self._collect()
        states = self.all()
        for table_id in self._progress.keys() - states.keys():
            del self._progress[table_id]
        for state in states.values():
            progress = self._progress.setdefault(state.id, Progress())
            if progress.revision != state.revision or self._cache.is_overwritten(state.id):
                progress.revision, progress.published = state.revision, None
            divided, moved = splits.splitting(state) or recoveries.recovering(state), moves.moving(state)
            settled = progress.published == state.status == "ACTIVE" and not state.unfinished
            settled = settled and not is_changing(state.table_topic)
            if settled and not divided and not moved:
                continue
            led = self._led(state) and indexing.are_ready(state, states)
            held = self._held(state, progress, now_ms) or (
                # Its row knows what other regions have yet to be told, and to be sent.
                state.status == "DELETING"
                and (indexing.has_rows(state, states) or to_tell(state.global_table) or draining(state.global_table))
            )
            division = self._division(state, now_ms) if divided else None
            ended = self._move(state, progress, now_ms) if moved else None
            if ended is None and is_changing(state.table_topic):
                ended = self._end_topic(state, progress, now_ms)
            waits = (are_changing(state.streams) or are_filling(state.indexes)) and self._waits(state)
            waits = waits or not indexing.are_settled(state, states)
            step = next_step(
                state.status,
                progress,
                led=led,
                held=bool(held),
                unfinished=state.unfinished and (not self._short(state) or begins(state.streams)) and not waits,
                division=division,
                moved=ended is not None,
                streams=_topics_of(state),
                ending=self._ending(state, progress, now_ms) if state.status == "DELETING" else Ending.NONE,
            )
            if step is Step.SETTLE and ended is not None:
                self._decide_once(state, progress, ended, decide)
            elif step is not None and now_ms >= progress.not_before_ms:
                self._do(step, state, progress, now_ms, decide)
        self._cache.clean(states, self._kept)

    def _waits(self, state: TableState) -> bool:
        """Propagators have yet to begin or to end a stream in some log."""
        return not self._streaming.done(state, self._cache.version(state.id))

    def _ending(self, state: TableState, progress: Progress, now_ms: float) -> Ending:
        if not are_changing(state.streams):
            return Ending.NONE
        if not self._waits(state):
            return Ending.DONE
        is_early = progress.published != state.status or now_ms - progress.published_ms < END_MOST_MS
        if is_early or draining(state.global_table):
            # What other regions have yet to get may be in the log alone. `region remove --force` ends that.
            return Ending.WAITS
        if progress.decided != state.revision:
            logger().error(
                "a deleted table's streams may lack its last changes: log propagators did not read them in time",
                table=state.name,
                id=state.id,
            )
        return Ending.DONE

    def _do(self, step: Step, state: TableState, progress: Progress, now_ms: float, decide: Decide) -> None:
        if step is Step.PUBLISH:
            self._publish(state, state.status, progress, now_ms)
        elif step is Step.ANNOUNCE:
            self._announce(state, progress)
            self._do(Step.BUILD, state, progress, now_ms, decide)
        elif step is Step.RETRACT:
            self._publish(state, "DELETED", progress, now_ms)
        elif step is Step.SEAL:
            for parent in splits.splitting(state):
                if self._sealing.ready(state, parent, now_ms):
                    self._sealing.order(state, parent, now_ms)
        elif step in (Step.BUILD, Step.DESTROY, Step.GROW, Step.STREAM, Step.RENEW):
            progress.busy, steps = True, self._steps
            take = {Step.BUILD: steps.build, Step.DESTROY: steps.destroy, Step.STREAM: steps.stream}
            future = {**take, Step.GROW: steps.grow, Step.RENEW: steps.renew}[step](state)
            self._jobs.append(_Job(state, step, future, progress))
            logger().info(step.value, table=state.name, id=state.id)
        else:
            if step is Step.REMOVE and state.streams and progress.decided != state.revision:
                decide(kept.kept_key(state.id), kept.keep(state))
            self._decide_once(state, progress, self._decision(step, state), decide)

    def _decide_once(self, state: TableState, progress: Progress, evaluate: Evaluate, decide: Decide) -> None:
        """Once per term: the decision is accepted, or this term ends and the next active one starts over."""
        if progress.decided != state.revision:
            progress.decided = state.revision
            decide(table_key(state.name), evaluate)

    def _move(self, state: TableState, progress: Progress, now_ms: float) -> Evaluate | None:
        """What ends one of its moves; until then, orders, once the nodes were told."""
        if state.status not in moves.MOVABLE or progress.published != state.status:
            return None
        ended = self._moving.decision(state, now_ms)
        if ended is None:
            self._moving.order(state, now_ms)
        return ended

    def _end_topic(self, state: TableState, progress: Progress, now_ms: float) -> Evaluate | None:
        """What is decided of a table topic that is full, or gone."""
        if state.status not in ("ACTIVE", "UPDATING") or progress.published != state.status:
            return None
        return self._topics.decision(state, self._cache.version(state.id), now_ms - progress.published_ms)

    def _decision(self, step: Step, state: TableState) -> Evaluate:
        if step is Step.FINISH:
            return decisions.finish(state.id, state.revision, is_short=self._short(state))
        if step is Step.CLOSE:
            return stream_endings.close(state.id)
        if step is Step.REMOVE:
            return decisions.remove(state.id)
        restored = self._freezing.restored(state)
        if step is Step.SUCCEED and restored is not None:
            return recoveries.finish(state.id, restored)
        begun = [each["number"] for each in splits.splitting(state) if self._sealing.begun(state, each)]
        return splits.finish(state.id, begun)

    def _division(self, state: TableState, now_ms: float) -> Division:
        parents = splits.splitting(state)
        begun = [self._sealing.begun(state, each) for each in parents]
        ready = any(
            not done and self._sealing.ready(state, each, now_ms) for each, done in zip(parents, begun, strict=True)
        )
        successors = [each["number"] for each in recoveries.recovering(state)]
        restored = self._freezing.restored(state) is not None
        return Division(splits.highest(state), ready, any(begun), max(successors, default=-1), restored)

    def _announce(self, state: TableState, progress: Progress) -> None:
        """Unless a predecessor came further: nodes would close what they have opened. A lost one costs nothing."""
        progress.published = ANNOUNCED
        if not self._cache.has(state.id):
            self._cache.publish(state, ANNOUNCED, _whatever)

    def _publish(self, state: TableState, status: str, progress: Progress, now_ms: float) -> None:
        def delivered(well: bool) -> None:
            progress.busy = False
            if not well:
                self._try_again(progress)
            elif progress.revision == state.revision:
                progress.published = status

        progress.busy, progress.published_ms = True, now_ms
        self._cache.publish(state, status, delivered)

    def _try_again(self, progress: Progress) -> None:
        progress.not_before_ms = self._retry_ms = self._now_ms + RETRY_MS

    def _collect(self) -> None:
        """Steps that are done."""
        for job in [each for each in self._jobs if each.future.done()]:
            self._jobs.remove(job)
            progress, error = job.progress, job.future.exception()
            progress.busy = False
            if isinstance(error, StepFailed):
                self._try_again(progress)
                logger().warning(
                    "step failed, tried again", step=job.step.value, table=job.state.name, reason=str(error)
                )
            elif error is not None:
                raise error
            elif job.step is Step.BUILD:
                progress.built = True
                progress.streamed = _topics_of(job.state) - ingest.labels(job.state) - table_topics.labels(job.state)
            elif job.step is Step.STREAM:
                progress.streamed = _topics_of(job.state)
            elif job.step is Step.GROW:
                progress.grown = splits.highest(job.state)
            elif job.step is Step.RENEW:
                progress.renewed = max(each["number"] for each in recoveries.recovering(job.state))
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


def _topics_of(state: TableState) -> frozenset[str]:
    """Besides the log's: of its streams, by their labels, of ingest, and its own."""
    return (
        ingest.labels(state)
        | table_topics.labels(state)
        | {each["label"] for each in state.streams if each["status"] != DISABLED}
    )


def _whatever(_delivered: bool) -> None:
    """Nothing depends on it."""
