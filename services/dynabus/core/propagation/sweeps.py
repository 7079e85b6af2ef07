"""What a recovered partition left in indexes and in a table topic: found and deleted, by whoever reads the log that
goes on.

A log that lost its end is closed, and another one begins with what the most advanced replica had (I9). An index may
have rows of what was lost, and of what that replica had deleted and the log did not tell any more. All rows that
count are put anew, as of the new log's generation, since its contents are mutations. So of the items in its range a
row of a lower generation is stale, and is deleted as of (the new generation, offset 0): above all that came before,
below all contents, which begin behind the genesis. In whatever order things happen, what the new log says wins.

The old log is closed in the checkpoints only when all of its writes were acknowledged, and only then the new one is
read. So a page of rows that the index's leader answers strongly (I7b) has all of them. Pages lead through the whole
index, in key order; how far it is stands in the checkpoint beside backfills (`fills`), under a label of its own,
and children of a split go on with it.

A *table topic* is swept alike, though nobody answers for it but itself. Its records name the generation of the log
that they come of. So of the keys in the partition's range one is stale whose last committed record has an item, and a
lower generation: it is not among the contents, which were all written, and the log has told nothing of it since. That
holds once everything that the log had told before the look is committed; what it told later is remembered
(`snapshots`). A position is the number of a topic partition, in one byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dynabus.core.global_indexes import IndexWrite
from dynabus.core.global_indexes.view import LABEL, Index
from dynabus.core.propagation.index_writes import ForIndex, of_items
from dynabus.core.rows import Source
from dynabus.core.table_topics.view import LABEL as TOPIC
from dynabus.core.values import Item

SWEEP = "sweep/"


class Sweep(NamedTuple):
    """`of`: the index's label. Its rows below this generation are looked at."""

    generation: int
    of: str

    @property
    def label(self) -> str:
        """As checkpoints have it."""
        return f"{SWEEP}{self.generation}/{self.of}"


def sweep_of(label: str) -> Sweep | None:
    """None for a backfill's label."""
    if not label.startswith(SWEEP):
        return None
    generation, _, index = label.removeprefix(SWEEP).partition("/")
    return Sweep(int(generation), index)


def index_of(label: str) -> str:
    """Label of the index, or table topic, that is filled, or swept."""
    sweep = sweep_of(label)
    return label if sweep is None else sweep.of


def sweeps_of(labels: Iterable[str], generation: int) -> list[str]:
    """Those to begin with a log that goes on after a recovery, for what is open there."""
    return [Sweep(generation, label).label for label in labels if label.startswith((LABEL, TOPIC))]


def is_topic(label: str) -> bool:
    """What is filled, or swept, is a table topic."""
    return index_of(label).startswith(TOPIC)


def is_topic_sweep(label: str) -> bool:
    """It is swept."""
    return sweep_of(label) is not None and is_topic(label)


def topic_position(position: bytes) -> int:
    """The topic partition that a sweep of a table topic looks at next."""
    return position[0] if position else 0


def behind_topic_partition(number: int, count: int) -> bytes | None:
    """The position behind it; None behind the last one."""
    return bytes([number + 1]) if number + 1 < count else None


def of_page(index: Index, label: str, items: Iterable[Item], source: Source) -> tuple[list[ForIndex], int]:
    """What a page means for an index: puts of a backfill, as of the page's source; deletions of stale rows. And how
    many items the index cannot hold."""
    sweep = sweep_of(label)
    if sweep is None:
        return of_items(index, items, source)
    since = Source(source.number, sweep.generation, 0)
    return [ForIndex(index.log, IndexWrite(index.index.row_key(item), b"", 0, since)) for item in items], 0
