"""The regions that a cluster knows, from its metadata. Pure; fed with decoded messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

PREFIX = "region/"
"""Of the key of a region's record: `region/<name>`."""

KIND = "region_metadata"


class Peer(NamedTuple):
    """A region. `settings`: librdkafka properties with which its Kafka is reached, JSON; empty `kafka`: our own."""

    name: str
    version: int
    kafka: str
    namespace: str
    endpoint: str
    settings: str
    removed: bool

    @property
    def properties(self) -> Mapping[str, str]:
        """The settings."""
        return {str(name): str(value) for name, value in orjson.loads(self.settings or "{}").items()}


class Regions:
    """Fed by one thread, read by the same."""

    def __init__(self) -> None:
        self.own = ""
        """This cluster's; empty: it has none."""
        self.peers: dict[str, Peer] = {}
        """The others that were not removed, by name."""
        self._known: dict[str, Peer] = {}

    @property
    def others(self) -> dict[str, Peer]:
        """The same, once it is known which one this is."""
        return dict(self.peers) if self.own else {}

    def take(self, kind: str, key: str, message: Any | None) -> None:
        """Any record of the metadata topic; others are ignored, and so is an older one than what is known."""
        if kind != KIND or message is None:
            return
        peer = Peer(**message)
        known = self._known.get(peer.name)
        if known is not None and known.version > peer.version:
            return
        self._known[peer.name] = peer
        if not peer.kafka:
            self.own = peer.name
        elif peer.removed:
            self.peers.pop(peer.name, None)
        else:
            self.peers[peer.name] = peer
