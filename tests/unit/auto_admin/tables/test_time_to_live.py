"""UpdateTimeToLive: what it makes of a table's row, and DynamoDB's words where it is refused."""

from __future__ import annotations

import pytest
from tests.unit.auto_admin.tables.test_decisions import (
    ACTIVE,
    IA,
    IN_USE,
    WALL_MS,
    create,
    error,
    own_id,
    row_of,
    step,
)
from tests.unit.auto_admin.tables.test_decisions import update as update_table

from dynabus.auto_admin.tables import decisions
from dynabus.auto_admin.tables.time_to_live import update

ON, OFF = update("music", "ttl", enabled=True), update("music", "ttl", enabled=False)


def test_on_and_off_and_on_again() -> None:
    """Each change is published: it is a new revision."""
    before = decisions.read_row(row_of(*ACTIVE))
    on = decisions.read_row(row_of(*ACTIVE, ON))
    off = decisions.read_row(row_of(*ACTIVE, ON, OFF))
    other = decisions.read_row(row_of(*ACTIVE, ON, OFF, update("music", "other", enabled=True)))
    assert [each.time_to_live for each in (before, on, off, other)] == ["", "ttl", "", "other"]
    assert [each.revision - before.revision for each in (on, off, other)] == [1, 2, 3]
    assert off.description == before.description


@pytest.mark.parametrize(
    ("steps", "attribute", "enabled", "words"),
    [
        ([ON], "ttl", True, "TimeToLive is already enabled"),
        ([], "ttl", False, "TimeToLive is already disabled"),
        ([ON, OFF], "ttl", False, "TimeToLive is already disabled"),
        ([ON], "x", True, "TimeToLive is active on a different AttributeName: current AttributeName is ttl"),
        ([ON], "x", False, "TimeToLive is active on a different AttributeName: current AttributeName is ttl"),
    ],
)
def test_what_changes_nothing_is_refused(steps: list[object], attribute: str, enabled: bool, words: str) -> None:
    old = row_of(*ACTIVE, *steps)  # type: ignore[arg-type]
    assert error(update("music", attribute, enabled=enabled)(old, WALL_MS)) == f"ValidationException: {words}"


def test_a_table_that_is_none_yet_or_no_more() -> None:
    none = "ResourceNotFoundException: Requested resource not found: Table: music not found"
    assert error(ON(None, WALL_MS)) == none
    assert error(ON(row_of(create()), WALL_MS)) == IN_USE + "Table is being created: music"
    assert error(ON(row_of(*ACTIVE, decisions.delete("music")), WALL_MS)) == IN_USE + "Table is being deleted: music"


def test_it_stays_through_other_changes_and_they_end() -> None:
    """A change that was under way is finished under the new revision."""
    updating = step(row_of(*ACTIVE), update_table(**IA))
    both = step(updating, ON)
    revision = decisions.read_row(both).revision
    assert not decisions.finish(own_id(), revision - 1)(both, WALL_MS).write
    done = decisions.read_row(step(both, decisions.finish(own_id(), revision)))
    assert (done.status, done.time_to_live) == ("ACTIVE", "ttl")
