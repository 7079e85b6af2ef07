"""Sequence numbers of stream records.

Normative (test vectors in tests/vectors/sequence_numbers.json), 40 decimal digits, all that DynamoDB's API allows:

| digits | what         |                                                                              |
|--------|--------------|------------------------------------------------------------------------------|
| 1      | 1            | so that no number begins with zeros, which big integers would drop           |
| 2-10   | generation   | of the partition: a child's numbers are above its parent's                   |
| 11-23  | milliseconds | since 1970, of the write; within a log they never go back                    |
| 24-40  | offset       | of the record in the replication log                                         |

One offset of one log has one content for ever, so a record that is written again has the same number, and no number
has two contents. Numbers rise with the offset, since the time does not fall. The time is in them because it is the
Kafka timestamp of the stream record too: that is how the record of a number is found.
"""

from __future__ import annotations

from typing import NamedTuple

DIGITS = 40
_GENERATION, _TIME, _OFFSET = 10**9, 10**13, 10**17


class Sequence(NamedTuple):
    """A sequence number, taken apart. Ordered as the numbers are."""

    generation: int
    time_ms: int
    offset: int

    def is_behind(self, other: Sequence) -> bool:
        """Whether it comes after another one, of the same shard; the offset alone decides that in a log."""
        return (self.generation, self.offset) > (other.generation, other.offset)

    def __str__(self) -> str:
        """Raises ValueError for what has no number: a generation of a thousand million, a time after 2286."""
        if not (0 <= self.generation < _GENERATION and 0 <= self.time_ms < _TIME and 0 <= self.offset < _OFFSET):
            raise ValueError(f"no sequence number for {tuple(self)}")
        return f"1{self.generation:09}{self.time_ms:013}{self.offset:017}"


BEFORE_ALL = Sequence(0, 0, 0)
"""Below the number of every record, as generations begin with 1."""


def read_sequence(text: str) -> Sequence | None:
    """What the digits say; None for what is no sequence number of ours."""
    if len(text) != DIGITS or not (text.isascii() and text.isdigit()) or text[0] != "1":
        return None
    return Sequence(int(text[1:10]), int(text[10:23]), int(text[23:]))
