"""What goes wrong for applications. Each says what to do next.

ClientError
  NoKafkaError          Kafka does not answer
  NoStreamError         `stream`: there is none
  TrimmedDataError      `stream`: changes are gone
  NoCopyError           `snapshot`: a partition could not be copied
  BusyGroupError        `snapshot`: the group has members
  NoIngestError         `ingest`: the table takes no commands
  FullError             `ingest`: too much is under way; this command was not sent
  NotSentError          `ingest`: this command was not sent
  RefusedError          an outcome: DynamoDB's API says no, nothing was changed
  UnreadableError       an outcome: routers could not read it, nothing was changed
  UnknownOutcomeError   no outcome came in time: applied, or not, or later
"""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Base of this package's errors."""


class NoKafkaError(ClientError):
    """Kafka does not answer."""


class NoStreamError(ClientError):
    """The table has no stream (or none of that label), or there is no such table or cluster."""


class TrimmedDataError(ClientError):
    """Changes that the group has not processed are gone: it was away for longer than the stream is kept.

    `shard`, and the first offset that is still there. Start over from a copy of the table, then with another group,
    or go on behind the gap: `on_trimmed="continue"`.
    """

    def __init__(self, shard: str, processed: int, low: int) -> None:
        super().__init__(
            f"shard {shard}: {low - processed} records behind what the group has processed are gone, the stream "
            "keeps them no longer; read the table anew with `snapshot`, or go on behind the gap with "
            'on_trimmed="continue"'
        )
        self.shard, self.processed, self.low = shard, processed, low


class NoCopyError(ClientError):
    """Of a partition nobody has a copy to give, for longer than was to be waited; it says why."""


class BusyGroupError(ClientError):
    """The group whose positions are to be set has members, who go by those that they have."""


class NoIngestError(ClientError):
    """The table takes no commands (any more), or there is no such table or cluster."""


class FullError(ClientError):
    """So much is under way that this command was not sent. Await some of the others, then put it again."""


class NotSentError(ClientError):
    """The Kafka client did not take this command, so it was not applied."""


class RefusedError(ClientError):
    """What DynamoDB's API answers where it refuses; nothing was changed.

    `code`: its name for the error, such as ConditionalCheckFailedException. `item`: the item as it was, in Python
    values, where a condition failed and ReturnValuesOnConditionCheckFailure asked for it.
    """

    def __init__(self, code: str, message: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.item = code, message, item


class UnreadableError(ClientError):
    """Routers could not read the command; it is in the topic of dead letters, and nothing was changed."""


class UnknownOutcomeError(ClientError):
    """Nobody has said what became of a command: it may have been applied, or not, or may be later.

    `token`: the same command put again with it, within ten minutes of the first time, counts no second time and
    tells the outcome.
    """

    def __init__(self, why: str, token: str) -> None:
        super().__init__(
            f"{why}; the command may have been applied, or not, or may be later. Put it again with token={token!r} "
            "within ten minutes of the first time: it counts once, and its outcome says what became of it"
        )
        self.token = token
