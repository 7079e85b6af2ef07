"""Global secondary indexes: what a row of one is, which writes a change of an item means, which of them count.

    definition.py   what an index is, as a table's description has it; what it demands of an item
    projection.py   old image, new image -> puts and deletes of rows: a pure function of a mutation
    leading.py      at the table's leader: what an update may not do
    backfill.py     rows of a table for an index that is added to it
    view.py         indexes as log propagators know them
    arrivals.py     at the index's leader: a write counts if its source place is higher than that of the row
    floors.py       below which places writes are repeats, so that tombstones may go
    walk.py         at the index's leader: finds those

Rows lie in partitions of their own, with logs of their own, and are written by the log propagator. What order and
repetition can do to them, and why nothing, is in ARCHITECTURE ("Global secondary indexes"). Deliberately not here:
strong reads. An index is behind its table by what is under way.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
"""

from dynabus.core.global_indexes.arrivals import Arrival, arrival, arrival_part
from dynabus.core.global_indexes.definition import (
    INDEX,
    GlobalIndex,
    GlobalIndexes,
    global_index,
    global_indexes,
    index_log,
    index_name,
    is_index_log,
)
from dynabus.core.global_indexes.projection import IndexWrite, project, writes_of

__all__ = [
    "INDEX",
    "Arrival",
    "GlobalIndex",
    "GlobalIndexes",
    "IndexWrite",
    "arrival",
    "arrival_part",
    "global_index",
    "global_indexes",
    "index_log",
    "index_name",
    "is_index_log",
    "project",
    "writes_of",
]
