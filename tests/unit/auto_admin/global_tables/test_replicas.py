"""A table gets replicas in other regions and loses them, while regions come and go."""

from __future__ import annotations

from tests.unit.auto_admin.global_tables.planet import AWAY, HOME, THIRD, Planet

from dynabus.core.global_tables.register import message_of


def test_a_replica_is_made_and_both_sides_say_so() -> None:
    planet = Planet()
    planet.create()
    planet.copies = False
    answer = planet.replicate()["TableDescription"]
    assert [each["ReplicaStatus"] for each in answer["Replicas"]] == ["CREATING"]
    planet.until("made", lambda: planet.status(AWAY) == "ACTIVE" and planet.links(HOME) == {AWAY: "COPYING"})
    assert planet.replicas(HOME) == {AWAY: "CREATING"}
    planet.copies = True
    planet.settle()
    planet.until("active", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})
    planet.until("active", lambda: planet.replicas(AWAY) == {HOME: "ACTIVE"})
    home, away = planet.described(HOME), planet.described(AWAY)
    assert home["GlobalTableVersion"] == away["GlobalTableVersion"] == "2019.11.21"
    assert home["StreamSpecification"] == away["StreamSpecification"]
    assert away["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert home["TableId"] != away["TableId"]
    assert away["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/music"


def test_metadata_tell_regions_and_links() -> None:
    planet = Planet()
    planet.replicated()
    for own, other in ((HOME, AWAY), (AWAY, HOME)):
        regions = {each["name"]: each["kafka"] for each in planet.metadata(own, "region/").values()}
        assert regions == {own: "", other: f"{other}:9092"}
        (table,) = planet.metadata(own, "table/").values()
        assert table["regions"] == [own, other]
        (link,) = planet.metadata(own, "link/").values()
        assert (link["destination"], link["status"], link["whole"]) == (other, "ACTIVE", False)
        assert link["stream"] == planet.described(own)["LatestStreamLabel"]
        assert link["table"] == table["id"]


def test_it_is_told_what_was_done() -> None:
    planet = Planet()
    planet.replicated()
    events = [each["event"] for each in planet.regions[HOME].ask("ListEvents", Count=50)["Events"]]
    for event in (
        "this cluster is region eu-west-1",
        "region us-east-1 is known, at us-east-1:9092",
        "table music: replica in us-east-1: none -> CREATING",
        "table music: replica in us-east-1: CREATING -> ACTIVE",
    ):
        assert event in events


def test_a_region_that_is_away_gets_its_replica_when_it_is_back() -> None:
    planet = Planet()
    planet.create()
    planet.cut = {AWAY}
    planet.replicate()
    for _ in range(20):
        planet.turn()
    assert planet.replicas(HOME) == {AWAY: "CREATING"}
    assert planet.duties[HOME].silent == {AWAY: "cut off"}
    planet.cut = set()
    planet.until("active", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})
    assert planet.duties[HOME].silent == {}


def test_a_third_region_has_links_with_both() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY)
    planet.held = {(HOME, THIRD)}
    planet.replicate(THIRD)
    planet.until("copied", lambda: planet.links(AWAY).get(THIRD) == "ACTIVE" and THIRD in planet.links(HOME))
    whole = [
        (own, e["destination"])
        for own in planet.regions
        for e in planet.metadata(own, "link/").values()
        if e["whole"]
    ]
    assert whole == [(HOME, THIRD)]
    planet.held.clear()
    for own in (HOME, AWAY, THIRD):
        others = {each: "ACTIVE" for each in (HOME, AWAY, THIRD) if each != own}
        planet.until("links", lambda own=own, others=others: planet.links(own) == others)
        planet.until("known", lambda own=own, others=others: planet.replicas(own) == others)


def test_a_replica_that_is_deleted_goes_and_the_rest_is_no_global_table() -> None:
    planet = Planet()
    planet.replicated()
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    assert planet.replicas(HOME) in ({AWAY: "DELETING"}, {AWAY: "ACTIVE"})
    planet.until("gone there", lambda: planet.status(AWAY) is None)
    planet.until("known", lambda: "Replicas" not in planet.described(HOME))
    assert "GlobalTableVersion" not in planet.described(HOME)
    (table,) = planet.metadata(HOME, "table/").values()
    assert table["regions"] == []
    assert planet.metadata(HOME, "link/") == planet.metadata(AWAY, "link/") == {}
    assert planet.metadata(AWAY, "table/") == {}


def test_a_replica_may_come_again() -> None:
    planet = Planet()
    planet.replicated()
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("gone", lambda: "Replicas" not in planet.described(HOME))
    planet.replicate()
    planet.until("active", lambda: planet.replicas(AWAY) == planet.replicas(AWAY) == {HOME: "ACTIVE"})


def test_deleting_a_table_leaves_the_others() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.cut = {THIRD}
    planet.regions[HOME].ask("DeleteTable", TableName="music")
    planet.until("left", lambda: planet.replicas(AWAY) == {HOME: "DELETING", THIRD: "UPDATING"})
    assert planet.status(HOME) == "DELETING", "its row knows that a region has yet to be told"
    planet.cut = set()
    planet.until("gone", lambda: planet.status(HOME) is None)
    for one, other in ((AWAY, THIRD), (THIRD, AWAY)):
        planet.until("known", lambda one=one, other=other: planet.replicas(one) == {other: "ACTIVE"})


def test_a_region_that_is_given_up_is_waited_for_no_more() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.cut = {THIRD}
    life = planet.regions[HOME]
    refused = life.ask("RemoveRegion", Name=THIRD, Force=False)
    assert "tables have replicas in us-west-2: music" in refused["message"]
    assert life.ask("RemoveRegion", Name=THIRD, Force=True) == {"Region": THIRD}
    planet.until("given up", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})
    planet.until("told", lambda: planet.described(AWAY)["Replicas"][0]["RegionName"] == HOME)
    assert planet.links(HOME) == {AWAY: "ACTIVE"}


def test_a_stream_that_lost_what_was_not_sent_is_copied_again() -> None:
    planet = Planet()
    planet.replicated()
    planet.copies = False
    (link,) = planet.metadata(HOME, "link/").values()
    planet.regions[HOME].ask("LinkLost", TableId=link["table"], Destination=AWAY, CreatedMs=link["created_ms"])
    planet.until("again", lambda: planet.links(HOME) == {AWAY: "COPYING"})
    assert planet.replicas(HOME) == {AWAY: "UPDATING"}
    planet.copies = True
    planet.until("active", lambda: planet.replicas(HOME) == {AWAY: "ACTIVE"})


def test_nothing_is_told_twice_when_all_know() -> None:
    planet = Planet()
    planet.replicated()
    words = planet.words
    for _ in range(50):
        planet.turn()
    assert planet.words == words


def test_a_region_that_missed_its_own_end_is_told() -> None:
    """It was restored from before, say: with a word that is old it is made, and it learns better."""
    planet = Planet()
    planet.replicated()
    state = planet.state(HOME)
    assert state is not None
    old = message_of(state.global_table)
    planet.update(ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.until("gone", lambda: planet.status(AWAY) is None and "Replicas" not in planet.described(HOME))
    said = planet.regions[AWAY].ask("GlobalDefinition", TableName="music", Definition=old)
    assert said["Status"] == "CREATING"
    planet.until("told", lambda: planet.status(AWAY) == "DELETING")
    planet.until("gone", lambda: planet.status(AWAY) is None and "Replicas" not in planet.described(HOME))


def test_regions_that_remove_each_other_keep_their_tables_each_for_itself() -> None:
    """Each would delete its own by the other's word."""
    planet = Planet()
    planet.replicated()
    planet.cut = {AWAY}
    for name, other in ((HOME, AWAY), (AWAY, HOME)):
        answer = planet.update(name, ReplicaUpdates=[{"Delete": {"RegionName": other}}])
        assert "TableDescription" in answer, answer
    ids = {name: planet.state(name).id for name in planet.regions}  # type: ignore[union-attr]
    planet.cut = set()
    planet.settle()
    for name in planet.regions:
        state = planet.state(name)
        assert state is not None
        assert (state.id, state.status) == (ids[name], "ACTIVE")
        assert planet.links(name) == planet.replicas(name) == {}
    planet.replicate(HOME, at=AWAY)
    planet.until("refused", lambda: planet.replicas(AWAY) == {HOME: "CREATION_FAILED"})


def test_of_regions_that_remove_each_the_next_one_some_keep_their_tables() -> None:
    planet = Planet(HOME, AWAY, THIRD)
    planet.replicated(AWAY, THIRD)
    planet.cut = {*planet.regions}
    for name, other in ((HOME, AWAY), (AWAY, THIRD), (THIRD, HOME)):
        planet.update(name, ReplicaUpdates=[{"Delete": {"RegionName": other}}])
    planet.cut = set()
    planet.settle()
    assert "ACTIVE" in [planet.status(name) for name in planet.regions]


def test_who_removes_another_region_and_then_deletes_its_table_leaves_nothing() -> None:
    planet = Planet()
    planet.replicated()
    planet.cut = {AWAY}
    planet.update(HOME, ReplicaUpdates=[{"Delete": {"RegionName": AWAY}}])
    planet.turn()
    planet.cut = set()
    planet.regions[HOME].ask("DeleteTable", TableName="music")
    planet.until("gone", lambda: planet.status(HOME) is planet.status(AWAY) is None)
