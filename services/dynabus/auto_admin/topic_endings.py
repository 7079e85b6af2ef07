"""Table topics that are filled, and those that are deleted: what is left to be decided.

| row       | then, once metadata say so                                                 | decision        |
|-----------|----------------------------------------------------------------------------|-----------------|
| ENABLING  | each partition's checkpoint says that the topic has all of it              | finish: ENABLED |
| DISABLING | no partition's checkpoint names it, or a minute is over: it is deleted     | drop            |

Propagators that know have let go of it by then, and those that do not know can commit nothing; one that has only just
not heard would find the topic gone, wait, and hear.
"""

from __future__ import annotations

from concurrent.futures import Future

from dynabus.adapters.logs import logger
from dynabus.auto_admin.outside import StepFailed, Steps
from dynabus.auto_admin.streaming import Streaming
from dynabus.auto_admin.tables import table_topics
from dynabus.auto_admin.tables.decisions import TableState
from dynabus.core.replication.store import Evaluate
from dynabus.core.streams.view import DISABLING

LEAVE_MOST_MS = 60_000.0
"""As long as a deleted table's streams wait: where no propagator runs a topic must go all the same."""


class TopicEndings:
    """Of this term: `forget` when it is over."""

    def __init__(self, steps: Steps, streaming: Streaming) -> None:
        self._steps, self._streaming = steps, streaming
        self._drops: dict[str, Future[None]] = {}

    def forget(self) -> None:
        """Another active one begins anew."""
        self._drops.clear()

    def decision(self, state: TableState, version: int, for_ms: float) -> Evaluate | None:
        """What is to be decided now. `version`: of its metadata, which were published `for_ms` ago."""
        topic = state.table_topic
        done = self._streaming.topic_done(state, version)
        if topic["status"] != DISABLING:
            return table_topics.finish(state.id, topic["id"]) if done else None
        if not done and for_ms < LEAVE_MOST_MS:
            return None
        return table_topics.drop(state.id, topic["id"]) if self._deleted(state) else None

    def _deleted(self, state: TableState) -> bool:
        job = self._drops.get(state.id)
        if job is None:
            logger().info("the table's topic is deleted", table=state.name)
            self._drops[state.id] = self._steps.drop_table_topic(state.name)
            return False
        if not job.done():
            return False
        del self._drops[state.id]
        error = job.exception()
        if error is None:
            return True
        if not isinstance(error, StepFailed):
            raise error
        logger().warning("the table's topic is not deleted, tried again", table=state.name, reason=str(error))
        return False
