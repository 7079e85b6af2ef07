"""Workflows: what is left to do for a table, from its row and what is known to be done. Pure and restartable.

| row      | known                                     | next                                              |
|----------|-------------------------------------------|---------------------------------------------------|
| CREATING | nothing, and metadata has no record of it | ANNOUNCE: routers know it, nodes have no part yet |
| CREATING | announced                                 | BUILD: topic, genesis records                     |
| CREATING | built                                     | PUBLISH: nodes open replicas and claim            |
| CREATING | published, every partition has a leader,  | FINISH: the next decision                         |
|          | its indexes are ACTIVE (`indexing`)       |                                                   |
| ACTIVE, UPDATING | it has streams, takes commands or has a topic, and these were not looked at | STREAM: made |
| ACTIVE   | not published by us                       | PUBLISH                                           |
| ACTIVE   | published, pending, with partitions for it | FINISH                                           |
| UPDATING | not published by us                       | PUBLISH: routers serve it as before               |
| UPDATING | published, with partitions for it         | FINISH                                            |
| any, a partition is being split: before what stands above                                                |
|          | the topic lacks its children's partitions | GROW                                              |
|          | not published by us                       | PUBLISH: its members prepare heirs                |
|          | heirs ready, children have no leaders     | SEAL: the order to its leader                     |
|          | children have leaders                     | INHERIT: the next decision, they take its place   |
| ACTIVE, UPDATING, a group changes its members: before FINISH                                              |
|          | not published by us                       | PUBLISH: the new node replays the log             |
|          | published; orders go to the leader        | (nothing)                                         |
|          | a replica has folded the plan, or the joining node is gone | SETTLE: finish or undo           |
| ACTIVE, UPDATING, a partition is recovered: before what stands above, as it has a successor              |
|          | the topic lacks its partition             | GROW                                              |
|          | fence or genesis not written by us        | RENEW                                             |
|          | not published by us                       | PUBLISH: its node restores                        |
|          | it holds all                              | SUCCEED: the next decision, it takes the place    |
| ACTIVE, UPDATING, its topic is full, or gone (`topic_endings`) | SETTLE                                   |
| DELETING | not published by us                       | PUBLISH: nodes close their replicas               |
| DELETING | published, its streams have all           | CLOSE: the next decision, they are DISABLED       |
| DELETING | published, no stream left to close, no node holds a replica of it, | DESTROY: the log's topic |
|          | no index has a row, other regions know    |
|          | and have what was written here            |                                                   |
| DELETING | destroyed                                 | RETRACT: published once more, as DELETED          |
| DELETING | retracted                                 | REMOVE: the next decision; its streams are `kept` |

Everything may be done twice, so a new active auto-admin knows nothing and begins at the top. Published means that
Kafka has the row's present revision: what the row no longer says, nobody would publish again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Step(Enum):
    ANNOUNCE = "announce"
    BUILD = "build"
    PUBLISH = "publish"
    FINISH = "finish"
    CLOSE = "close"
    DESTROY = "destroy"
    RETRACT = "retract"
    REMOVE = "remove"
    GROW = "grow"
    SEAL = "seal"
    INHERIT = "inherit"
    SETTLE = "settle"
    STREAM = "stream"
    RENEW = "renew"
    SUCCEED = "succeed"


ANNOUNCED = "ANNOUNCED"
_RANKS = {ANNOUNCED: 0, "CREATING": 1, "ACTIVE": 2, "UPDATING": 3, "DELETING": 4, "DELETED": 5}
_STEP = 8
"""Versions per offset: room for what may be published between two records, and for two more."""


def version_offset(version: int) -> int:
    """How far the admin log was read by whoever published this version."""
    return version // _STEP


def metadata_version(next_offset: int, status: str) -> int:
    """Of published metadata, ever higher: by the admin log's offset, and by status where no record lies between."""
    return next_offset * _STEP + _RANKS[status]


@dataclass(slots=True)
class Progress:
    """What this process knows to be done for one table."""

    built: bool = False
    published: str | None = None
    """The status that metadata has of this revision of the row, or ANNOUNCED."""
    revision: int = -1
    published_ms: float = 0.0
    """When it was sent."""
    decided: int = -1
    """The revision for which the next decision was appended."""
    destroyed: bool = False
    grown: int = -1
    """The topic has partitions up to this number."""
    streamed: frozenset[str] = frozenset()
    """Labels of the streams whose topics are there, with as many partitions as the table's own had then."""
    renewed: int = -1
    """The logs of successors up to this number have begun, and those of before are fenced."""
    busy: bool = False
    """A step is under way."""
    not_before_ms: float = 0.0
    """The last step failed: try again then."""


class Division(NamedTuple):
    """The splits and recoveries of a table: the highest number that its topic must have, whether a partition is ready
    to be sealed, whether the children of one serve; the newest successor (-1: none), whether one holds all."""

    highest: int
    ready: bool = False
    begun: bool = False
    successor: int = -1
    restored: bool = False


class Ending(Enum):
    """Of streams whose table is being deleted."""

    NONE = "none ends"
    WAITS = "propagators have yet to read the logs to their ends"
    DONE = "they have, or were waited for long enough"


def next_step(
    status: str,
    progress: Progress,
    *,
    led: bool,
    held: bool,
    unfinished: bool = False,
    division: Division | None = None,
    moved: bool = False,
    streams: frozenset[str] = frozenset(),
    ending: Ending = Ending.NONE,
) -> Step | None:
    """`led`: every partition has a leader. `held`: some living node still has a replica of it.

    `unfinished`: what the row says is to be done needs nothing but FINISH. `division`: partitions are being split.
    `moved`: one of its groups has the members that were decided, or cannot have them. `streams`: labels of those that
    need a topic. `ending`: how far streams of a table that is being deleted are.
    """
    if progress.busy:
        return None
    if progress.destroyed:
        return Step.REMOVE if progress.published == "DELETED" else Step.RETRACT
    if status == "CREATING" and not progress.built:
        return Step.BUILD if progress.published is not None else Step.ANNOUNCE
    if status in ("ACTIVE", "UPDATING") and not streams <= progress.streamed:
        return Step.STREAM
    divided = division if status in ("ACTIVE", "UPDATING") else None
    if divided is not None and progress.grown < divided.highest:
        return Step.GROW
    if divided is not None and progress.renewed < divided.successor:
        return Step.RENEW
    if progress.published != status:
        return Step.PUBLISH
    if divided is not None and divided.restored:
        return Step.SUCCEED
    if divided is not None and divided.begun:
        return Step.INHERIT
    if moved:
        return Step.SETTLE
    if status == "CREATING":
        return Step.FINISH if led else None
    if status == "DELETING":
        if ending is not Ending.NONE:
            return Step.CLOSE if ending is Ending.DONE else None
        return None if held else Step.DESTROY
    if unfinished:
        return Step.FINISH
    return Step.SEAL if divided is not None and divided.ready else None
