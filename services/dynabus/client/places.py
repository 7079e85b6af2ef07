"""Reading one's own writes, wherever one reads: hooks for boto3's clients, or whatever else is built on botocore.

    client = boto3.client("dynamodb", endpoint_url=...)
    seen = read_your_writes(client)
    client.put_item(TableName="orders", Item=...)
    client.get_item(TableName="orders", Key=...)      # eventually consistent, at half the price, and it is there

What was seen can be handed on, to another process, thread or request of a web page, that reads no earlier state then:

    other = read_your_writes(another_client, str(seen))

Other clients than botocore's send and keep the header themselves: docs/reading.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from dynabus.core.places import HEADER, Places


class Events(Protocol):
    """botocore's hooks: its user guide, topic "Events"."""

    def register(self, event_name: str, handler: Callable[..., Any]) -> None:
        """Call the handler at each of these events."""


class Meta(Protocol):
    """What is known of a client."""

    @property
    def events(self) -> Events:
        """Its hooks."""


class Client(Protocol):
    """A client for DynamoDB of boto3, aiobotocore or botocore; of a resource it is `resource.meta.client`."""

    @property
    def meta(self) -> Meta:
        """What is known of it."""


class SeenPlaces:
    """What a client's answers had in them, by partition; its `str` can be handed on. Threads may share it."""

    def __init__(self, places: str = "") -> None:
        """Raises ValueError for what is no list of places."""
        self._places, self._lock = Places(places), threading.Lock()

    def __str__(self) -> str:
        with self._lock:
            return str(self._places)

    def add(self, places: str) -> None:
        """What somebody else has seen, too. Raises ValueError."""
        with self._lock:
            self._places.add(places)

    def send(self, params: dict[str, Any], **_: Any) -> None:
        """Before a request leaves."""
        params["headers"][HEADER] = str(self)

    def keep(self, http_response: Any, **_: Any) -> None:
        """An answer is there."""
        self.add(http_response.headers.get(HEADER, ""))


def read_your_writes(client: Client, places: str = "") -> SeenPlaces:
    """Let a client's eventually consistent reads see whatever it has written or read before; returns what that is.

    `places`: what somebody else has seen. Tables only: an index is behind its table, though never behind what was
    read of the index itself. Of 400 partitions the places are kept, those seen last. Raises ValueError.
    """
    seen = SeenPlaces(places)
    client.meta.events.register("before-call.dynamodb", seen.send)
    client.meta.events.register("after-call.dynamodb", seen.keep)
    return seen
