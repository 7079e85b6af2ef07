"""`stream`: a table's changes, in `for` and in `async for`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Literal, TypeVar, overload

from dynabus.adapters.stream_codec import decode_change
from dynabus.client.change import Change, change_of
from dynabus.client.connection import kafka_settings
from dynabus.client.consumer import Record, StreamConsumer, Wish
from dynabus.client.values import Item

T = TypeVar("T")

WAIT_S = 1.0
"""Between two looks at whether the stream is over, while nothing comes."""


@overload
def stream(
    table: str,
    *,
    group: str,
    kafka: str,
    namespace: str = ...,
    label: str | None = ...,
    begin: Literal["oldest", "newest"] = ...,
    on_trimmed: Literal["raise", "continue"] = ...,
    commit_every_s: float = ...,
    config: Mapping[str, str] | None = ...,
) -> Stream[Item]: ...


@overload
def stream(
    table: str,
    *,
    group: str,
    kafka: str,
    parse: Callable[[Item], T],
    namespace: str = ...,
    label: str | None = ...,
    begin: Literal["oldest", "newest"] = ...,
    on_trimmed: Literal["raise", "continue"] = ...,
    commit_every_s: float = ...,
    config: Mapping[str, str] | None = ...,
) -> Stream[T]: ...


def stream(
    table: str,
    *,
    group: str,
    kafka: str,
    parse: Callable[[Item], T] | None = None,
    namespace: str = "dynabus",
    label: str | None = None,
    begin: Literal["oldest", "newest"] = "oldest",
    on_trimmed: Literal["raise", "continue"] = "raise",
    commit_every_s: float = 1.0,
    config: Mapping[str, str] | None = None,
) -> Stream[T] | Stream[Item]:
    """The changes of a table's stream, as one member of the consumer group `group`; iterate over it, or `async for`.

    Each change of an item comes after the one before it of that item, across splits too. Delivery is at least once:
    asking for the next change says that the last one is processed, and so does leaving a `with` block without an
    error. That is committed every `commit_every_s` seconds, when shards go to another member, and by `close`. After a
    crash what was not committed comes again, with the same `event_id`. An application that takes more than five
    minutes for one change is taken for dead.

    kafka: `host:port`, as `dynabus status` shows it; `config`: further librdkafka properties (TLS, SASL).
    parse: makes what the application works with of an item, say a pydantic model's `model_validate`.
    label: of one stream of the table (default: the newest), as in LatestStreamLabel.
    begin: where a group without commits begins.
    on_trimmed: what to do if the group was away for longer than the stream is kept.

    Iteration ends where the stream does: it was switched off and all of it is processed, or it is deleted.
    Raises NoStreamError and NoKafkaError here; TrimmedDataError, KafkaException, UndecodableMessage and what `parse`
    raises while it is iterated: then the change is not processed, and comes again.
    """
    settings = kafka_settings(kafka, namespace, f"{group}-member", config)
    wish = Wish(table, group, label, begin == "newest", on_trimmed == "continue", commit_every_s * 1000)
    consumer = StreamConsumer(settings, wish)
    return Stream(consumer, parse) if parse is not None else Stream(consumer, _as_it_is)


class Stream(Generic[T]):
    """Iterator, async iterator, and context manager of both kinds. Made by `stream`; for one thread or task."""

    def __init__(self, consumer: StreamConsumer, parse: Callable[[Item], T]) -> None:
        self._consumer, self._parse = consumer, parse
        self._handed: Record | None = None
        self._failed: Record | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._asked: asyncio.Future[Change[T] | None] | None = None
        self._closed = self._stopping = False

    def poll(self, timeout_s: float) -> Change[T] | None:
        """The next change; None where there is none in that time. The last one is processed by then."""
        self._done()
        record = self._failed
        if record is None or not self._consumer.holds(record):
            record = self._failed = self._consumer.take(timeout_s)
        if record is None:
            return None
        change = change_of(decode_change(record.entry.value), self._consumer.shard_id(record.number), self._parse)
        self._failed, self._handed = None, record
        return change

    def commit(self) -> None:
        """All changes so far are processed, the one in hand too: commit that now."""
        self._done()
        self._consumer.commit()

    def close(self) -> None:
        """Leave the group. The change in hand comes again, to whoever reads on; `commit` first if it should not."""
        if not self._closed:
            self._closed = True
            self._consumer.close()
            if self._pool is not None:
                self._pool.shutdown(wait=False)

    # -- for, with --------------------------------------------------------------------------------------------

    def __iter__(self) -> Stream[T]:
        return self

    def __next__(self) -> Change[T]:
        change = self._next()
        if change is None:
            raise StopIteration
        return change

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave(kind is None)

    # -- async for, async with --------------------------------------------------------------------------------

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> Change[T]:
        if self._asked is None:
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="dynabus-stream")
            self._asked = asyncio.get_running_loop().run_in_executor(self._pool, self._next)
        # Who is cancelled while waiting finds the change when he asks again: it was not handed to anybody.
        try:
            change = await asyncio.shield(self._asked)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._asked = None
            raise
        self._asked = None
        if change is None:
            raise StopAsyncIteration
        return change

    async def __aenter__(self) -> Stream[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stopping = True
        processed = kind is None and self._asked is None
        if self._pool is None:
            self._leave(processed)
        else:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._leave, processed)

    def _next(self) -> Change[T] | None:
        while not self._stopping:
            change = self.poll(WAIT_S)
            if change is not None or self._consumer.finished():
                return change
        return None

    def _leave(self, processed: bool) -> None:
        if processed and not self._closed:
            self.commit()
        self.close()

    def _done(self) -> None:
        if self._handed is not None:
            self._consumer.done(self._handed)
            self._handed = None


def _as_it_is(item: Item) -> Item:
    return item
