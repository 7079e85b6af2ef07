"""Regions and links as metadata have them: the newest of each, until it is gone."""

from __future__ import annotations

from typing import Any

from dynabus.adapters.codec import decode, encode
from dynabus.adapters.kafka.peers import kafka_of, others
from dynabus.core.global_tables.links import ACTIVE, COPYING, DELETING, Link, Links
from dynabus.core.global_tables.regions import Peer, Regions

OWN = Peer("us", 1, "", "dynabus", "", "{}", False)
OTHER = Peer("eu", 3, "there:9092", "ns", "there", '{"security.protocol": "SSL", "retries": 3}', False)
LINK = Link("id", "music", "eu", 4, COPYING, 5, True, "label")


def take(view: Any, kind: str, key: str, what: Peer | Link) -> None:
    """As it comes from the bus."""
    view.take(kind, key, decode(encode(kind, what._asdict()))[1])


def test_the_own_region_is_the_one_without_a_kafka() -> None:
    regions = Regions()
    take(regions, "region_metadata", "region/eu", OTHER)
    assert (regions.own, others(regions)) == ("", {})
    take(regions, "region_metadata", "region/us", OWN)
    assert (regions.own, regions.peers) == ("us", {"us": OWN, "eu": OTHER})
    assert others(regions) == {"eu": OTHER}


def test_an_older_record_is_left_and_a_removed_region_is_gone() -> None:
    regions = Regions()
    take(regions, "region_metadata", "region/us", OWN)
    take(regions, "region_metadata", "region/eu", OTHER)
    take(regions, "region_metadata", "region/eu", OTHER._replace(version=2, kafka="old:1"))
    assert others(regions) == {"eu": OTHER}
    take(regions, "region_metadata", "region/eu", OTHER._replace(version=4, removed=True))
    take(regions, "region_metadata", "region/eu", OTHER)
    assert others(regions) == {}


def test_another_regions_kafka_is_reached_with_its_settings() -> None:
    kafka = kafka_of(OTHER, "rep-out-1")
    assert (kafka.bootstrap, kafka.namespace, kafka.client_id) == ("there:9092", "ns", "rep-out-1")
    assert kafka.replication_producer()["security.protocol"] == "SSL"
    assert kafka.extra["retries"] == "3"


def test_links_are_read_while_they_are_copied_and_active() -> None:
    links = Links()
    take(links, "link_metadata", "link/id/eu", LINK)
    assert links.to("eu") == [LINK]
    assert links.to("ap") == []
    take(links, "link_metadata", "link/id/eu", LINK._replace(version=3, status=DELETING))
    assert links.to("eu") == [LINK]
    active = LINK._replace(version=5, status=ACTIVE)
    take(links, "link_metadata", "link/id/eu", active)
    assert links.to("eu") == [active]
    take(links, "link_metadata", "link/id/eu", LINK._replace(version=6, status=DELETING))
    assert links.to("eu") == []
    links.take("", "region/eu", None)
    assert links.links
    links.take("", "link/id/eu", None)
    assert not links.links
