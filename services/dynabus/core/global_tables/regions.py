"""The regions that a cluster knows, as metadata have them. Pure; fed with decoded messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

KIND = "region_metadata"


class Peer(NamedTuple):
    """A region. `kafka`: bootstrap servers, empty for this cluster's own; `settings`: librdkafka's, JSON."""

    name: str
    version: int
    kafka: str
    namespace: str
    endpoint: str
    settings: str
    removed: bool


@dataclass(slots=True)
class Regions:
    """Fed by one thread, read by the same. `peers`: all that are not removed, the own one among them."""

    own: str = ""
    peers: dict[str, Peer] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, key: str, message: Any | None) -> None:
        """Any message of the metadata topic; others than of regions, and older ones, are ignored."""
        if kind != KIND or message is None:
            return
        peer = Peer(*(message[name] for name in Peer._fields))
        if self._versions.get(peer.name, -1) >= peer.version:
            return
        self._versions[peer.name] = peer.version
        if peer.removed:
            self.peers.pop(peer.name, None)
            return
        self.peers[peer.name] = peer
        if not peer.kafka:
            self.own = peer.name
