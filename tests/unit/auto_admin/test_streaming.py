"""Streams as auto-admin begins and ends them: whoever dies, another finishes; propagators' checkpoints decide."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.auto_admin.splitting.test_splits import AT, NAME, message, partitions, split, table
from tests.unit.auto_admin.tables.test_decisions import REQUEST
from tests.unit.auto_admin.test_service import Life
from tests.unit.auto_admin.world import Kafka

from dynabus.auto_admin.outside import Stated
from dynabus.auto_admin.placement.planner import Load
from dynabus.auto_admin.pruning.holds import _shards
from dynabus.auto_admin.splitting import splits
from dynabus.auto_admin.tables import decisions
from dynabus.auto_admin.tables.decisions import TableState, read_row, written
from dynabus.auto_admin.tables.progress import END_MOST_MS
from dynabus.auto_admin.tables.stream_endings import drop_streams
from dynabus.core.tables.changes import Update
from dynabus.core.tables.streams import are_followed, label_of, shards_of

ON = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
OFF = {"StreamEnabled": False}
WALL_MS = 1_700_000_000_000


def update(state: TableState, specification: dict[str, Any], **more: Any) -> Any:
    asked = Update.of({"TableName": NAME, "StreamSpecification": specification, **more})
    return decisions.update(asked)(written(state), WALL_MS)


def changed(state: TableState, specification: dict[str, Any], **more: Any) -> TableState:
    decision = update(state, specification, **more)
    assert decision.write, decision.outcome
    return read_row(decision.row)


def finished(state: TableState) -> TableState:
    row = decisions.finish(state.id, state.revision)(written(state), WALL_MS + 5).row
    assert row is not None
    return read_row(row)


# -- rows ---------------------------------------------------------------------------------------------------------


def test_a_stream_is_switched_on_off_and_on() -> None:
    on = changed(table(), ON)
    (first,) = on.streams
    assert (on.status, first["status"], first["roots"]) == ("UPDATING", "ENABLING", [0, 1])
    assert on.description["LatestStreamArn"] == f"{on.description['TableArn']}/stream/{first['label']}"
    done = finished(on)
    assert (done.status, done.streams[0]["status"]) == ("ACTIVE", "ENABLED")
    assert "already has an enabled stream" in message(update(done, ON))
    off = changed(done, OFF)
    assert off.streams[0]["status"] == "DISABLING"
    assert "StreamSpecification" not in off.description
    assert off.description["LatestStreamLabel"] == first["label"]
    over = finished(off)
    assert (over.streams[0]["status"], over.streams[0]["closed_ms"]) == ("DISABLED", WALL_MS + 5)
    assert "no stream to disable" in message(update(over, OFF))
    again = changed(over, {**ON, "StreamViewType": "KEYS_ONLY"})
    assert [each["label"] == first["label"] for each in again.streams] == [True, False]
    assert again.description["StreamSpecification"]["StreamViewType"] == "KEYS_ONLY"
    dropped = drop_streams(again.id, [each["label"] for each in again.streams])(written(again), 0)
    assert [each["status"] for each in read_row(dropped.row or b"").streams] == ["ENABLING"]


def test_a_stream_and_another_billing_mode_at_once() -> None:
    """DDB-TABLE-433: these two combine."""
    mode = {"BillingMode": "PAY_PER_REQUEST"}
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    state = changed(table(BillingMode="PROVISIONED", ProvisionedThroughput=units), ON, **mode)
    assert state.description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert state.streams[0]["status"] == "ENABLING"
    assert state.pending


def test_streams_and_splits_keep_out_of_each_other_s_way() -> None:
    halved = read_row(split(table()).row)
    assert "being split" in message(update(halved, ON))
    wish = splits.Wish(NAME, 0, AT, "more units", splits.THROUGHPUT)
    refused = splits.split(wish, Load(), 20)(written(changed(table(), ON)), 0)
    assert "is being enabled" in message(refused)
    assert split(finished(changed(table(), ON))).write


def test_one_change_at_a_time() -> None:
    state = changed(table(), ON)
    assert "already has an enabled stream" in message(update(state, ON))
    assert "being updated" in message(update(state, OFF))


def test_labels_are_never_used_twice() -> None:
    label = label_of(WALL_MS, [])
    assert label == "2023-11-14T22:13:20.000"
    assert label_of(WALL_MS, [label]) == "2023-11-14T22:13:20.001"


def test_shards_are_the_partitions_of_then_and_what_came_of_them() -> None:
    """Ancestors of before the stream are none of it."""
    state = read_row(split(table()).row)
    state = read_row(splits.finish(state.id, [0])(written(state), 0).row or b"")
    state = finished(changed(state, ON))
    state = read_row(split(state, 2, b"\x10" * 8).row)
    found = {
        each["number"]: each["parent"] for each in shards_of(state.streams[0], state.partitions, state.ancestors)
    }
    assert found == {1: -1, 2: -1, 3: -1, 4: 2, 5: 2}
    state = read_row(splits.finish(state.id, [2])(written(state), 0).row or b"")
    shards = shards_of(state.streams[0], state.partitions, state.ancestors)
    assert {each["number"]: each["open"] for each in shards} == {1: True, 2: False, 3: True, 4: True, 5: True}
    assert _shards(state) == {1, 2, 3, 4, 5}
    assert are_followed(state.streams)


def test_a_successor_of_a_lost_log_is_a_shard_behind_it() -> None:
    """Once it serves; and what comes of it is too, though its own lineage begins anew."""
    state = finished(changed(table(), ON))
    stream = state.streams[0]
    told = {"partition": 0, "generation": 1, "node": "node-1", "next_offset": 77}
    lost = {"number": 0, "generation": 1, "lineage": [], "children": [2], "recovered": told}
    other = next(each for each in state.partitions if each["number"] == 1)
    restoring = {"number": 2, "generation": 2, "lineage": [], "state": "restoring", "recovered": told}
    while_restoring = shards_of(stream, [*state.partitions, restoring], [])
    assert [each["number"] for each in while_restoring] == [0, 1]
    child = {"number": 3, "generation": 3, "lineage": [2]}
    closed = {"number": 2, "generation": 2, "lineage": [], "children": [3]}
    shards = {each["number"]: each for each in shards_of(stream, [other, child], [lost, closed])}
    assert {number: each["parent"] for number, each in shards.items()} == {0: -1, 1: -1, 2: 0, 3: 2}
    assert (shards[0]["successor"], shards[0]["recovered_offset"], shards[0]["open"]) == (2, 77, False)
    assert shards[2]["successor"] == -1
    given_up = {"number": 4, "generation": 2, "lineage": [0], "children": []}
    assert [each["number"] for each in shards_of(stream, [other, child], [lost, closed, given_up])] == [0, 1, 2, 3]


def test_rows_of_before_streams_are_read() -> None:
    row = orjson.loads(written(table()))
    assert "streams" not in row
    assert read_row(orjson.dumps(row)).streams == []


# -- processes ----------------------------------------------------------------------------------------------------


class Propagators:
    """Commit what metadata say, a moment later."""

    def __init__(self, life: Life) -> None:
        self.kafka: Kafka = life.kafka
        self.asleep = False

    def turn(self) -> None:
        """For each shard of each living stream."""
        if self.asleep:
            return
        found: dict[tuple[str, int], Stated] = {}
        for key, said in self.kafka.metadata.items():
            if key.startswith("stream/") and said["status"] != "DISABLED":
                opens = {said["label"]} if said["status"] in ("ENABLING", "ENABLED") else set()
                for shard in said["shards"]:
                    where = (said["table"], shard["number"])
                    known = found.get(where, Stated(said["version"], frozenset()))
                    found[where] = Stated(said["version"], known.open | opens)
        self.kafka.checkpoints.update(found)


class LifeOfStreams(Life):
    """With propagators."""

    def __init__(self, *names: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.propagators = Propagators(self)

    def turn(self) -> None:
        super().turn()
        self.propagators.turn()

    def streams(self) -> list[str]:
        """Their states, in metadata after compaction, by label."""
        return [said["status"] for key, said in sorted(self.kafka.metadata.items()) if key.startswith("stream/")]

    def switch(self, specification: dict[str, Any]) -> None:
        self.ask("UpdateTable", TableName="music", StreamSpecification=specification)


def lived(crash_after: int | None, *names: str) -> LifeOfStreams:
    """A table with a stream, which is disabled."""
    life = LifeOfStreams(*names)
    life.kafka.crash_after = crash_after
    life.ask("CreateTable", **{**REQUEST, "StreamSpecification": ON})
    life.until("active", lambda: life.status() == "ACTIVE" and life.streams() == ["ENABLED"])
    life.switch(OFF)
    life.until("disabled", lambda: life.status() == "ACTIVE" and life.streams() == ["DISABLED"])
    return life


def test_streams_live_and_end() -> None:
    life = lived(None)
    assert list(life.kafka.streams.values()) == [2]
    life.propagators.asleep = True
    life.switch(ON)
    for _ in range(100):
        life.turn()
    # The topic is there, metadata say what shall be; until propagators have begun it is not done.
    assert (life.status(), life.streams()) == ("UPDATING", ["DISABLED", "ENABLING"])
    assert len(life.kafka.streams) == 2
    life.propagators.asleep = False
    life.until("enabled", lambda: life.status() == "ACTIVE" and life.streams() == ["DISABLED", "ENABLED"])
    life.ask("DeleteTable", TableName="music")
    life.until("gone", lambda: life.status() is None)
    assert life.streams() == ["DISABLED", "DISABLED"]
    assert len(life.kafka.streams) == 2


@pytest.mark.parametrize("first", ["stream", "throughput"])
def test_a_table_gets_its_partitions_once_its_stream_has_begun(first: str) -> None:
    """No partition is split while a stream begins, and both were to be done at once: each waited for the other."""
    life = LifeOfStreams()
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    life.ask("CreateTable", **{**REQUEST, "BillingMode": "PROVISIONED", "ProvisionedThroughput": units})
    life.until("active", lambda: life.status() == "ACTIVE" and life.rows() == ["ACTIVE"])
    before, warm = len(partitions(life)), {"ReadUnitsPerSecond": 9000, "WriteUnitsPerSecond": 9000}
    if first == "stream":
        life.switch(ON)
    assert "TableDescription" in life.ask("UpdateTable", TableName="music", WarmThroughput=warm)
    if first == "throughput":
        life.switch(ON)
    life.until("done", lambda: life.rows() == ["ACTIVE"] and life.streams() == ["ENABLED"])
    assert len(partitions(life)) > before
    (state,) = life.active()[0].tables.all().values()
    assert state.description["WarmThroughput"]["WriteUnitsPerSecond"] == 9000


def expire(life: LifeOfStreams) -> None:
    """Retention is over."""
    for admin in life.admins.values():
        admin.streaming._retention_ms = -1
        admin.streaming._expire_ms = 0


def outlived(crash_after: int | None, *names: str) -> LifeOfStreams:
    """A table with a stream is deleted, and made again under its name; then the first stream's retention is over."""
    life = LifeOfStreams(*names)
    life.kafka.crash_after = crash_after
    with_stream = {**REQUEST, "StreamSpecification": ON}
    life.ask("CreateTable", **with_stream)
    life.until("active", lambda: life.status() == "ACTIVE" and life.streams() == ["ENABLED"])
    life.ask("DeleteTable", TableName="music")
    life.until("gone", lambda: life.status() is None)
    assert life.streams() == ["DISABLED"]
    life.ask("CreateTable", **with_stream)
    life.until(
        "active again", lambda: life.status() == "ACTIVE" and sorted(life.streams()) == ["DISABLED", "ENABLED"]
    )
    return life


def labels(life: LifeOfStreams) -> dict[str, str]:
    """Labels of the streams in metadata, by status."""
    return {said["status"]: said["label"] for key, said in life.kafka.metadata.items() if key.startswith("stream/")}


def test_a_deleted_table_s_stream_stays_and_its_name_is_free() -> None:
    life = outlived(None)
    told = labels(life)
    assert told["ENABLED"] > told["DISABLED"]
    assert life.kafka.streams == {("music", label): 2 for label in told.values()}
    expire(life)
    life.until("gone", lambda: life.streams() == ["ENABLED"])
    assert life.kafka.streams == {("music", told["ENABLED"]): 2}
    assert life.status() == "ACTIVE"
    # Its row is gone too: whoever comes next finds nothing of it.
    (admin,) = life.admins.values()
    assert admin.tables.kept() == {}


@pytest.mark.parametrize("names", [(), ("admin-1", "admin-2")])
def test_a_crash_after_any_effect_is_survived(names: tuple[str, ...]) -> None:
    effects = lived(None, *names).kafka.effects
    for effect in range(1, effects, 3):
        life = lived(effect, *names)
        assert len(life.kafka.streams) == 1, effect


@pytest.mark.parametrize("names", [(), ("admin-1", "admin-2")])
def test_a_crash_after_any_effect_loses_no_kept_stream(names: tuple[str, ...]) -> None:
    effects = outlived(None, *names).kafka.effects
    for effect in range(1, effects, 3):
        life = outlived(effect, *names)
        assert len(life.kafka.streams) == 2, effect
        expire(life)
        life.until("gone", lambda life=life: life.streams() == ["ENABLED"])
        assert len(life.kafka.streams) == 1, effect


def test_an_old_word_about_a_kept_stream_is_put_right() -> None:
    """Of an auto-admin that was deposed while the table was there: the topic's last word must be the right one."""
    life = outlived(None)
    ended = labels(life)["DISABLED"]
    key, said = next((key, said) for key, said in life.kafka.metadata.items() if said.get("label") == ended)
    life.kafka.put_metadata(key, "stream_metadata", {**said, "status": "ENABLED", "version": 1})
    life.until("put right", lambda: life.kafka.metadata[key]["status"] == "DISABLED")
    assert life.kafka.metadata[key]["version"] > said["version"]


def test_a_table_is_deleted_though_no_propagator_runs() -> None:
    """After a while, and with an error in the log; its stream says DISABLED, which ends whoever reads it."""
    life = LifeOfStreams()
    life.ask("CreateTable", **{**REQUEST, "StreamSpecification": ON})
    life.until("active", lambda: life.status() == "ACTIVE" and life.streams() == ["ENABLED"])
    life.propagators.asleep, life.kafka.propagators = True, 0
    life.ask("DeleteTable", TableName="music")
    for _ in range(400):
        life.turn()
    assert (life.status(), life.streams()) == ("DELETING", ["DISABLING"])
    life.kafka.now_ms += END_MOST_MS
    life.until("gone", lambda: life.status() is None)
    assert life.streams() == ["DISABLED"]


def test_who_is_waited_for_is_told() -> None:
    life = lived(None)
    (admin,) = life.admins.values()
    life.propagators.asleep = True
    life.switch(ON)
    waiting = admin.streaming.waiting
    life.until("told", lambda: bool(waiting.lines))
    (line,) = waiting.lines
    assert (line["table"], line["status"], line["partitions"]) == ("music", "ENABLING", [0, 1])
    life.until("counted", lambda: waiting.propagators == 1)
    life.propagators.asleep = False
    life.until("enabled", lambda: life.status() == "ACTIVE" and not waiting.lines)
    # A table that is ACTIVE waits for nobody, and yet nothing comes out of it.
    life.kafka.propagators = 0
    life.until("told", lambda: bool(waiting.lines))
    (line,) = waiting.lines
    assert (line["status"], line["partitions"], line["propagators"]) == ("ENABLED", [], 0)
    life.kafka.propagators = 2
    life.until("one runs", lambda: not waiting.lines)


def test_a_stream_that_was_disabled_long_ago_goes_with_its_topic() -> None:
    life = lived(None)
    expire(life)
    life.until("gone", lambda: not life.streams())
    assert life.kafka.streams == {}
    assert life.status() == "ACTIVE"
