"""Local secondary indexes: a second order of the items of each item collection.

Entries are a pure function of a table's rows, so the replication log does not carry them: each replica derives them
from the old and the new image when it applies a mutation, in the same transaction (I6). They lie in the same
partition, are never ahead of or behind the rows, and may be read strongly. An entry is a row (`core.rows`) of what
the index projects; an item without the index's sort key has none. Which indexes a table has is decided by
CreateTable and never changes, so metadata is enough to know it.

    key space "entries"                               value
    00 ‖ hash ‖ partition key                         size of the item collection in bytes, 8 bytes, big endian
    index's number ‖ entry's key (`core.keys`)        the entry

The size of an item collection is that of its items and of all their entries. It is kept for DynamoDB's limit of
10 GB, which exists because a table with local secondary indexes is never split inside an item collection.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html
"""

from dynabus.core.local_indexes.definition import LocalIndex, LocalIndexes, local_indexes, stored_bounds
from dynabus.core.local_indexes.entries import write_entries
from dynabus.core.local_indexes.leading import COLLECTION_BYTES_MOST, IndexRules
from dynabus.core.local_indexes.notes import is_noted, note_of, noted

__all__ = [
    "COLLECTION_BYTES_MOST",
    "IndexRules",
    "LocalIndex",
    "LocalIndexes",
    "is_noted",
    "local_indexes",
    "note_of",
    "noted",
    "stored_bounds",
    "write_entries",
]
