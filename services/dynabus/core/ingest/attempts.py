"""One try of a command: the operation's own steps, up to the call to a leader, and from its reply on.

So a command is checked by the same code, in the same order and with the same words, as a request over HTTP.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from dynabus.core.errors import ApiError, InvariantError
from dynabus.core.ingest.commands import Command
from dynabus.core.ingest.results import Status
from dynabus.core.messages import ReplyPart
from dynabus.core.operations.calls import Call, Context, Steps
from dynabus.core.operations.items import Refused
from dynabus.core.operations.registry import routes


class Attempt(NamedTuple):
    """What is asked, and who makes an answer of the reply."""

    steps: Steps
    call: Call

    @property
    def lane(self) -> bytes:
        """The item. Ids of tables have one length."""
        return self.call.table.id.encode() + self.call.key

    def end(self, reply: ReplyPart) -> tuple[Status, bytes]:
        """What a decided reply comes to: status, and the JSON that the API would answer."""
        try:
            self.steps.send([reply])
        except StopIteration as done:
            answer: bytes = done.value
            return Status.APPLIED, answer
        except Refused as refused:
            return Status.REFUSED, refused.body
        except ApiError as error:
            return Status.REFUSED, orjson.dumps(error.body())
        raise InvariantError("a write of one item asks once")


def begin(command: Command, token: bytes, context: Context) -> Attempt:
    """Raises ApiError for what is refused before a leader is asked."""
    steps = routes[command.operation](command.body(), context)
    calls = next(steps)
    if not isinstance(calls, list) or len(calls) != 1:
        raise InvariantError(f"{command.operation} is not the write of one item")
    return Attempt(steps, calls[0]._replace(token=token))
