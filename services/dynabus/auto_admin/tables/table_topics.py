"""Whether a table has a compacted topic: an operator decides (`dynabus admin table-topic`).

(none) --on--> ENABLING --finish--> ENABLED --off--> DISABLING --drop--> (none)
               ENABLING --off--> DISABLING

The topic is made before metadata say that it is to be written (`workflow`, STREAM), and deleted after metadata say
that it is not (`progress`). Switched on again it has another id, so that nobody goes on with the old one.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from dynabus.auto_admin.tables.decisions import TableState, next_revision, read_row, refuse, written
from dynabus.core.errors import ApiError, resource_in_use, validation_error
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.streams.view import DISABLING
from dynabus.core.table_topics.view import ENABLED, ENABLING, label_of
from dynabus.core.tables.descriptions import refuse_change
from dynabus.core.tables.settled import refuse_unsettled
from dynabus.core.tables.table_topics import is_written, new_table_topic
from dynabus.core.topic_settings import TABLE_TOPIC_PARTITIONS


def switch(name: str, *, enabled: bool, partitions_most: int = TABLE_TOPIC_PARTITIONS) -> Evaluate:
    """The decision; what is so already is answered as if it were done now. `partitions_most`: that a topic may have
    in this Kafka."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        refusal = refuse_change(name, None if state is None else state.description)
        if refusal is None and state is not None:
            refusal = _refuse(state, partitions_most, enabled=enabled)
        if refusal is not None or state is None:
            assert refusal is not None
            return refuse(refusal)
        outcome = Outcome(body=orjson.dumps({"TableTopic": "on" if enabled else "off"}))
        if is_written(state.table_topic) == enabled:
            return Decision(False, None, outcome)
        topic = _begun(state) if enabled else {**state.table_topic, "status": DISABLING}
        return Decision(True, written(next_revision(replace(state, table_topic=topic))), outcome)

    return evaluate


def _begun(state: TableState) -> dict[str, object]:
    """Revisions of a row are never used twice, so they name its topics."""
    roots = [int(each["number"]) for each in state.partitions]
    return new_table_topic(str(state.revision), TABLE_TOPIC_PARTITIONS, roots)


def _refuse(state: TableState, partitions_most: int, *, enabled: bool) -> ApiError | None:
    if state.of_table:
        return validation_error("An index has no topic")
    if not enabled or is_written(state.table_topic):
        return None
    if partitions_most < TABLE_TOPIC_PARTITIONS:
        # It keeps no checkpoints of transactions either, so that nothing would ever be done.
        return validation_error("Kafka's mock has no table topics: use --kafka local")
    if state.table_topic:
        return resource_in_use(f"The table's topic is being deleted: wait until that is done: {state.name}")
    try:
        refuse_unsettled(state.partitions, state.name)
    except ApiError as refusal:
        return refusal
    return None


def finish(own_id: str, topic_id: str) -> Evaluate:
    """The topic has all that the table has."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = _with(old, own_id, topic_id, ENABLING)
        if state is None:
            return Decision(False, None, Outcome())
        topic = {**state.table_topic, "status": ENABLED}
        return Decision(True, written(next_revision(replace(state, table_topic=topic))), Outcome())

    return evaluate


def drop(own_id: str, topic_id: str) -> Evaluate:
    """The topic is deleted."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = _with(old, own_id, topic_id, DISABLING)
        if state is None:
            return Decision(False, None, Outcome())
        return Decision(True, written(next_revision(replace(state, table_topic={}))), Outcome())

    return evaluate


def _with(old: bytes | None, own_id: str, topic_id: str, status: str) -> TableState | None:
    state = read_row(old) if old is not None else None
    if state is None or state.id != own_id or state.table_topic.get("id") != topic_id:
        return None
    return state if state.table_topic["status"] == status else None


def labels(state: TableState) -> frozenset[str]:
    """What `workflow` is to see made before it publishes."""
    return frozenset([label_of(state.table_topic["id"])]) if is_written(state.table_topic) else frozenset()
