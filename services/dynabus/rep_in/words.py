"""What other regions say of what they wrote before (`core.global_tables.floors`), told to the leaders of the table.

Each leader of a partition is told by itself, in the event loop, and goes by what it was told itself: one that is not
reached hears of a later word. A word for a table that was made anew since is dropped. So are all of a table while
there are changes of it that were parked: they may be brought in yet, and nothing that they could need may go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError
from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.forgetting import encode_word
from dynabus.core.messages import ReplyStatus
from dynabus.core.operations.calls import Call, Code
from dynabus.core.published_table import Table
from dynabus.rep_in.driving import Ask
from dynabus.rep_in.tasks import Tasks
from dynabus.rep_in.telling import UNREACHED


class Words:
    """`has_parked`: whether there is something of this table (source, name); raises what is in `UNREACHED`."""

    def __init__(
        self, view: ClusterView, ask: Ask, has_parked: Callable[[str, str], Awaitable[bool]], tasks: Tasks
    ) -> None:
        self._view, self._ask, self._has_parked, self._tasks = view, ask, has_parked, tasks
        self._under_way: set[tuple[str, str]] = set()
        self.told = 0
        """Words that were told to all leaders of their tables."""

    def hear(self, source: str, name: str, word: Word) -> None:
        """It came with a batch of a table. One at a time of each source and table; more come soon."""
        table, where = self._view.tables.get(name), (source, name)
        if table is None or table.id != word.replica or source not in table.regions or not table.partitions:
            return
        if where not in self._under_way:
            self._under_way.add(where)
            self._tasks.begin(self._tell(table, source, word))

    async def _tell(self, table: Table, source: str, word: Word) -> None:
        detail = encode_word(source, word)
        lowers = [partition["lower"] for partition in table.partitions]
        try:
            if await self._has_parked(source, table.name):
                return
            replies = await self._ask([Call(table, at, Code.FLOORS, False, True, at, detail=detail) for at in lowers])
        except (ApiError, *UNREACHED):
            return  # too much is under way, or Kafka is away
        finally:
            self._under_way.discard((source, table.name))
        self.told += all(reply is not None and reply["status"] == ReplyStatus.OK for reply in replies)
