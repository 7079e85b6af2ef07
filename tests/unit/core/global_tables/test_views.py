"""Regions and links as processes know them from metadata."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from dynabus.adapters.codec import decode, encode
from dynabus.core.global_tables.links import Links, key_of
from dynabus.core.global_tables.regions import Regions


def region(name: str, version: int = 1, kafka: str = "k:9092", **more: Any) -> dict[str, Any]:
    message = {
        "name": name,
        "version": version,
        "kafka": kafka,
        "namespace": "dynabus",
        "endpoint": "e",
        "settings": orjson.dumps({"security.protocol": "SSL"}).decode(),
        "removed": False,
        **more,
    }
    kind, body = decode(encode("region_metadata", message))
    assert (kind, body) == ("region_metadata", message)
    return message


def link(destination: str, version: int = 1, status: str = "COPYING") -> dict[str, Any]:
    message = {
        "table": "t1",
        "name": "music",
        "destination": destination,
        "version": version,
        "status": status,
        "created_ms": 5,
        "whole": True,
        "stream": "label",
        "rows": ["eu"],
        "forwards": {"ap": 7},
        "replica": "t2",
    }
    assert decode(encode("link_metadata", message)) == ("link_metadata", message)
    return message


def regions(*messages: dict[str, Any]) -> Regions:
    found = Regions()
    for message in messages:
        found.take("region_metadata", f"region/{message['name']}", message)
    return found


def test_own_and_others() -> None:
    found = regions(region("eu", kafka="", endpoint=""), region("us"))
    assert found.own == "eu"
    assert found.peers["us"].properties == {"security.protocol": "SSL"}
    assert [*found.peers] == ["us"]
    assert found.others == found.peers


def test_nobody_is_another_one_while_it_is_not_known_which_one_this_is() -> None:
    assert regions(region("us")).others == {}


def test_an_older_word_changes_nothing() -> None:
    found = regions(region("us", 2, removed=True), region("us", 1))
    assert found.peers == {}
    found = regions(region("us", 2, kafka="new:1"), region("us", 1, kafka="old:1"))
    assert found.peers["us"].kafka == "new:1"


def test_a_region_goes_and_comes() -> None:
    found = regions(region("us"), region("us", 2, removed=True))
    assert found.peers == {}
    found.take("region_metadata", "region/us", region("us", 3))
    assert [*found.peers] == ["us"]


def test_other_records_are_ignored() -> None:
    found, links = regions(), Links()
    for kind, key, message in (("table_metadata", "table/t1", {"name": "x"}), ("", "region/us", None)):
        found.take(kind, key, message)
        links.take(kind, key, message)
    assert (found.own, found.peers, links.all, links.changes) == ("", {}, {}, 0)


def test_links_follow_versions_and_go_with_a_tombstone() -> None:
    links = Links()
    for message in (link("us", 2, "ACTIVE"), link("us", 1), link("af")):
        links.take("link_metadata", key_of("t1", message["destination"]), message)
    assert [(each.destination, each.status) for each in links.of("t1")] == [("af", "COPYING"), ("us", "ACTIVE")]
    links.take("", key_of("t1", "us"), None)
    assert [each.destination for each in links.of("t1")] == ["af"]
    assert links.of("t2") == []
    assert links.changes == 3


def test_links_are_read_while_they_are_copied_and_active() -> None:
    links = Links()
    for version, status, are_read in ((1, "COPYING", True), (2, "ACTIVE", True), (3, "DELETING", False)):
        links.take("link_metadata", key_of("t1", "us"), link("us", version, status))
        assert [each.status for each in links.to("us")] == ([status] if are_read else [])
        assert links.to("af") == []


@pytest.mark.parametrize(
    ("status", "whole", "own", "other"),
    [("COPYING", True, True, True), ("ACTIVE", False, True, False), ("DRAINING", True, False, False)],
)
def test_whose_rows_a_link_s_copy_has(status: str, whole: bool, own: bool, other: bool) -> None:
    links = Links()
    links.take("link_metadata", key_of("t1", "us"), {**link("us", status=status), "whole": whole})
    [found] = links.of("t1")
    assert (found.copies("eu"), found.copies("ap")) == (own, other)
