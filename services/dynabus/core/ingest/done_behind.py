"""Messages that are done behind one that waits: what is committed beside a topic partition's offset.

Offsets are committed in order, so a command that waits for its throughput holds them, whatever is done behind it.
Whoever takes the topic partition over passes that by: its tokens may be over by then (`core.replication.tokens`).

    first offset ":" gap "." length { "," gap "." length }        each gap from the end of the run before
"""

from __future__ import annotations

from collections.abc import Iterable

LENGTH_MOST = 3000
"""Kafka takes 4,096 bytes (`offset.metadata.max.bytes`). What does not fit is done again, as before."""

NONE: frozenset[int] = frozenset()


def encode_done(offsets: Iterable[int]) -> str:
    """In rising order."""
    runs: list[list[int]] = []
    for offset in offsets:
        if runs and runs[-1][1] == offset:
            runs[-1][1] += 1
        else:
            runs.append([offset, offset + 1])
    if not runs:
        return ""
    text, end = f"{runs[0][0]}:", runs[0][0]
    for begin, after in runs:
        part = f"{begin - end}.{after - begin}"
        if len(text) + len(part) + 1 > LENGTH_MOST:
            break
        text += part if text.endswith(":") else f",{part}"
        end = after
    return text


def decode_done(text: str) -> frozenset[int]:
    """Offsets; none where it is something else."""
    first, _, runs = text.partition(":")
    found: set[int] = set()
    try:
        end = int(first)
        for run in runs.split(","):
            gap, _, length = run.partition(".")
            begin = end + int(gap)
            end = begin + int(length)
            found.update(range(begin, end))
    except ValueError:
        return NONE
    return frozenset(found)
