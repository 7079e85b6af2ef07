"""At the leader: what a write means for the indexes is checked before it is appended, and told in its answer.

    constraint (in this order)                                      error
    index keys of the new item: type, size                          ValidationException
    item and its entries of all indexes together: 400 KB at most    ValidationException
    the item collection would grow beyond its limit                 ItemCollectionSizeLimitExceededException

The last one is for clients: what another region has accepted is in that one's collection, and in this one's too.
What is put is checked by the router already, with PutItem's words: a batch is refused as a whole.
Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html (item collections; 400 KB
for the total of the item and its entries in all local secondary indexes; write units under "Provisioned throughput
considerations").
"""

from __future__ import annotations

import orjson

from dynabus.core.capacity import write_halves
from dynabus.core.errors import ApiError, item_collection_too_large
from dynabus.core.local_indexes.definition import LocalIndexes
from dynabus.core.local_indexes.entries import Entry, Image, collection_size, image
from dynabus.core.local_indexes.notes import Note, noted
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.store import Decision, Evaluate, Outcome, Reader
from dynabus.core.values import check_item_size

COLLECTION_BYTES_MOST = 10 * 1024**3
"""DynamoDB's; a table with local secondary indexes cannot be split inside an item collection."""


class IndexRules:
    """Of one replica: its table's indexes, its store, and how many bytes an item collection may have."""

    def __init__(self, indexes: LocalIndexes, store: Reader, collection_most: int = COLLECTION_BYTES_MOST) -> None:
        self.indexes = indexes
        self._store, self._collection_most = store, collection_most

    def evaluation(self, evaluate: Evaluate, *, is_import: bool = False, is_update: bool = False) -> Evaluate:
        """The evaluation of a write with these rules behind it; itself on a table without indexes. `is_import`: it is
        another region's; `is_update`: an UpdateItem."""
        if not self.indexes.all:
            return evaluate

        def evaluated(old: bytes | None, wall_ms: int) -> Decision:
            decision = evaluate(old, wall_ms)
            if decision.outcome.status != ReplyStatus.OK:
                return decision
            before = image(self.indexes, old)
            after = image(self.indexes, decision.row) if decision.write else before
            try:
                if decision.write and not is_import:
                    self._check_size(after, is_update)
                note = self._note(before, after, is_import)
            except ApiError as error:
                body = orjson.dumps(error.body())
                return Decision(False, None, Outcome(ReplyStatus.ERROR, body, decision.outcome.size))
            decision.outcome.body = noted(note, decision.outcome.body)
            return decision

        return evaluated

    def _check_size(self, after: Image | None, is_update: bool) -> None:
        """Of an item that is written here: another region may still have larger ones."""
        if after is not None:
            check_item_size(after.size, update=is_update)

    def _note(self, before: Image | None, after: Image | None, is_import: bool) -> Note:
        """What the answer says. Raises ApiError.

        The collection's size is that of applied state: a collection may pass its limit by what is in flight.
        """
        some = after or before
        if some is None:
            return {}
        if after is not None:
            self.indexes.check_update(after.item)
        grown = _grown(before, after)
        size = collection_size(self._store, self.indexes, some.item) + grown
        if grown > 0 and size > self._collection_most and not is_import:
            raise item_collection_too_large()
        halves = {index.name: _halves(index.number, before, after) for index in self.indexes.all}
        return {"halves": {name: each for name, each in halves.items() if each}, "collection": max(0, size)}


def _grown(before: Image | None, after: Image | None) -> int:
    return (after.size if after else 0) - (before.size if before else 0)


def _halves(number: int, before: Image | None, after: Image | None) -> int:
    """Half write units: an entry that comes, goes or changes costs one write, one that moves costs two."""
    gone = before.entries.get(number) if before else None
    come = after.entries.get(number) if after else None
    if gone == come:
        return 0
    if gone is not None and come is not None and gone.key == come.key:
        return write_halves(max(gone.size, come.size))
    return _write(gone) + _write(come)


def _write(entry: Entry | None) -> int:
    return 0 if entry is None else write_halves(entry.size)
