"""A table is let to take commands: topics first, then the word of it; whoever dies, another goes on."""

from __future__ import annotations

import pytest
from tests.unit.auto_admin.tables.test_decisions import ACTIVE, IN_USE, WALL_MS, create, error, row_of
from tests.unit.auto_admin.test_service import Life
from tests.unit.auto_admin.world import Kafka

from dynabus.auto_admin.tables import decisions
from dynabus.auto_admin.tables.decisions import read_row
from dynabus.auto_admin.tables.ingest import switch
from dynabus.core.replication.store import Evaluate

ON, OFF = switch("music", enabled=True), switch("music", enabled=False)


def test_on_and_off_and_on_again() -> None:
    """Each change is published: it is a new revision."""
    rows = [read_row(row_of(*ACTIVE, *steps)) for steps in ([], [ON], [ON, OFF], [ON, OFF, ON])]
    assert [each.ingest for each in rows] == ["", "on", "off", "on"]
    assert [each.revision - rows[0].revision for each in rows] == [0, 1, 2, 3]


@pytest.mark.parametrize(("steps", "change"), [([], OFF), ([ON], ON), ([ON, OFF], OFF)])
def test_what_is_so_already_is_no_change(steps: list[object], change: Evaluate) -> None:
    decision = change(row_of(*ACTIVE, *steps), WALL_MS)  # type: ignore[arg-type]
    assert not decision.write
    assert decision.outcome.body == (b'{"Ingest":"off"}' if change is OFF else b'{"Ingest":"on"}')


def test_a_table_that_is_none_yet_or_no_more() -> None:
    none = "ResourceNotFoundException: Requested resource not found: Table: music not found"
    assert error(ON(None, WALL_MS)) == none
    assert error(ON(row_of(create()), WALL_MS)) == IN_USE + "Table is being created: music"
    assert error(ON(row_of(*ACTIVE, decisions.delete("music")), WALL_MS)) == IN_USE + "Table is being deleted: music"


class Told(Kafka):
    """Metadata never say that a table takes commands while it has no topics for them."""

    def put_metadata(self, key: str, kind: str, message: object) -> None:
        if kind == "table_metadata" and isinstance(message, dict) and message["ingest"]:
            assert message["name"] in self.ingest
        super().put_metadata(key, kind, message)


def lived(crash_after: int | None, *names: str) -> Life:
    life = Life(*names)
    life.kafka.__class__ = Told
    if crash_after is not None:
        life.kafka.crash_after = crash_after
    life.create()
    life.ask("SwitchIngest", TableName="music", Enabled=True)
    life.until("on", lambda: says(life) is True)
    life.ask("SwitchIngest", TableName="music", Enabled=False)
    life.until("off", lambda: says(life) is False)
    assert life.kafka.ingest == {"music"}, "what was not read stays"
    return life


def says(life: Life) -> bool | None:
    """What metadata say after compaction."""
    told = [message["ingest"] for key, message in life.kafka.metadata.items() if key.startswith("table/")]
    return told[0] if told else None


def test_topics_go_with_their_table() -> None:
    life = lived(None)
    life.ask("DeleteTable", TableName="music")
    life.until("gone", lambda: not life.rows())
    assert life.kafka.ingest == set()


@pytest.mark.parametrize("names", [(), ("admin-1", "admin-2")])
def test_a_crash_after_any_effect_is_survived(names: tuple[str, ...]) -> None:
    effects = lived(None, *names).kafka.effects
    for effect in range(1, effects, 3):
        lived(effect, *names)
