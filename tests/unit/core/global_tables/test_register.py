"""The register that regions keep of a global table: what is left to tell, and what an answer changes."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.global_tables import register as registers
from dynabus.core.global_tables.description import described, status_of
from dynabus.core.global_tables.register import Register, Said
from dynabus.core.global_tables.sending import FOR_GOOD, draining, former_of, forwards_of

HOME, AWAY, THIRD = "eu", "us", "af"


def begun(*members: str) -> Register:
    return registers.with_members(registers.begun(HOME, "group"), [HOME, *members], 1000)


def answered(
    register: Register, region: str = AWAY, status: str = "ACTIVE", why: str = "", table: str = "t", **more: Any
) -> Register:
    about = {"wall_ms": 2000, "streams": True, "stamps": registers.stamps_of(register), **more}
    return registers.answered(register, region, said=Said(status, why, table), **about)


def test_stamps_rise_whatever_the_clock_says() -> None:
    register = begun(AWAY)
    members = {HOME: [0, HOME], AWAY: [1000, HOME]}
    assert registers.stamps_of(register) == [[0, HOME], members, {AWAY: [1000, HOME]}, {}]
    assert registers.stamps_of(registers.with_members(register, [HOME], 5))[1] == {**members, AWAY: [1001, HOME]}
    changed = registers.with_definition(register, {}, 5000)
    assert registers.stamps_of(changed)[0] == [5000, HOME]
    assert registers.stamps_of(registers.with_definition(changed, {}, 5))[0] == [5001, HOME]


def test_of_two_at_the_same_time_the_greater_name_counts() -> None:
    register = registers.with_definition(begun(AWAY), {}, 1000)
    message = {**registers.message_of(register), "definition_stamp": [1000, AWAY]}
    assert registers.is_newer(message, register)
    assert not registers.is_newer(registers.message_of(register), register)
    assert not registers.is_newer({**message, "definition_stamp": [1000, "aa"]}, register)


def test_an_answer_about_an_older_word_does_not_count() -> None:
    register = begun(AWAY)
    newer = registers.with_definition(register, {}, 5000)
    assert answered(newer, stamps=registers.stamps_of(register)) == newer
    assert registers.to_tell(newer) == [AWAY]
    assert registers.to_tell(answered(newer)) == []


@pytest.mark.parametrize(("status", "streams"), [("CREATING", True), ("REFUSED", True), ("ACTIVE", False)])
def test_no_link_before_table_and_stream_are_there(status: str, streams: bool) -> None:
    register = answered(begun(AWAY), status=status, streams=streams)
    assert register["links"] == {}
    assert registers.to_tell(register) == [AWAY]
    assert answered(register)["links"] == {AWAY: {"status": "COPYING", "created_ms": 2000, "table": "t"}}


def test_who_answers_twice_has_one_link() -> None:
    register = registers.with_link(answered(begun(AWAY)), AWAY, status="ACTIVE")
    assert answered(register, wall_ms=9000)["links"] == {AWAY: {"status": "ACTIVE", "created_ms": 2000, "table": "t"}}


def test_a_leaver_is_told_until_it_is_gone() -> None:
    register = registers.with_members(answered(begun(AWAY)), [HOME], 3000)
    assert registers.regions_of(register) == [HOME, AWAY], "what it has to send still is taken"
    assert register["links"][AWAY]["status"] == "DELETING"
    assert registers.to_tell(answered(register, status="DELETING")) == [AWAY]
    gone = answered(register, status="GONE")
    assert (registers.to_tell(gone), gone["links"], gone["replicas"]) == ([], {}, {})
    assert registers.regions_of(gone) == []


def test_a_leaver_that_comes_again_has_a_new_link() -> None:
    register = registers.with_members(answered(begun(AWAY)), [HOME], 3000)
    again = registers.with_members(register, [HOME, AWAY], 4000)
    assert again["leaving"] == []
    assert answered(again, wall_ms=5000)["links"][AWAY] == {"status": "COPYING", "created_ms": 5000, "table": "t"}


def test_who_leaves_itself_tells_all_and_sends_what_is_left() -> None:
    register = registers.with_members(linked("ACTIVE", "COPYING"), [AWAY, THIRD], 3000)
    assert registers.to_tell(register) == [THIRD, AWAY]
    assert registers.regions_of(register) == []
    assert draining(register) == [AWAY, THIRD]
    for region in (AWAY, THIRD):
        register = answered(register, region)
    assert registers.to_tell(register) == []
    assert draining(register) == [AWAY, THIRD]
    after = registers.taken(register, {**registers.message_of(register), "membership": without(register, AWAY)}, 5000)
    assert draining(after) == [THIRD], "who is no member does not want it"
    assert after["links"][AWAY]["status"] == "DELETING"


def without(register: Register, region: str) -> dict[str, Any]:
    """What another region says of members, that this one has left."""
    return {**register["membership"], region: {"member": False, "stamp": [4000, region]}}


def test_who_leaves_itself_tells_other_leavers_until_they_know() -> None:
    register = registers.with_members(begun(AWAY, THIRD), [HOME, THIRD], 3000)
    register = registers.with_members(register, [THIRD], 4000)
    assert registers.to_tell(register) == [THIRD, AWAY]
    assert registers.to_tell(answered(register, AWAY, "DELETING")) == [THIRD]


def linked(*statuses: str) -> Register:
    """To two others."""
    register = begun(AWAY, THIRD)
    for region, status in zip((AWAY, THIRD), statuses, strict=True):
        register = registers.with_link(answered(register, region), region, status=status)
    return register


def left(register: Register, region: str = THIRD, wall_ms: int = 3000) -> Register:
    """It has said that it is gone."""
    rest = [each for each in register["members"] if each != region]
    return answered(registers.with_members(register, rest, wall_ms), region, "GONE", wall_ms=wall_ms)


@pytest.mark.parametrize(
    ("status", "rows", "shown"), [("ACTIVE", [THIRD], "UPDATING"), ("COPYING", [THIRD, HOME], "CREATING")]
)
def test_what_a_member_wrote_that_is_gone_the_others_send_each_other(
    status: str, rows: list[str], shown: str
) -> None:
    after = registers.with_members(linked(status, "ACTIVE"), [HOME, AWAY], 3000)
    assert former_of(after) == {THIRD: FOR_GOOD}
    link = after["links"][AWAY]
    assert (link["status"], link["created_ms"], link["rows"]) == ("COPYING", 3000, rows)
    assert status_of(after, AWAY) == shown
    assert answered(after, THIRD, "GONE", wall_ms=9000)["links"] == {AWAY: link}
    assert status_of(registers.copied_to(after, AWAY, 4000), AWAY) == "ACTIVE"


def test_of_the_next_one_that_goes_all_are_sent_whose_changes_were_its_to_send_on() -> None:
    register = registers.with_link(left(begun_with_four()), AWAY, status="ACTIVE")
    after = left(register, FOURTH, 5000)
    assert after["links"][AWAY]["rows"] == [THIRD, FOURTH]
    lost = registers.copied_again(registers.with_link(after, AWAY, status="ACTIVE"), AWAY, 6000)
    assert lost["links"][AWAY]["rows"] == [THIRD, HOME, FOURTH]


FOURTH = "sa"


def begun_with_four() -> Register:
    register = begun(AWAY, THIRD, FOURTH)
    for region in (AWAY, THIRD, FOURTH):
        register = registers.with_link(answered(register, region), region, status="ACTIVE")
    return register


def test_of_a_member_that_comes_back_what_it_wrote_before_is_sent_on() -> None:
    again = registers.with_members(left(linked("ACTIVE", "ACTIVE")), [HOME, AWAY, THIRD], 7000)
    assert former_of(again) == {THIRD: 7000}
    later = registers.with_members(again, [HOME, AWAY, THIRD, FOURTH], 8000)
    assert former_of(later) == {THIRD: 7000}
    assert former_of(left(again, wall_ms=9000)) == {THIRD: FOR_GOOD}


def test_a_replica_whose_log_lost_writes_gets_every_item_and_sends_its_own_once_more() -> None:
    before = linked("ACTIVE", "ACTIVE")
    after = registers.lost_writes(before, 6000)
    assert {each["status"] for each in after["links"].values()} == {"COPYING"}
    assert [each["rows"] for each in after["links"].values()] == [[HOME], [HOME]]
    assert after["origins"][HOME] == {"from": THIRD, "stamp": [6000, HOME], "lost": [6000, HOME]}
    assert registers.to_tell(after) == [THIRD, AWAY]
    assert registers.is_newer(registers.message_of(after), before)
    behind = registers.lost_writes({**before, "origins": {THIRD: {"from": HOME, "stamp": [1, HOME]}}}, 6000)
    assert behind["origins"][HOME]["from"] == AWAY, "of two the one that has all"
    assert registers.lost_writes(begun(), 6000) == begun()


def seen_by(region: str, register: Register) -> Register:
    """What a member has of the register, whose links are ACTIVE."""
    others = [each for each in register["members"] if each != region]
    links = {each: {"status": "ACTIVE", "created_ms": 2000, "table": "t"} for each in others}
    return {**register, "own": region, "links": links}


def test_it_gets_its_own_writes_too_from_whoever_has_the_only_copy() -> None:
    message = registers.message_of(registers.lost_writes(linked("ACTIVE", "ACTIVE"), 6000))
    for region in (AWAY, THIRD):
        known = registers.taken(seen_by(region, linked("ACTIVE", "ACTIVE")), message, 7000)
        whole = registers.is_whole(known, HOME)
        assert whole == (region == THIRD)
        assert known["links"][HOME] == {**known["links"][HOME], "status": "COPYING", "rows": sorted([HOME, region])}
        assert {each["status"] for to, each in known["links"].items() if to != HOME} == {"ACTIVE"}


def test_what_arrives_of_its_own_writes_later_is_given_back_too() -> None:
    """It was on its way to the other one when the log lost it, and when that one's rows were read."""
    message = registers.message_of(registers.lost_writes(linked("ACTIVE", "ACTIVE"), 6000))
    for region in (AWAY, THIRD):
        known = registers.taken(seen_by(region, linked("ACTIVE", "ACTIVE")), message, 7000)
        assert forwards_of(known, known["links"][HOME], HOME) == {HOME: 6000}
        assert all(forwards_of(known, each, to) == {} for to, each in known["links"].items() if to != HOME)
        done = registers.copied_to(known, HOME, 8000)
        assert forwards_of(done, done["links"][HOME], HOME) == {HOME: 6000}, "and later still"


def test_one_that_loses_writes_once_more_meanwhile_is_sent_all_from_the_beginning() -> None:
    once = registers.lost_writes(linked("ACTIVE", "ACTIVE"), 6000)
    twice = registers.lost_writes(once, 8000)
    assert once["origins"][HOME]["from"] == twice["origins"][HOME]["from"]
    for region in (AWAY, THIRD):
        known = registers.taken(seen_by(region, linked("ACTIVE", "ACTIVE")), registers.message_of(once), 7000)
        again = registers.taken(known, registers.message_of(twice), 9000)
        assert known["links"][HOME]["created_ms"] == 7000
        assert again["links"][HOME]["created_ms"] == 9000
        assert forwards_of(again, again["links"][HOME], HOME) == {HOME: 8000}
        assert registers.taken(again, registers.message_of(twice), 9500) == again


def test_who_hears_of_a_loss_when_it_is_over_gives_back_what_it_has_all_the_same() -> None:
    """Whoever sends every item may have done so within a second."""
    before = linked("ACTIVE", "ACTIVE")
    lost = registers.lost_writes(before, 6000)
    origin = registers.taken(seen_by(THIRD, before), registers.message_of(lost), 7000)
    done = registers.message_of(registers.copied_to(origin, HOME, 8000))
    late = registers.taken(seen_by(AWAY, before), done, 9000)
    assert late["origins"][HOME]["from"] == ""
    assert late["links"][HOME] == {**late["links"][HOME], "status": "COPYING", "rows": [HOME, AWAY]}
    assert forwards_of(late, late["links"][HOME], HOME) == {HOME: 6000}
    assert registers.taken(late, done, 9500) == late


def test_the_end_of_a_copy_is_not_that_of_one_for_a_later_loss() -> None:
    before = linked("ACTIVE", "ACTIVE")
    once = registers.lost_writes(before, 6000)
    twice = registers.lost_writes(once, 7000)
    origin = registers.taken(seen_by(THIRD, before), registers.message_of(once), 6500)
    done = registers.copied_to(origin, HOME, 9000)
    for region, other in ((done, twice), (twice, done)):
        assert registers.taken(region, registers.message_of(other), 9500)["origins"] == twice["origins"]


def test_what_is_given_back_is_in_each_later_copy_too() -> None:
    message = registers.message_of(registers.lost_writes(linked("ACTIVE", "ACTIVE"), 6000))
    known = registers.taken(seen_by(AWAY, linked("ACTIVE", "ACTIVE")), message, 7000)
    again = registers.copied_again(registers.copied_to(known, HOME, 8000), HOME, 9000)
    assert again["links"][HOME]["rows"] == [HOME, AWAY]
    recovered_itself = registers.lost_writes(known, 9000)
    assert recovered_itself["links"][HOME]["rows"] == [HOME, AWAY]


@pytest.mark.parametrize("by", [HOME, AWAY])
def test_so_does_one_that_was_made_anew(by: str) -> None:
    """Whoever told it is there, and sends it every item."""
    complete = registers.copied_to(registers.copied_to(linked("COPYING", "COPYING"), AWAY, 2900), THIRD, 3000)
    after = answered(complete, THIRD, table="another", wall_ms=6000)
    assert after["links"][THIRD]["rows"] == [THIRD, HOME]
    assert forwards_of(after, after["links"][THIRD], THIRD) == {THIRD: 6000}
    anew = registers.lost_writes(registers.joined(THIRD, registers.message_of(complete)), 9000, by)
    assert anew["origins"][THIRD]["from"] == by
    heard = registers.taken(seen_by(AWAY, complete), registers.message_of(anew), 7000)
    assert heard["links"][THIRD]["rows"] == [THIRD, AWAY]
    again = answered(heard, THIRD, table="another", wall_ms=7500)
    assert forwards_of(again, again["links"][THIRD], THIRD) == {THIRD: 9000}, "its clock is ahead"
    assert again["origins"] == anew["origins"]


def test_a_link_that_is_first_made_after_a_loss_gives_back_what_came_before() -> None:
    """It sends to us once it has its own link to us."""
    lost = registers.lost_writes(linked("ACTIVE", "ACTIVE"), 6000)
    known = registers.taken(
        {**seen_by(AWAY, linked("ACTIVE", "ACTIVE")), "links": {}}, registers.message_of(lost), 7000
    )
    made = answered(known, HOME)["links"][HOME]
    assert made["rows"] == [HOME, AWAY]
    assert forwards_of(known, made, HOME) == {HOME: 6000}
    assert registers.incomplete(answered(known, HOME)) == [HOME], "maybe nobody else has what it lost"


@pytest.mark.parametrize("status", ["COPYING", "ACTIVE"])
def test_who_gives_back_is_not_deleted_before_it_has(status: str) -> None:
    """Also where the copy that it makes is its first one to that region."""
    before = linked("ACTIVE", "ACTIVE")
    away = {**seen_by(AWAY, before)}
    away["links"] = {HOME: {**before["links"][AWAY], "status": status}}
    assert registers.incomplete(away) == []
    lost = registers.message_of(registers.lost_writes(before, 6000))
    assert registers.incomplete(registers.taken(away, lost, 7000)) == [HOME]


def test_but_not_one_that_fell_behind() -> None:
    assert registers.copied_again(linked("ACTIVE", "ACTIVE"), AWAY, 6000)["links"][AWAY]["rows"] == [HOME]


def test_who_hears_at_once_that_a_member_left_and_came_back_sends_on_what_it_wrote_before() -> None:
    back = registers.with_members(left(linked("ACTIVE", "ACTIVE")), [HOME, AWAY, THIRD], 7000)
    after = registers.taken(seen_by(AWAY, linked("ACTIVE", "ACTIVE")), registers.message_of(back), 8000)
    assert former_of(after) == former_of(back) == {THIRD: 7000}
    assert after["links"][HOME] == {**after["links"][HOME], "status": "COPYING", "created_ms": 8000, "rows": [THIRD]}
    assert registers.taken(after, registers.message_of(back), 9000) == after


def test_who_joins_later_sends_on_too() -> None:
    after = registers.with_members(left(linked("ACTIVE", "ACTIVE")), [HOME, AWAY, FOURTH], 7000)
    assert former_of(registers.joined(FOURTH, registers.message_of(after))) == {THIRD: FOR_GOOD}


def test_what_is_described() -> None:
    plain = {"TableName": "music"}
    assert described(plain, {}) == described(plain, begun()) == plain
    shown = described(plain, begun(AWAY))
    assert shown["Replicas"] == [{"RegionName": AWAY, "ReplicaStatus": "CREATING"}]
    assert described(shown, {}) == plain
    failed = answered(begun(AWAY), status="REFUSED", why="another key")
    assert described(plain, failed)["Replicas"] == [
        {"RegionName": AWAY, "ReplicaStatus": "CREATION_FAILED", "ReplicaStatusDescription": "another key"}
    ]
