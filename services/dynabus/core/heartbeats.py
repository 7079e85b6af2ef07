"""Heartbeats say what is new: a node names the replicas that changed since its last one, and now and then all.

A node with a thousand replicas that rest would otherwise say the same 100 KB every 1.5 s, and everybody would read
it.
States are absolute, so one that is heard is right whatever was missed. Heartbeats of one run are numbered:

| heard                              | the replicas that it does not name                                     |
|------------------------------------|------------------------------------------------------------------------|
| a whole one                        | the node has none                                                      |
| the next number                    | are as said before                                                     |
| another number, or the first heard | unknown until the next whole one; the listener asks for one            |

Whoever begins to listen asks (`heartbeats_wanted` on the same topic), and every node says all at once.
`Saying` is the speaker's half; the listener's is `core.cluster_view`. For a replica that rests, a listener keeps one
`Pulse` of each node instead of hearing the same of a thousand replicas: what was said is confirmed for all of them at
once, by the node's next heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dynabus.core.messages import ReplicaState

WHOLE_EVERY = 40
"""Heartbeats: all is said once a minute, if nobody asks."""

ASK_AGAIN_MS = 1000.0
"""Between two questions of one listener; the answer takes milliseconds."""

WHOLE_LEAST_MS = 500.0
"""Between two whole heartbeats, however many ask: a cluster whose routers start together is answered at once."""


@dataclass(slots=True)
class Pulse:
    """A node's heartbeats from one that named all its replicas on, until another does, one is missed or a run begins.

    Whoever was told something by one of them keeps the pulse beside it: it was so still at `heard_ms`, when the
    newest came. One that does not begin with a whole one is a single heartbeat, and confirms nothing later.
    """

    incarnation: int
    number: int
    heard_ms: float
    whole: bool

    def beat(self, incarnation: int, number: int, whole: bool, now_ms: float) -> Pulse:
        """A heartbeat of the node was heard: the pulse that it belongs to."""
        follows = incarnation == self.incarnation and number == self.number + 1
        if whole or not self.whole or not follows:
            return Pulse(incarnation, number, now_ms, whole)
        self.number, self.heard_ms = number, now_ms
        return self


NOT_HEARD = Pulse(-1, -1, float("-inf"), False)
"""What the first heartbeat of a node follows. Nothing does, so it is never changed."""


class Said(NamedTuple):
    """What one heartbeat says."""

    number: int
    whole: bool
    replicas: list[ReplicaState]


class Saying:
    """What one run of a node has said so far."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], ReplicaState] = {}
        self._number = -1
        self._since_whole = WHOLE_EVERY
        self._whole_ms = float("-inf")
        self._asked = False

    def ask(self) -> None:
        """Somebody wants to hear all."""
        self._asked = True

    def due(self, now_ms: float) -> bool:
        """Somebody asked, and may be answered before the next heartbeat is due."""
        return self._asked and now_ms - self._whole_ms >= WHOLE_LEAST_MS

    def say(self, states: Iterable[ReplicaState], now_ms: float) -> Said:
        """The next heartbeat. `states`: of all replicas that there are now."""
        self._number += 1
        self._since_whole += 1
        before, self._said = self._said, {(state["log"], state["partition"]): state for state in states}
        whole = self._since_whole >= WHOLE_EVERY or self.due(now_ms) or any(key not in self._said for key in before)
        if whole:
            self._since_whole, self._whole_ms, self._asked = 0, now_ms, False
            return Said(self._number, True, [*self._said.values()])
        news = [state for key, state in self._said.items() if _is_news(state, before.get(key))]
        return Said(self._number, False, news)


def _is_news(state: ReplicaState, before: ReplicaState | None) -> bool:
    """A statement of a checksum is not taken back by saying none."""
    return before is None or (state != before and (bool(state["checked"]) or state != {**before, "checked": []}))
