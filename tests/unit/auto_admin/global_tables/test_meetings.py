"""Regions that change a global table without having heard of each other: what counts then, in all of them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.auto_admin.global_tables.planet import AWAY, HOME, THIRD, Planet
from tests.unit.auto_admin.test_service import Life

from dynabus.auto_admin.global_tables import control
from dynabus.core.global_tables.register import message_of
from dynabus.core.global_tables.sending import FOR_GOOD

FOURTH = "us-west-1"


def time_to_live(planet: Planet, region: str, attribute: str = "end") -> None:
    asked = {"AttributeName": attribute, "Enabled": True}
    planet.regions[region].ask("UpdateTimeToLive", TableName="music", TimeToLiveSpecification=asked)


def delete(planet: Planet, region: str) -> dict[str, Any]:
    return planet.regions[region].ask("DeleteTable", TableName="music")


def shared(planet: Planet, region: str) -> dict[str, Any]:
    state = planet.state(region)
    assert state is not None
    return {**message_of(state.global_table), "by": ""}


def with_a_member_that_away_does_not_know() -> Planet:
    """THIRD, which HOME has added."""
    planet = Planet(HOME, AWAY, THIRD)
    planet.regions[AWAY].ask("RemoveRegion", Name=THIRD, Force=False)
    planet.replicated(AWAY)
    planet.replicate(THIRD)
    planet.until("made", lambda: planet.replicas(HOME).get(THIRD) == "ACTIVE")
    return planet


# -- settings and members ------------------------------------------------------------------------------------------


def test_settings_of_a_region_that_has_not_heard_of_a_member_take_none_away() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY)
    planet.cut = {AWAY}
    planet.replicate(THIRD)
    planet.until("made", lambda: planet.replicas(HOME)[THIRD] == "ACTIVE")
    time_to_live(planet, AWAY)
    planet.cut = set()
    planet.settle()
    for region in (HOME, AWAY, THIRD):
        assert shared(planet, region) == shared(planet, HOME)
        assert shared(planet, region)["membership"].keys() == {HOME, AWAY, THIRD}
        assert planet.state(region).time_to_live == "end"  # type: ignore[union-attr]


def test_a_region_that_does_not_know_a_new_member_changes_settings_and_is_active() -> None:
    planet = with_a_member_that_away_does_not_know()
    time_to_live(planet, AWAY)
    for region in (HOME, THIRD):
        planet.until("there", lambda region=region: getattr(planet.state(region), "time_to_live", "") == "end")
    words = planet.words
    for _ in range(20):
        planet.turn()
    assert planet.words - words <= 40, "it is not asked in each turn"
    assert planet.status(THIRD) == "ACTIVE"
    assert planet.replicas(HOME) == {AWAY: "ACTIVE", THIRD: "ACTIVE"}
    planet.know(AWAY, THIRD)
    planet.until("mended", lambda: planet.replicas(AWAY) == {HOME: "ACTIVE", THIRD: "ACTIVE"})


def test_of_members_that_are_added_in_two_regions_each_is_there() -> None:
    planet = Planet(HOME, AWAY, THIRD, FOURTH)
    planet.replicated(AWAY)
    planet.cut = {AWAY}
    planet.replicate(THIRD)
    planet.until("made", lambda: planet.replicas(HOME)[THIRD] == "ACTIVE")
    planet.replicate(FOURTH, at=AWAY)
    planet.cut = set()
    for region in planet.regions:
        others = {each: "ACTIVE" for each in planet.regions if each != region}
        planet.until("there", lambda region=region, others=others: planet.replicas(region) == others)
    assert all(shared(planet, region) == shared(planet, HOME) for region in planet.regions)


def test_a_replica_that_is_deleted_here_and_kept_there_goes() -> None:
    """Whatever else changes there: of a region that is a member the last word about that counts."""
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.cut = {AWAY}
    planet.update(HOME, ReplicaUpdates=[{"Delete": {"RegionName": THIRD}}])
    time_to_live(planet, AWAY)
    planet.cut = set()
    planet.until("gone", lambda: planet.status(THIRD) is None)
    planet.until("known", lambda: planet.replicas(HOME) == planet.replicas(THIRD) | {AWAY: "ACTIVE"})


def test_a_region_that_does_not_know_a_new_member_deletes_its_table_and_nothing_else() -> None:
    planet = with_a_member_that_away_does_not_know()
    delete(planet, AWAY)
    planet.until("known", lambda: planet.replicas(HOME) == {THIRD: "ACTIVE"})
    planet.until("known", lambda: planet.replicas(THIRD) == {HOME: "ACTIVE"})
    planet.until("gone", lambda: planet.status(AWAY) is None)


def test_a_region_that_does_not_know_a_member_hears_of_one_that_leaves() -> None:
    planet = with_a_member_that_away_does_not_know()
    delete(planet, HOME)
    planet.until("gone", lambda: planet.status(HOME) is None)
    planet.until("heard", lambda: planet.replicas(AWAY) == {})
    time_to_live(planet, AWAY)
    for _ in range(30):
        planet.turn()
        assert planet.status(HOME) is None
    planet.know(AWAY, THIRD)
    planet.until("they meet", lambda: planet.replicas(AWAY) == {THIRD: "ACTIVE"})
    planet.until("both know", lambda: planet.replicas(THIRD) == {AWAY: "ACTIVE"})
    assert planet.status(HOME) is None


# -- deletions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [(HOME, AWAY), (HOME, AWAY, THIRD)])
@pytest.mark.parametrize("cut", [True, False])
def test_all_regions_delete_the_table_at_once(names: tuple[str, ...], cut: bool) -> None:
    planet = Planet(*names)
    planet.replicated(*names[1:])
    if cut:
        planet.cut = {*names}
    for region in names:
        delete(planet, region)
        planet.turn()
    planet.cut = set()
    planet.until("gone", lambda: not any(planet.status(region) for region in names))
    for _ in range(20):
        planet.turn()
    for region in names:
        assert planet.status(region) is None, "it came back"
        assert planet.metadata(region, "table/") == planet.metadata(region, "link/") == {}


def test_a_deletion_here_and_another_time_to_live_there() -> None:
    planet = Planet()
    planet.replicated()
    planet.cut = {HOME}
    delete(planet, HOME)
    time_to_live(planet, AWAY)
    planet.cut = set()
    planet.until("gone", lambda: planet.status(HOME) is None)
    planet.until("known", lambda: planet.replicas(AWAY) == {})
    assert planet.state(AWAY).time_to_live == "end"  # type: ignore[union-attr]


def test_a_deletion_here_and_another_member_there() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY)
    planet.cut = {HOME}
    delete(planet, HOME)
    planet.replicate(THIRD, at=AWAY)
    planet.until("made", lambda: planet.status(THIRD) == "ACTIVE")
    planet.cut = set()
    planet.until("gone", lambda: planet.status(HOME) is None)
    planet.until("known", lambda: planet.replicas(AWAY) == {THIRD: "ACTIVE"})
    planet.until("known", lambda: planet.replicas(THIRD) == {AWAY: "ACTIVE"})


def test_two_regions_that_delete_do_not_leave_it_to_each_other_to_tell_a_third_one() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.cut = {THIRD}
    for region in (HOME, AWAY):
        delete(planet, region)
    for _ in range(40):
        planet.turn()
    assert "DELETING" in (planet.status(HOME), planet.status(AWAY))
    planet.cut = set()
    planet.until("gone", lambda: not planet.status(HOME) and not planet.status(AWAY))
    planet.until("known", lambda: planet.replicas(THIRD) == {})


def test_a_region_that_deletes_is_not_added_by_who_has_not_heard_of_it() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.cut = {HOME}
    delete(planet, HOME)
    planet.regions[AWAY].ask("RemoveRegion", Name=HOME, Force=True)
    planet.until("given up", lambda: planet.replicas(AWAY) == {THIRD: "ACTIVE"})
    planet.know(AWAY, HOME)
    planet.regions[AWAY].kafka.now_ms += 3_600_000
    planet.replicate(HOME, at=AWAY)
    planet.cut = set()
    planet.until("gone", lambda: planet.status(HOME) is None)
    planet.until("known", lambda: planet.replicas(AWAY) == {THIRD: "ACTIVE"})


def test_a_table_is_deleted_when_others_have_what_was_written_here() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.drains = False
    delete(planet, HOME)
    planet.until("told", lambda: planet.links(HOME) == {AWAY: "DRAINING", THIRD: "DRAINING"})
    for _ in range(40):
        planet.turn()
    assert planet.status(HOME) == "DELETING"
    (table,) = planet.metadata(AWAY, "table/").values()
    assert table["regions"] == [AWAY, THIRD, HOME], "its changes are taken"
    planet.drains, planet.held = True, {(HOME, THIRD)}
    planet.until("one has it", lambda: planet.links(HOME) == {AWAY: "DELETING", THIRD: "DRAINING"})
    planet.held.clear()
    planet.until("gone", lambda: planet.status(HOME) is None)
    planet.until("known", lambda: planet.replicas(AWAY) == {THIRD: "ACTIVE"})
    (table,) = planet.metadata(AWAY, "table/").values()
    assert table["regions"] == [AWAY, THIRD]


def test_a_replica_that_another_region_deletes_sends_what_is_left_too() -> None:
    planet = Planet()
    planet.replicated()
    planet.drains = False
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("told", lambda: planet.links(AWAY) == {HOME: "DRAINING"})
    (table,) = planet.metadata(HOME, "table/").values()
    assert table["regions"] == [HOME, AWAY]
    planet.drains = True
    planet.until("gone", lambda: planet.status(AWAY) is None and planet.replicas(HOME) == {})


def test_nobody_asks_whether_all_was_sent_before_the_stream_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    planet = Planet()
    planet.replicated()
    with monkeypatch.context() as patched:
        patched.setattr(planet, "_propagate", lambda _life: None)
        delete(planet, HOME)
        for _ in range(20):
            planet.turn()
        assert (planet.status(HOME), planet.links(HOME)) == ("DELETING", {AWAY: "ACTIVE"})
    planet.until("gone", lambda: planet.status(HOME) is None)


def test_a_region_that_is_given_up_is_not_waited_for_to_have_all() -> None:
    planet = Planet()
    planet.replicated()
    planet.drains = False
    delete(planet, HOME)
    planet.until("told", lambda: planet.links(HOME) == {AWAY: "DRAINING"} and planet.replicas(AWAY) != {})
    planet.until("all know", lambda: not planet.regions[HOME].ask("PendingDefinitions")["Words"])
    planet.regions[HOME].ask("RemoveRegion", Name=AWAY, Force=True)
    planet.until("gone", lambda: planet.status(HOME) is None)


@pytest.mark.parametrize("names", [(HOME, AWAY), (HOME, AWAY, THIRD)])
def test_who_deletes_too_is_sent_nothing(names: tuple[str, ...]) -> None:
    planet = Planet(*names)
    planet.replicated(*names[1:])
    planet.drains = False
    for region in names:
        delete(planet, region)
    planet.until("gone", lambda: not any(planet.status(region) for region in names))


def test_a_region_that_has_yet_to_hear_of_a_deletion_is_not_forgotten() -> None:
    planet = Planet()
    planet.replicated()
    planet.cut = {AWAY}
    delete(planet, HOME)
    refused = planet.regions[HOME].ask("RemoveRegion", Name=AWAY, Force=False)
    assert "tables have replicas in us-east-1: music" in refused["message"]
    assert planet.regions[HOME].ask("RemoveRegion", Name=AWAY, Force=True) == {"Region": AWAY}
    planet.until("gone", lambda: planet.status(HOME) is None)


# -- initial copies ------------------------------------------------------------------------------------------------


def test_who_a_replica_has_its_items_from_is_not_deleted_before() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY)
    planet.held = {(HOME, THIRD)}
    planet.replicate(THIRD)
    planet.until("under way", lambda: planet.links(HOME).get(THIRD) == "COPYING")
    assert "do not have all items yet: [us-west-2]" in delete(planet, HOME)["message"]
    assert planet.status(HOME) == "ACTIVE"
    planet.held.clear()
    planet.settle()
    planet.until("all", lambda: planet.replicas(HOME)[THIRD] == "ACTIVE")
    assert "TableDescription" in delete(planet, HOME)


def test_the_items_come_from_another_region_if_their_origin_is_given_up() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY)
    planet.held = {(HOME, THIRD)}
    planet.replicate(THIRD)
    planet.until("partly", lambda: planet.links(AWAY).get(THIRD) == "ACTIVE")
    planet.cut, planet.held = {HOME}, {(AWAY, THIRD)}
    planet.regions[AWAY].ask("RemoveRegion", Name=HOME, Force=True)
    planet.until("again", lambda: planet.links(AWAY).get(THIRD) == "COPYING")
    (link,) = planet.metadata(AWAY, "link/").values()
    assert link["whole"]
    assert planet.replicas(AWAY) == {THIRD: "UPDATING"}
    planet.held.clear()
    planet.until("all", lambda: planet.replicas(AWAY) == {THIRD: "ACTIVE"})
    planet.until("told", lambda: planet.state(THIRD).global_table["origins"][THIRD]["from"] == "")  # type: ignore[union-attr]


def link(planet: Planet, region: str, to: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in planet.metadata(region, "link/").values() if e["destination"] == to)
    return found


def given_up(planet: Planet, region: str, *by: str) -> None:
    planet.cut = {region}
    for each in by:
        planet.regions[each].ask("RemoveRegion", Name=region, Force=True)
        planet.until("given up", lambda each=each: region not in planet.replicas(each))


def test_of_a_member_that_is_given_up_survivors_send_each_other_what_one_has_and_the_other_lacks() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.copies = False
    given_up(planet, THIRD, HOME)
    for one, other in ((HOME, AWAY), (AWAY, HOME)):
        planet.until("repaired", lambda one=one, other=other: link(planet, one, other)["forwards"])
        record = link(planet, one, other)
        assert (record["status"], record["whole"], record["rows"]) == ("COPYING", False, [THIRD])
        assert record["forwards"] == {THIRD: FOR_GOOD}
        assert planet.replicas(one)[other] == "UPDATING"
    (table,) = planet.metadata(HOME, "table/").values()
    assert (table["regions"], table["former"]) == ([HOME, AWAY], [THIRD])
    (table,) = planet.metadata(AWAY, "table/").values()
    assert table["regions"] == [AWAY, HOME, THIRD], "it may still bring what it wrote"
    assert "do not have all items yet: [us-east-1]" in delete(planet, HOME)["message"], "maybe nobody else has them"
    planet.copies = True
    planet.until("sent", lambda: planet.links(HOME)[AWAY] == "ACTIVE")
    assert "TableDescription" in delete(planet, HOME)
    planet.regions[AWAY].ask("RemoveRegion", Name=THIRD, Force=True)
    planet.until("known", lambda: planet.replicas(AWAY) == {})


def test_once_that_is_sent_replicas_are_active_and_what_comes_later_is_sent_on_still() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    given_up(planet, THIRD, HOME, AWAY)
    for one, other in ((HOME, AWAY), (AWAY, HOME)):
        planet.until("active", lambda one=one, other=other: planet.replicas(one) == {other: "ACTIVE"})
        assert link(planet, one, other)["forwards"] == {THIRD: FOR_GOOD}


@pytest.mark.parametrize("at_once", [False, True])
def test_a_replica_that_others_delete_stays_until_they_have_what_maybe_nobody_else_has(at_once: bool) -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.held = {(AWAY, HOME)}
    given_up(planet, THIRD, HOME)
    if at_once:
        planet.cut = {AWAY, THIRD}
    else:
        planet.until("again", lambda: planet.links(AWAY)[HOME] == "COPYING")
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.cut = {THIRD}
    planet.until("told", lambda: "ReplicaStatusDescription" in planet.described(HOME)["Replicas"][0])
    (shown,) = planet.described(HOME)["Replicas"]
    assert (shown["RegionName"], shown["ReplicaStatus"]) == (AWAY, "DELETING")
    assert shown["ReplicaStatusDescription"] == "the table in region us-east-1 is being copied again to eu-west-1"
    record = link(planet, AWAY, HOME)
    assert (planet.status(AWAY), record["status"], record["rows"]) == ("ACTIVE", "COPYING", [THIRD])
    planet.held.clear()
    planet.until("gone", lambda: planet.status(AWAY) is None and planet.replicas(HOME) == {})


def test_a_member_that_comes_back_sends_itself_what_it_writes_then() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": THIRD}}])
    planet.until("gone", lambda: THIRD not in planet.replicas(HOME) and THIRD not in planet.replicas(AWAY))
    planet.replicate(THIRD)
    planet.settle()
    planet.until("back", lambda: planet.replicas(AWAY) == {HOME: "ACTIVE", THIRD: "ACTIVE"})
    since = planet.state(HOME).global_table["membership"][THIRD]["stamp"][0]  # type: ignore[union-attr]
    assert link(planet, HOME, AWAY)["forwards"] == link(planet, AWAY, HOME)["forwards"] == {THIRD: since}
    assert link(planet, THIRD, AWAY)["forwards"] == {}


def test_a_replica_that_was_lost_and_is_made_anew_gets_all_items() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.copies = False
    planet.regions[AWAY] = life = Life(region=AWAY)
    life.until("nodes heard", lambda: life.active() and len(life.active()[0].view.nodes) == 3)
    for other in (HOME, THIRD):
        planet.know(AWAY, other)
    time_to_live(planet, THIRD)
    planet.until("made", lambda: planet.status(AWAY) == "ACTIVE")
    for region, other in ((HOME, THIRD), (THIRD, HOME)):
        links = {AWAY: "COPYING", other: "ACTIVE"}
        planet.until("again", lambda region=region, links=links: planet.links(region) == links)
    planet.settle()
    records = [each for region in (HOME, THIRD) for each in planet.metadata(region, "link/").values()]
    assert [each["destination"] for each in records if each["whole"]] == [AWAY]
    assert planet.replicas(THIRD)[AWAY] == "UPDATING"
    planet.copies = True
    planet.until("all", lambda: planet.replicas(THIRD) == {HOME: "ACTIVE", AWAY: "ACTIVE"})


def test_a_replica_whose_log_lost_writes_gets_from_others_what_they_have() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.copies = False
    recovered(planet, AWAY)
    for region in (HOME, THIRD):
        planet.until("again", lambda region=region: planet.links(region)[AWAY] == "COPYING")
        assert planet.replicas(region)[AWAY] == "UPDATING"
    records = [
        (own, e["destination"])
        for own in planet.regions
        for e in planet.metadata(own, "link/").values()
        if e["whole"]
    ]
    assert records == [(HOME, AWAY)]
    assert link(planet, THIRD, AWAY)["rows"] == [AWAY, THIRD], "maybe nobody else has what it wrote itself"
    assert {*link(planet, THIRD, AWAY)["forwards"]} == {*link(planet, HOME, AWAY)["forwards"]} == {AWAY}
    assert lacks_items(planet) == {HOME: False, AWAY: True, THIRD: False}
    assert planet.links(AWAY) == {HOME: "COPYING", THIRD: "COPYING"}
    assert planet.described(AWAY)["TableStatus"] == "ACTIVE"
    assert planet.links(HOME)[THIRD] == planet.links(THIRD)[HOME] == "ACTIVE"
    planet.copies = True
    for region in planet.regions:
        others = {each: "ACTIVE" for each in planet.regions if each != region}
        planet.until("all", lambda region=region, others=others: planet.replicas(region) == others)
    planet.settle()
    assert planet.state(AWAY).global_table["origins"][AWAY]["from"] == ""  # type: ignore[union-attr]
    assert not any(lacks_items(planet).values())


def lacks_items(planet: Planet) -> dict[str, bool]:
    """By region, what metadata say of the table there."""
    return {
        region: any(each["lacks_items"] for each in planet.metadata(region, "table/").values())
        for region in planet.regions
    }


def recovered(planet: Planet, region: str) -> None:
    """A partition of its table freezes, and an operator chooses a replica."""
    life, state = planet.regions[region], planet.state(region)
    assert state is not None
    number = state.partitions[0]["number"]
    life.nodes.frozen = {number: "place 30 lies beyond the log's end 20"}
    planet.until("frozen", lambda: "frozen" in planet.state(region).partitions[0])  # type: ignore[union-attr]
    place = {
        "term": 4,
        "next_sequence": 7,
        "next_offset": 30,
        "log_time_ms": 1,
        "chain": "ab" * 16,
        "checksum": "f" * 16,
    }
    life.ask("RecoverPartition", TableName=state.name, Partition=number, Node="node-2", Place=place)
    planet.until("recovered", lambda: bool(planet.state(region).ancestors))  # type: ignore[union-attr]


def test_an_acknowledgement_of_a_link_of_before_does_not_count() -> None:
    planet = Planet()
    planet.replicated()
    (link,) = planet.metadata(HOME, "link/").values()
    about = {"TableId": link["table"], "Destination": AWAY, "CreatedMs": link["created_ms"]}
    planet.copies = False
    planet.regions[HOME].ask("LinkLost", **{**about, "CreatedMs": 5})
    assert planet.links(HOME) == {AWAY: "ACTIVE"}
    planet.regions[HOME].ask("LinkLost", **about)
    planet.until("again", lambda: planet.links(HOME) == {AWAY: "COPYING"})
    planet.regions[HOME].ask("ReplicaCopied", **about)
    assert planet.links(HOME) == {AWAY: "COPYING"}


# -- words ---------------------------------------------------------------------------------------------------------


def test_a_region_that_is_away_keeps_no_words_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "TOLD_MOST", 1)
    planet = Planet(HOME, AWAY, THIRD)
    planet.cut = {AWAY}
    for name, region in (("a", AWAY), ("b", AWAY), ("c", THIRD)):
        planet.create(HOME, name)
        updates = [{"Create": {"RegionName": region}}]
        planet.regions[HOME].ask("UpdateTable", TableName=name, ReplicaUpdates=updates)
    planet.until("made", lambda: planet.status(THIRD, "c") == "ACTIVE")
    words = planet.regions[HOME].ask("PendingDefinitions")["Words"]
    assert [each["Region"] for each in words].count(AWAY) == 1
