"""Other regions, and how their Kafka is reached."""

from __future__ import annotations

import orjson

from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.global_tables.regions import Peer, Regions


def kafka_of(peer: Peer, client_id: str) -> KafkaSettings:
    """How another region's Kafka is reached."""
    extra = {str(name): str(value) for name, value in orjson.loads(peer.settings or "{}").items()}
    return KafkaSettings(peer.kafka, peer.namespace, client_id, extra)


def others(regions: Regions) -> dict[str, Peer]:
    """Those that are not removed, without the own one, by name; none while it is not known which that is."""
    own = regions.own
    return {name: peer for name, peer in regions.peers.items() if own and name != own and not peer.removed}
