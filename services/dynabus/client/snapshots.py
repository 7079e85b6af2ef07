"""`snapshot`: a table as it is at one place, after which a group reads what changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, overload

import orjson

from dynabus.client.connection import kafka_settings
from dynabus.client.copying import Copies, Wish
from dynabus.client.iteration import End, Iteration
from dynabus.client.values import Item, as_it_is, item_of

T = TypeVar("T")


@overload
def snapshot(
    table: str,
    *,
    group: str,
    kafka: str,
    namespace: str = ...,
    label: str | None = ...,
    patience_s: float = ...,
    config: Mapping[str, str] | None = ...,
) -> Snapshot[Item]: ...


@overload
def snapshot(
    table: str,
    *,
    group: str,
    kafka: str,
    parse: Callable[[Item], T],
    namespace: str = ...,
    label: str | None = ...,
    patience_s: float = ...,
    config: Mapping[str, str] | None = ...,
) -> Snapshot[T]: ...


def snapshot(
    table: str,
    *,
    group: str,
    kafka: str,
    parse: Callable[[Item], T] | None = None,
    namespace: str = "dynabus",
    label: str | None = None,
    patience_s: float = 60.0,
    config: Mapping[str, str] | None = None,
) -> Snapshot[T] | Snapshot[Item]:
    """All items of a table, and behind the last one the consumer group's positions in the table's stream: `stream`
    with the same group then goes on with the changes that are not in them, no gap and no overlap.

        for item in snapshot("orders", group="search", kafka=...):
            index.put(item)
        for change in stream("orders", group="search", kafka=...):
            index.apply(change)

    Each partition's items are of one moment in its log; between partitions there is no order, as in DynamoDB. The
    group's positions are set when the item after the last one is asked for, and replace those that it had. Until
    then, whatever happens, nothing is set: begin anew. The group must have no members meanwhile.

    kafka: `host:port`, as `dynabus status` shows it; `config`: further librdkafka properties (TLS, SASL).
    parse: makes what the application works with of an item. label: of one stream of the table (default: the newest).
    patience_s: for a partition of which nobody has a copy to give, or more of one than was given before.

    A partition's items wait in a temporary file until all are there and proved. Costs no read capacity; nodes send at
    `--clone-mb-per-s`. Raises NoStreamError, NoKafkaError, BusyGroupError here; these, NoCopyError and KafkaException
    while it is iterated.
    """
    copies = Copies(
        kafka_settings(kafka, namespace, f"{group}-copies", config), Wish(table, group, label, patience_s)
    )
    return Snapshot(copies, parse) if parse is not None else Snapshot(copies, as_it_is)


class Snapshot(Iteration[T]):
    """Iterator, async iterator, and context manager of both kinds. Made by `snapshot`; for one thread or task."""

    def __init__(self, copies: Copies, parse: Callable[[Item], T]) -> None:
        super().__init__()
        self._copies, self._parse = copies, parse
        self._items = copies.items()
        self._closed = False

    def close(self) -> None:
        """What was not read to its end sets no positions."""
        if not self._closed:
            self._closed = True
            self._items.close()
            self._copies.close()
            self._end()

    def _next(self) -> T | End:
        item = None if self._closed else next(self._items, None)
        if item is not None:
            return self._parse(item_of(orjson.loads(item)))
        if not self._closed:
            self._copies.commit()
            self.close()
        return End.END

    def _leave(self, *, processed: bool) -> None:
        self.close()
