"""What becomes of a command: an outcome for its producer, a dead letter for people.

| status     | what it says                                     | outcome        | dead letter |
|------------|--------------------------------------------------|----------------|-------------|
| APPLIED    | the leader's answer: the write counts            | always         | never       |
| REFUSED    | an error of the API: nothing was changed         | always         | never       |
| UNREADABLE | no command, or of no table that takes commands   | if it is known | always      |
|            |                                                  | of which table |             |

An outcome may come twice, after a router has died: it then says the same, of the same place; `seen` may be later.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import orjson

from dynabus.core.ingest.commands import Place

UNREADABLE_TYPE = "dynabus#UnreadableCommand"
"""In place of an error of DynamoDB's API, which has no word for it."""


class Status(IntEnum):
    """In the order of the schema's symbols."""

    APPLIED = 0
    REFUSED = 1
    UNREADABLE = 2


class Outcome(NamedTuple):
    """`answer`: JSON as the API has it, of errors too. `seen`: what was written or looked at (`core.places`)."""

    place: Place
    status: Status
    answer: bytes
    token: str | None
    correlation_id: str | None
    seen: str | None = None

    def json(self) -> bytes:
        """As a value of an outcomes topic; the answer goes in as it is."""
        place = self.place
        about = {
            "correlation_id": self.correlation_id,
            "token": self.token,
            "status": self.status.name,
            "topic": place.topic,
            "partition": place.partition,
            "offset": place.offset,
            "index": place.position,
            "seen": self.seen,
        }
        return orjson.dumps(about)[:-1] + b',"answer":' + (self.answer or b"{}") + b"}"


def unreadable(why: str) -> bytes:
    """The answer to a command that is a dead letter, in the form of an error."""
    return orjson.dumps({"__type": UNREADABLE_TYPE, "message": why})


def dead_letter_headers(place: Place, why: str) -> list[tuple[str, bytes]]:
    """What a dead letter says of itself; its key and value are the message's, or the one command's of a list."""
    told: dict[str, Any] = {
        "error": why,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "index": place.position,
    }
    return [(name, str(value).encode()) for name, value in told.items()]
