"""The source's side of one clone: which chunk to send next. It holds no chunk: each can be read again.

| a request comes                        | then                                                              |
|----------------------------------------|-------------------------------------------------------------------|
| of an older round                      | nothing: it was overtaken                                         |
| of this round                          | send up to where it says                                          |
| of a newer round                       | go back to where it begins: what was under way is lost or late    |
| `done`                                 | let the snapshot go                                               |
| none for `IDLE_MS`, or after `MOST_MS` | the same: LMDB cannot use pages again that a snapshot sees        |
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dynabus.core.cloning.messages import CloneRequest
from dynabus.core.cloning.position import Position, Section

IDLE_MS = 20_000.0
"""A receiver asks again after two seconds; one that is silent for so long has died, and begins anew."""

MOST_MS = 60 * 60 * 1000.0
"""10 GB at the default pace take 21 minutes. The file grows meanwhile by what is written to it."""


@dataclass(slots=True)
class Sender:
    """`begun`: the manifest of this round was sent, `ended`: that of the end too."""

    clone: int
    opened_ms: float
    asked_ms: float = 0.0
    round: int = -1
    number: int = 0
    until: int = 0
    position: Position = field(default_factory=Position)
    begun: bool = False
    ended: bool = False
    done: bool = False

    def asked(self, request: CloneRequest, now_ms: float) -> None:
        """A request for this clone."""
        if request["round"] < self.round:
            return
        self.asked_ms = now_ms
        self.done = self.done or request["done"]
        if request["round"] > self.round:
            self.round, self.number = request["round"], request["number"]
            self.position = Position(Section(request["section"]), request["after"])
            # Whoever has the first chunk has the manifest.
            self.begun, self.ended, self.until = self.number > 0, False, 0
        self.until = max(self.until, request["until"])

    @property
    def wants_end(self) -> bool:
        """All chunks are sent, the manifest that ends them is not."""
        return self.position.section is Section.END and not self.ended

    @property
    def wants_chunk(self) -> bool:
        """There is a chunk to send that was asked for."""
        return self.position.section is not Section.END and self.number < self.until

    def sent(self, keys: list[bytes], *, last: bool) -> None:
        """The chunk at `position` is on its way."""
        self.number += 1
        self.position = self.position.behind(keys, last=last)

    def is_over(self, now_ms: float) -> bool:
        """The snapshot is to be let go."""
        return self.done or now_ms - self.asked_ms > IDLE_MS or now_ms - self.opened_ms > MOST_MS
