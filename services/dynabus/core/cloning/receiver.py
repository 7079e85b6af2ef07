"""The receiver's side of one clone: what is taken, what is asked for next, when it is whole or given up.

| comes                                        | then                                                         |
|----------------------------------------------|--------------------------------------------------------------|
| a message of another clone                   | dropped: a late one of a clone that was given up             |
| the manifest of the begin                    | judged (`refusal`): given up, or chunks are taken            |
| the same again                               | must be the same, else given up                              |
| a chunk with the next number, at the position | taken                                                       |
| a chunk with another number                  | dropped: it came twice, or one before it was lost            |
| the manifest of the end, at the end          | whole, if number of chunks and all that was counted fit      |
| a refusal                                    | given up                                                     |
| nothing for `SILENT_MS`                      | asked again, from here, in a new round; `ROUNDS_MOST` times  |

Given up means a new clone from its begin, of this source or of another one. Nothing of this one is used.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from dynabus.core.cloning.messages import CloneChunk, CloneManifest, CloneRequest
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.position import CHUNK_BYTES, Pair, Position, Section

SILENT_MS = 2000.0
"""Kafka delivers within milliseconds; the source's thread may have to wait for a commit or for another clone."""

ROUNDS_MOST = 5
"""Without any progress: ten seconds, after which heartbeats have shown that the source died."""

WINDOW = 16
"""Chunks asked for ahead: 4 MB under way, enough to keep source, Kafka and receiver at work at the same time."""

WINDOW_MS = 50.0
"""With a pace fewer: what it allows in so long. A burst would be what it is there to prevent.

Never fewer than two, and asked for so long before the pace allows the next one: a request takes a chunk's time or so
to come back as a chunk, and one at a time would be half the pace.
"""


class State(Enum):
    ASKING = "asking"
    RECEIVING = "receiving"
    WHOLE = "whole"
    FAILED = "failed"


class Wanted(NamedTuple):
    """Of which replica, by whom; `at_least`: the offset that the snapshot must have passed (I9)."""

    node: str
    log: str
    partition: int
    at_least: int


class Receiver:
    """One clone. `take` returns pairs to store; `request` what is to be sent now; `why` it failed."""

    def __init__(self, clone: int, wanted: Wanted, pace: Pace, bytes_per_s: float, now_ms: float) -> None:
        self.state, self.why = State.ASKING, ""
        self.manifest: CloneManifest | None = None
        self.position, self.number = Position(), 0
        self._clone, self._wanted, self._pace = clone, wanted, pace
        ahead = int(bytes_per_s * WINDOW_MS / 1000 / CHUNK_BYTES)
        self._window = max(2, min(WINDOW, ahead)) if pace.throttled else WINDOW
        self._round, self._rounds = 0, 0
        self._asked_until = -1
        self._heard_ms = now_ms

    # -- what comes -------------------------------------------------------------------------------------------

    def take(self, kind: str, message: Any, size: int, now_ms: float) -> tuple[Section, list[Pair]] | None:
        """A message of the clone topic, of so many bytes; the pairs that are to be stored, if it has some."""
        if message["clone"] != self._clone or self.state in (State.WHOLE, State.FAILED):
            return None
        self._pace.spend(size, now_ms)
        if kind == "clone_chunk":
            return self._chunk(message, now_ms)
        if kind == "clone_manifest":
            self._manifest(message, now_ms)
        elif kind == "clone_refusal":
            self.fail(f"{message['node']} refused: {message['why']}")
        return None

    def _manifest(self, message: CloneManifest, now_ms: float) -> None:
        known = self.manifest
        if known is None:
            self.manifest, self.state = message, State.RECEIVING
            self._progress(now_ms)
        elif not _same(known, message):
            self.fail("its manifest changed")
        elif message["chunks"] >= 0 and self.position.section is Section.END:
            if message["chunks"] != self.number:
                self.fail(f"{self.number} chunks came of {message['chunks']}")
            else:
                self.state = State.WHOLE

    def _chunk(self, chunk: CloneChunk, now_ms: float) -> tuple[Section, list[Pair]] | None:
        if self.manifest is None or chunk["number"] != self.number:
            return None
        begin, keys = Position(Section(chunk["section"]), chunk["after"]), chunk["keys"]
        if begin != self.position or len(keys) != len(chunk["values"]) or not (keys or chunk["last"]):
            self.fail(f"chunk {self.number} is not what follows")
            return None
        self.number += 1
        self.position = begin.behind(keys, last=chunk["last"])
        self._progress(now_ms)
        return begin.section, list(zip(keys, chunk["values"], strict=True))

    def _progress(self, now_ms: float) -> None:
        self._heard_ms, self._rounds = now_ms, 0

    def fail(self, why: str) -> None:
        """Give up."""
        if self.state is not State.FAILED:
            self.state, self.why = State.FAILED, why

    # -- what is asked ----------------------------------------------------------------------------------------

    def request(self, now_ms: float) -> CloneRequest | None:
        """What to send to the source now."""
        if self.state in (State.WHOLE, State.FAILED):
            return None
        if self._asked_until < 0:
            return self._ask()
        if now_ms - self._heard_ms >= SILENT_MS + self._pace.wait_ms(now_ms):
            return self._ask_again(now_ms)
        # Half a window before it is empty, so that chunks keep coming while this request travels.
        low = self.number + self._window // 2 >= self._asked_until
        if self.state is State.RECEIVING and low and self._pace.wait_ms(now_ms) <= WINDOW_MS:
            return self._ask() if self.position.section is not Section.END else None
        return None

    def _ask_again(self, now_ms: float) -> CloneRequest | None:
        self._rounds += 1
        if self._rounds > ROUNDS_MOST:
            self.fail("its source is silent")
            return None
        self._round += 1
        self._heard_ms = now_ms
        return self._ask()

    def _ask(self) -> CloneRequest:
        self._asked_until = self.number + self._window
        return self._composed(done=False)

    def over(self) -> CloneRequest:
        """Whatever became of it: the source need not keep the snapshot."""
        return self._composed(done=True)

    def _composed(self, *, done: bool) -> CloneRequest:
        return {
            "clone": self._clone,
            **self._wanted._asdict(),  # type: ignore[typeddict-item]  # its fields are the request's
            "round": self._round,
            "number": self.number,
            "section": int(self.position.section),
            "after": self.position.after,
            "until": max(0, self._asked_until),
            "done": done,
        }


def _same(one: CloneManifest, other: CloneManifest) -> bool:
    return (one["place"], one["totals"], one["requests"]) == (other["place"], other["totals"], other["requests"])
