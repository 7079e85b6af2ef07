"""Elections: when to suspect, whom to ask, when to claim. Liveness only: whatever this does, the log decides.

| state    | what happens                                              | next     |
|----------|-----------------------------------------------------------|----------|
| watching | a healthy leader is heard                                 | watching |
| watching | 3 heartbeats missed + jitter, own heartbeats still heard  | asking   |
| watching | term ended by resign: named successor at once, others 0.2 s later | claiming |
| watching | own older incarnation or abandoned claim leads            | claiming |
| asking   | somebody hears a healthy leader                           | watching |
| asking   | 0.2 s passed; somebody caught up is able and we are behind| watching |
| asking   | 0.2 s passed                                              | claiming |
| claiming | any claim is accepted                                     | watching |
| claiming | 3 s passed, doubling and jittered, or the append failed   | watching |

A heartbeat is healthy for a partition only if it says "I lead it, in a term at least yours, and my appends succeed":
a heartbeat of the node alone would keep a leader that leads nothing alive for ever. Followers suspect only while they
hear themselves, since otherwise it is Kafka that stalls, and everybody would look dead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class ElectionTiming:
    """Periods in milliseconds. DynamoDB: a heartbeat every 1.5 s, an election after 2-3 missed (DAT321)."""

    heartbeat_ms: float = 1500.0
    missed: int = 3
    jitter_ms: float = 500.0
    ask_ms: float = 200.0
    succession_ms: float = 200.0
    claim_timeout_ms: float = 3000.0
    claim_timeout_most_ms: float = 24_000.0

    @property
    def recent_ms(self) -> float:
        """Whoever was heard within this time may be trusted with leadership."""
        return self.heartbeat_ms * 2

    @property
    def silence_ms(self) -> float:
        return self.heartbeat_ms * self.missed


class Stage(Enum):
    WATCHING = "watching"
    ASKING = "asking"
    CLAIMING = "claiming"


class Step(Enum):
    """What the election wants done."""

    ASK = "ask"
    CLAIM = "claim"


@dataclass(slots=True)
class Election:
    """One replica's view of its partition's leader. `random` gives a number in [0, 1)."""

    timing: ElectionTiming
    random: Callable[[], float]
    stage: Stage = Stage.WATCHING
    nonce: int = 0
    claim_sent_ms: float = 0.0
    _leader_ms: float = float("-inf")
    _self_ms: float = float("-inf")
    due_ms: float = float("inf")
    """While watching: when the leader will have been silent for long enough, or a claim is planned."""
    _planned_ms: float = float("-inf")
    """When what is due was decided: a heartbeat of before that changes nothing any more."""
    _at_once: bool = False
    _stage_ends_ms: float = float("inf")
    _timeout_ms: float = 0.0
    _better: bool = field(default=False)

    def heard_leader(self, now_ms: float) -> None:
        """A healthy heartbeat, or an accepted claim, which counts as one."""
        self._leader_ms = now_ms
        if self.stage is not Stage.CLAIMING:
            self.stage = Stage.WATCHING
            self._watch(now_ms)

    def heard_leader_since(self, at_ms: float) -> bool:
        """It turns out that a healthy leader was heard at that time. False if that is no news."""
        if at_ms <= self._leader_ms:
            return False
        if at_ms > self._planned_ms:
            self.heard_leader(at_ms)
        else:
            self._leader_ms = at_ms
        return True

    def heard_self(self, now_ms: float) -> None:
        """Our own heartbeat came back: Kafka works. After a gap, the others get a whole period of silence first."""
        deaf = now_ms - self._self_ms > 2 * self.timing.heartbeat_ms
        self._self_ms = now_ms
        if deaf and self.stage is Stage.WATCHING and not self._at_once:
            self._watch(now_ms)

    def leader_gone(self, now_ms: float) -> None:
        """The leader's node was heard in a newer incarnation: no need to wait for silence."""
        if self.stage is Stage.WATCHING:
            self._leader_ms = float("-inf")
            self._plan(min(self.due_ms, now_ms + self.random() * self.timing.jitter_ms), now_ms)

    def term_ended(self, now_ms: float, *, successor: bool) -> None:
        """A resign was accepted: its named successor claims at once, others leave it a moment."""
        if successor:
            self.claim_at_once(now_ms)
        else:
            self.stage = Stage.WATCHING
            self._at_once = True
            wait = self.timing.succession_ms + self.random() * self.timing.succession_ms
            self._plan(now_ms + wait, now_ms)

    def term_begins(self, now_ms: float, *, preferred: bool) -> None:
        """The log has begun and nobody has claimed: the preferred replica at once, others after the usual silence."""
        if preferred:
            self.claim_at_once(now_ms)
        else:
            self._watch(now_ms)

    def claim_at_once(self, now_ms: float) -> None:
        """Claim at the next tick without asking; the log showed that nobody leads."""
        self.stage = Stage.WATCHING
        self._at_once = True
        self._plan(now_ms, now_ms)

    def claim_accepted(self, now_ms: float, *, replayed: bool) -> None:
        """Somebody's claim (perhaps ours) was accepted: the attempt is over, whoever won.

        It counts as a heartbeat, but for one that is only read again: its sender may be long dead.
        """
        self.stage = Stage.WATCHING
        self._timeout_ms = 0.0
        self._at_once = False
        if not replayed:
            self._leader_ms = now_ms
        self._watch(now_ms)

    def attempt_failed(self, now_ms: float) -> None:
        """Our claim could not be appended or was not read back in time: the attempt ends (I2)."""
        if self.stage is Stage.CLAIMING:
            self.stage = Stage.WATCHING
            self._at_once = False
            self._plan(now_ms + self.random() * self._timeout_ms, now_ms)

    def answered(self, now_ms: float, *, hears_leader: bool, better: bool) -> None:
        """Another replica's answer. `better`: it is caught up and able to claim."""
        if self.stage is not Stage.ASKING:
            return
        if hears_leader:
            self.stage = Stage.WATCHING
            self._plan(now_ms + self.timing.jitter_ms + self.random() * self.timing.jitter_ms, now_ms)
        self._better = self._better or better

    def hears_leader(self, now_ms: float) -> bool:
        """Whether a healthy leader was heard within the silence that would make us suspect."""
        return now_ms - self._leader_ms <= self.timing.silence_ms

    def wants_news(self, now_ms: float) -> bool:
        """Whether it must be looked at now what later heartbeats confirmed: a step is due, or far away."""
        silence_ms = self.timing.silence_ms + self.timing.jitter_ms
        return self.stage is not Stage.WATCHING or not 0 < self.due_ms - now_ms <= silence_ms

    def tick(self, now_ms: float, *, able: bool, caught_up: bool) -> Step | None:
        """What to do now. `able`: member, not stopping, not frozen, not leading."""
        if self.stage is Stage.CLAIMING:
            if now_ms >= self._stage_ends_ms:
                self.attempt_failed(now_ms)
            return None
        if not able:
            return None
        if self.stage is Stage.ASKING:
            return self._decide(now_ms, caught_up)
        if now_ms < self.due_ms or not caught_up:
            return None
        if self._at_once:
            return Step.CLAIM
        if now_ms - self._self_ms > 2 * self.timing.heartbeat_ms:
            return None
        self.stage, self._better, self._planned_ms = Stage.ASKING, False, now_ms
        self._stage_ends_ms = now_ms + self.timing.ask_ms
        return Step.ASK

    def claiming(self, nonce: int, now_ms: float) -> None:
        """The claim is being sent: the clock was read before (I7)."""
        self.stage, self.nonce, self.claim_sent_ms = Stage.CLAIMING, nonce, now_ms
        self._at_once = False
        doubled = max(self.timing.claim_timeout_ms, 2 * self._timeout_ms)
        self._timeout_ms = min(doubled, self.timing.claim_timeout_most_ms)
        self._stage_ends_ms = now_ms + self._timeout_ms * (1 + 0.25 * self.random())

    def _decide(self, now_ms: float, caught_up: bool) -> Step | None:
        if now_ms < self._stage_ends_ms:
            return None
        if self._better and not caught_up:
            self.stage = Stage.WATCHING
            self._plan(now_ms + self.timing.heartbeat_ms, now_ms)
            return None
        return Step.CLAIM

    def _watch(self, now_ms: float) -> None:
        self._plan(now_ms + self.timing.silence_ms + self.random() * self.timing.jitter_ms, now_ms)

    def _plan(self, due_ms: float, now_ms: float) -> None:
        self.due_ms, self._planned_ms = due_ms, now_ms
