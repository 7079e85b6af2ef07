"""What a message becomes: commands with their identities and first tries, refusals, and what is no command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from dynabus.adapters.codec import UndecodableMessage
from dynabus.adapters.ingest_codec import decode_message, is_avro
from dynabus.adapters.logs import logger
from dynabus.core.errors import ApiError
from dynabus.core.ingest.attempts import Attempt, begin
from dynabus.core.ingest.commands import Command, Place, Poison, read_message
from dynabus.core.operations.calls import Context
from dynabus.request_router.ingest.reader import Arrival, Share


class Source(NamedTuple):
    """The message that a command came in, and where it stands there."""

    place: Place
    key: bytes | None
    is_avro: bool
    raw: bytes | None


@dataclass(slots=True, eq=False)
class Task:
    """A command for a leader. `table_id`: of the table as first found; `attempt`: None after one in vain."""

    source: Source
    command: Command
    token: bytes
    table_id: str
    attempt: Attempt | None


@dataclass(slots=True, eq=False)
class Refusal:
    """A command that is refused before anybody is asked."""

    source: Source
    command: Command
    answer: bytes


@dataclass(slots=True, eq=False)
class Bad:
    """What is no command."""

    source: Source
    poison: Poison


What = Task | Refusal | Bad


def lane_of(what: What) -> bytes | None:
    """The item of a command; None of what waits for nobody."""
    return what.attempt.lane if isinstance(what, Task) and what.attempt is not None else None


def tasks_of(
    share: Share, arrival: Arrival, table: str | None, context: Context, takes: Callable[[str], bool]
) -> Iterator[What]:
    """In the order of the message. `table`: whose topic it is; in the common topic only tables that are switched on
    take commands (`takes`)."""
    place = Place(share.topic, share.topic_id, share.number, arrival.offset)
    source = Source(place, arrival.key, is_avro(arrival.value or b""), arrival.value)
    try:
        elements = read_message(decode_message(arrival.value), table)
    except UndecodableMessage as error:
        elements = [Poison(str(error), table)]
    for position, each in enumerate(elements):
        here = source._replace(place=place._replace(position=position))
        if isinstance(each, Poison):
            # Nobody could be told by a topic that is not there.
            told = table is not None or each.table is None or takes(each.table)
            yield Bad(here, each if told else each._replace(table=None))
        elif table is None and not takes(each.table):
            why = f"no table {each.table} that takes commands"
            yield Bad(here, Poison(why, None, each.correlation_id, as_json(each)))
        else:
            yield _task(here, each, context)


def _task(source: Source, command: Command, context: Context) -> What:
    token = command.identity(source.place).encode()
    try:
        attempt = begin(command, token, context)
    except ApiError as error:
        return Refusal(source, command, orjson.dumps(error.body()))
    except Exception as error:
        # Ours, and nothing was asked yet. If it ended this router, it would end each that gets the message next.
        logger().exception("a command could not be looked at", topic=source.place.topic, offset=source.place.offset)
        return Bad(source, Poison(f"a defect: {error!r}", command.table, command.correlation_id, as_json(command)))
    return Task(source, command, token, attempt.call.table.id, attempt)


def as_json(command: Command) -> dict[str, object]:
    """As it may be sent again."""
    about = {"operation": command.operation, "table": command.table, "request": command.request}
    optional = {"token": command.token, "correlation_id": command.correlation_id}
    return {**about, **{name: each for name, each in optional.items() if each is not None}}
