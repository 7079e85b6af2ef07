"""A table gets its topic, and loses it: first the topic, then the word of it; whoever dies, another goes on."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.tables.test_decisions import ACTIVE, IN_USE, WALL_MS, error, row_of
from tests.unit.auto_admin.test_service import Life
from tests.unit.auto_admin.world import Kafka

from dynabus.auto_admin.outside import Stated
from dynabus.auto_admin.tables import decisions
from dynabus.auto_admin.tables.decisions import read_row
from dynabus.auto_admin.tables.table_topics import drop, finish, switch

ON, OFF = switch("music", enabled=True), switch("music", enabled=False)


def row(*steps: Any) -> Any:
    return read_row(row_of(*ACTIVE, *steps))


def test_its_life_and_that_no_id_comes_twice() -> None:
    on = row(ON)
    own, first = on.id, on.table_topic["id"]
    full, gone = finish(own, first), drop(own, first)
    states = [row(*steps) for steps in ([ON], [ON, full], [ON, full, OFF], [ON, full, OFF, gone])]
    assert [each.table_topic.get("status") for each in states] == ["ENABLING", "ENABLED", "DISABLING", None]
    assert on.table_topic["partitions"] == 12
    again = row(ON, full, OFF, gone, ON)
    assert again.table_topic["id"] != first
    assert again.status == "ACTIVE"


def test_what_is_so_already_is_no_change() -> None:
    for steps, change in (([], OFF), ([ON], ON), ([ON, OFF], OFF)):
        assert not change(row_of(*ACTIVE, *steps), WALL_MS).write


def test_a_topic_that_goes_must_be_gone_first() -> None:
    words = error(ON(row_of(*ACTIVE, ON, OFF), WALL_MS))
    assert "being deleted: wait until that is done" in words
    assert error(ON(row_of(*ACTIVE, decisions.delete("music")), WALL_MS)) == IN_USE + "Table is being deleted: music"


def test_librdkafka_s_mock_has_none() -> None:
    on = switch("music", enabled=True, partitions_most=4)
    assert "use --kafka local" in error(on(row_of(*ACTIVE), WALL_MS))


def test_decisions_about_an_older_topic_change_nothing() -> None:
    state = row(ON)
    for step in (finish(state.id, "0"), finish("other", state.table_topic["id"]), drop(state.id, "1")):
        assert not step(row_of(*ACTIVE, ON), WALL_MS).write


class Told(Kafka):
    """Metadata never say that a topic is to be written that is not there."""

    def put_metadata(self, key: str, kind: str, message: object) -> None:
        if kind == "table_topic_metadata" and isinstance(message, dict) and message["status"] != "DELETED":
            assert message["name"] in self.table_topics
        super().put_metadata(key, kind, message)


def told(life: Life) -> dict[str, Any] | None:
    """What metadata say after compaction."""
    return next((each for key, each in life.kafka.metadata.items() if key.startswith("topic/")), None)


def commit(life: Life, *, filling: bool = False, open_there: bool = True) -> None:
    """As propagators do once they have heard."""
    said = told(life)
    label = said["label"] if said is not None else "topic/0"
    (table,) = life.kafka.logs
    labels = frozenset([label] if open_there else [])
    for number in life.kafka.logs[table]:
        life.kafka.checkpoints[table, number] = Stated(2**40, labels, labels if filling else frozenset())


def lived(crash_after: int | None, *names: str) -> Life:
    life = Life(*names)
    life.kafka.__class__ = Told
    if crash_after is not None:
        life.kafka.crash_after = crash_after
    life.create()
    life.ask("SwitchTableTopic", TableName="music", Enabled=True)
    life.until("told", lambda: told(life) is not None)
    commit(life, filling=True)
    for _ in range(40):
        life.turn()
    said = told(life)
    assert said is not None
    assert said["status"] == "ENABLING"
    commit(life)
    life.until("full", lambda: (told(life) or {}).get("status") == "ENABLED")
    life.ask("SwitchTableTopic", TableName="music", Enabled=False)
    life.until("not told", lambda: told(life) is None)
    assert life.kafka.table_topics == {"music"}, "propagators have not let go of it"
    commit(life, open_there=False)
    life.until("gone", lambda: not life.kafka.table_topics and rows_now(life) == [{}])
    return life


def rows_now(life: Life) -> list[Any]:
    return [state.table_topic for admin in life.active() for state in admin.tables.all().values()]


def test_topics_go_with_their_table() -> None:
    life = lived(None)
    life.ask("SwitchTableTopic", TableName="music", Enabled=True)
    life.until("told", lambda: told(life) is not None)
    life.ask("DeleteTable", TableName="music")
    life.until("gone", lambda: not life.rows())
    assert life.kafka.table_topics == set()
    life.until("not told", lambda: told(life) is None)


@pytest.mark.parametrize("names", [(), ("admin-1", "admin-2")])
def test_a_crash_after_any_effect_is_survived(names: tuple[str, ...]) -> None:
    effects = lived(None, *names).kafka.effects
    for effect in range(1, effects, 3):
        lived(effect, *names)
