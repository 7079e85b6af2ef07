"""One topic partition's commands: in which order they go, and how far all is delivered.

A lane has the commands of one item, in the order of the topic. Its first one is tried; when that has its answer, the
next one is. Other lanes do not wait for it.

| a command is | until                                                      | then           |
|--------------|------------------------------------------------------------|----------------|
| waiting      | it is the first of its lane, and `due_ms` is over          | tried          |
| tried        | `again`: it was throttled, or nobody answered              | waiting, first |
|              | `answered`: applied or refused                             | answered       |
| answered     | `delivered`: Kafka has its outcome, or its dead letter     | done           |

`committable` is behind the messages all of whose commands are done, as far as there is none before that is not. So a
successor that begins there misses nothing, and what it does again the leaders know (`core.replication.tokens`).

A command without a lane (a dead letter) is answered when it is taken: it has nothing to wait for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Message:
    next_offset: int
    size: int
    left: int


@dataclass(slots=True, eq=False)
class Work(Generic[T]):
    """A command on its way. `tries`: how often it was tried before."""

    what: T
    lane: bytes | None
    message: _Message
    tries: int = 0


@dataclass(slots=True)
class Lanes(Generic[T]):
    """Pure bookkeeping; `take` messages in the order of their offsets."""

    held: int = 0
    """Commands that are not done."""
    held_bytes: int = 0
    """Of messages that are not done."""
    committable: int | None = None
    """The offset to commit; None: nothing was taken yet."""
    _messages: deque[_Message] = field(default_factory=deque)
    _lanes: dict[bytes, deque[Work[T]]] = field(default_factory=dict)
    _ready: deque[Work[T]] = field(default_factory=deque)
    _later: list[tuple[float, int, Work[T]]] = field(default_factory=list)
    _count: int = 0

    def take(self, offset: int, size: int, commands: Iterable[tuple[bytes | None, T]]) -> list[Work[T]]:
        """A message of so many bytes. What has no lane comes back at once, answered."""
        message = _Message(offset + 1, size, 0)
        poisons: list[Work[T]] = []
        for lane, what in commands:
            work = Work(what, lane, message)
            message.left += 1
            if lane is None:
                poisons.append(work)
            else:
                self._queue(lane, work)
        self._messages.append(message)
        self.held += message.left
        self.held_bytes += size
        self._settle()
        return poisons

    def _queue(self, lane: bytes, work: Work[T]) -> None:
        queue = self._lanes.get(lane)
        if queue is None:
            self._lanes[lane] = deque([work])
            self._ready.append(work)
        else:
            queue.append(work)

    def ready(self, now_ms: float, most: int) -> list[Work[T]]:
        """Commands to try now, each once: those of a lane never together."""
        while self._later and self._later[0][0] <= now_ms:
            self._ready.append(heappop(self._later)[2])
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    def again(self, work: Work[T], due_ms: float) -> None:
        """It was not decided: it is tried again, and its lane waits."""
        work.tries += 1
        self._count += 1
        heappush(self._later, (due_ms, self._count, work))

    def answered(self, work: Work[T]) -> None:
        """It was decided: the next one of its lane may go."""
        if work.lane is None:
            return
        queue = self._lanes[work.lane]
        assert queue[0] is work, "the commands of a lane are tried in order"
        queue.popleft()
        if queue:
            self._ready.append(queue[0])
        else:
            del self._lanes[work.lane]

    def delivered(self, work: Work[T]) -> None:
        """Kafka has what became of it."""
        work.message.left -= 1
        self.held -= 1
        self._settle()

    def _settle(self) -> None:
        while self._messages and self._messages[0].left == 0:
            message = self._messages.popleft()
            self.held_bytes -= message.size
            self.committable = message.next_offset

    def done_behind(self) -> Iterator[int]:
        """Offsets of messages that are done, behind one that is not."""
        return (message.next_offset - 1 for message in self._messages if message.left == 0)

    @property
    def due_ms(self) -> float:
        """When something may be tried: at once, at that time, or not before something happens (infinity)."""
        if self._ready:
            return float("-inf")
        return self._later[0][0] if self._later else float("inf")
