"""Sender and receiver over a link that loses, doubles and delays: what arrives is the snapshot, or nothing."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from dynabus.core.cloning.messages import CloneManifest, CloneRequest
from dynabus.core.cloning.pace import Pace
from dynabus.core.cloning.position import Pair, Position, Section
from dynabus.core.cloning.receiver import ROUNDS_MOST, SILENT_MS, Receiver, State, Wanted
from dynabus.core.cloning.sender import IDLE_MS, MOST_MS, Sender

WANTED = Wanted("node-2", "a" * 32, 0, 0)
SNAPSHOT: dict[Section, list[Pair]] = {
    Section.ROWS: [(b"%04d" % number, b"row %d" % number) for number in range(60)],
    Section.ENTRIES: [],
    Section.REQUESTS: [(b"id %d" % number, b"outcome") for number in range(9)],
}
STEP_MS = 100.0


def manifest(clone: int = 1, chunks: int = -1, place: bytes = b"place") -> CloneManifest:
    return {"clone": clone, "node": "node-1", "place": place, "totals": b"totals", "requests": 9, "chunks": chunks}


class Link:
    """A source with one snapshot, and the way to it and back."""

    def __init__(self, seed: int, lost: float = 0.0, doubled: float = 0.0, late: float = 0.0) -> None:
        self.dice, self.lost, self.doubled, self.late = random.Random(seed), lost, doubled, late
        self.sender = Sender(1, 0.0)
        self.under_way: list[tuple[float, str, Any]] = []
        self.stored: dict[Section, list[Pair]] = {section: [] for section in SNAPSHOT}
        self.now_ms = 0.0

    def send(self, kind: str, message: Any) -> None:
        for _ in range(1 + (self.dice.random() < self.doubled)):
            if self.dice.random() >= self.lost:
                delay_ms = self.dice.uniform(0, 9000.0) if self.dice.random() < self.late else 1.0
                self.under_way.append((self.now_ms + delay_ms, kind, message))

    def serve(self) -> None:
        """As the source's thread does."""
        sender = self.sender
        while not sender.begun or sender.wants_chunk or sender.wants_end:
            if not sender.begun:
                sender.begun = True
                self.send("clone_manifest", manifest())
            elif sender.wants_chunk:
                self.send("clone_chunk", self.chunk(sender.position))
            if sender.wants_end:
                sender.ended = True
                self.send("clone_manifest", manifest(chunks=sender.number))

    def chunk(self, position: Position) -> dict[str, Any]:
        pairs = [pair for pair in SNAPSHOT[position.section] if pair[0] > position.after]
        sent, last = pairs[:4], len(pairs) <= 4
        keys = [key for key, _ in sent]
        number = self.sender.number
        self.sender.sent(keys, last=last)
        return {
            "clone": 1,
            "number": number,
            "section": int(position.section),
            "after": position.after,
            "keys": keys,
            "values": [value for _, value in sent],
            "last": last,
        }

    def run(self, receiver: Receiver, most_ms: float = 300_000.0) -> None:
        while receiver.state not in (State.WHOLE, State.FAILED) and self.now_ms < most_ms:
            request = receiver.request(self.now_ms)
            if request is not None and self.dice.random() >= self.lost:
                self.sender.asked(request, self.now_ms)
                self.serve()
            self.now_ms += STEP_MS
            come = sorted((each for each in self.under_way if each[0] <= self.now_ms), key=lambda each: each[0])
            self.under_way = [each for each in self.under_way if each[0] > self.now_ms]
            for _, kind, message in come:
                got = receiver.take(kind, message, 100, self.now_ms)
                if got is not None:
                    self.stored[got[0]] += got[1]


def receiver(bytes_per_s: float = 0.0) -> Receiver:
    return Receiver(1, WANTED, Pace(bytes_per_s), bytes_per_s, 0.0)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_link_does_what_is_whole_is_the_snapshot(seed: int) -> None:
    dice = random.Random(seed)
    link = Link(seed, lost=dice.choice([0, 0.05, 0.2]), doubled=0.1, late=dice.choice([0, 0.05]))
    made = receiver()
    link.run(made)
    if made.state is State.WHOLE:
        assert link.stored == SNAPSHOT
    else:
        assert made.why == "its source is silent"


def test_nothing_lost_is_one_round() -> None:
    link, made = Link(0), receiver()
    link.run(made)
    assert (made.state, link.sender.round, link.stored) == (State.WHOLE, 0, SNAPSHOT)


def test_a_source_that_dies_is_given_up() -> None:
    link, made = Link(0, lost=1.0), receiver()
    link.run(made)
    assert (made.state, made.why) == (State.FAILED, "its source is silent")
    assert link.now_ms >= ROUNDS_MOST * SILENT_MS


def asked(made: Receiver) -> CloneRequest:
    request = made.request(0.0)
    assert request is not None
    return request


def begun() -> Receiver:
    made = receiver()
    asked(made)
    made.take("clone_manifest", manifest(), 10, 1.0)
    return made


def chunk(number: int, keys: list[bytes], after: bytes = b"", clone: int = 1, last: bool = False) -> dict[str, Any]:
    return {
        "clone": clone,
        "number": number,
        "section": 0,
        "after": after,
        "keys": keys,
        "values": keys,
        "last": last,
    }


def test_late_chunks_of_an_old_clone_are_nothing() -> None:
    made = begun()
    assert made.take("clone_chunk", chunk(0, [b"a"], clone=7), 10, 2.0) is None
    made.take("clone_manifest", manifest(clone=7, place=b"another"), 10, 2.0)
    made.take("clone_refusal", {"clone": 7, "node": "node-1", "why": "gone"}, 10, 2.0)
    assert (made.state, made.number) == (State.RECEIVING, 0)


def test_a_chunk_twice_and_one_too_far_are_dropped() -> None:
    made = begun()
    assert made.take("clone_chunk", chunk(0, [b"a"]), 10, 2.0) == (Section.ROWS, [(b"a", b"a")])
    assert made.take("clone_chunk", chunk(0, [b"a"]), 10, 2.0) is None
    assert made.take("clone_chunk", chunk(2, [b"c"], b"b"), 10, 2.0) is None
    assert made.take("clone_chunk", chunk(1, [b"b"], b"a"), 10, 2.0) is not None


@pytest.mark.parametrize(
    ("kind", "message", "why"),
    [
        ("clone_chunk", chunk(0, [b"b"], b"a"), "not what follows"),
        ("clone_chunk", chunk(0, []), "not what follows"),
        ("clone_manifest", manifest(place=b"another"), "manifest changed"),
        ("clone_refusal", {"clone": 1, "node": "node-1", "why": "its replica is frozen"}, "is frozen"),
    ],
    ids=["gap in keys", "empty", "another snapshot", "refused"],
)
def test_what_does_not_fit_ends_it(kind: str, message: Any, why: str) -> None:
    made = begun()
    made.take(kind, message, 10, 2.0)
    assert made.state is State.FAILED
    assert why in made.why
    assert made.request(3.0) is None


def test_an_end_that_counts_other_chunks_is_no_end() -> None:
    made = begun()
    for section in range(3):
        made.take("clone_chunk", {**chunk(section, [], last=True), "section": section}, 10, 2.0)
    made.take("clone_manifest", manifest(chunks=4), 10, 3.0)
    assert (made.state, made.why) == (State.FAILED, "3 chunks came of 4")


def test_the_end_is_not_believed_before_the_last_chunk() -> None:
    made = begun()
    made.take("clone_manifest", manifest(chunks=0), 10, 2.0)
    assert made.state is State.RECEIVING


def test_a_pace_keeps_to_its_bytes() -> None:
    pace, now_ms, passed = Pace(1000.0), 0.0, 0
    while now_ms < 60_000:
        if pace.wait_ms(now_ms) == 0:
            pace.spend(250, now_ms)
            passed += 250
        now_ms += 5.0
    assert 58_000 <= passed <= 60_500


def test_a_throttled_receiver_asks_for_little_and_waits() -> None:
    made = receiver(1e6)
    assert asked(made)["until"] == 2
    made.take("clone_manifest", manifest(), 0, 1.0)
    made.take("clone_chunk", chunk(0, [b"a"]), 250_000, 2.0)
    assert made.request(200.0) is None
    later = made.request(203.0)
    assert later is not None
    assert (later["number"], later["until"], later["after"]) == (1, 3, b"a")


@pytest.mark.parametrize("source_per_s", [8e6, 0.0], ids=["a source with the same pace", "one without"])
def test_a_pace_is_used_whole_and_not_exceeded(source_per_s: float) -> None:
    """Chunks of 250 KB that are 20 ms under way, and requests that are, too."""
    made, pace, size = receiver(8e6), Pace(source_per_s), 250_000
    asked(made)
    made.take("clone_manifest", manifest(), 0, 0.0)
    requests, chunks = deque([(20.0, 2)]), deque[float]()
    sent = until = taken = 0
    for now_ms in range(10_000):
        while requests and requests[0][0] <= now_ms:
            until = requests.popleft()[1]
        if sent < until and pace.wait_ms(now_ms) == 0.0:
            pace.spend(size, now_ms)
            chunks.append(now_ms + 20.0)
            sent += 1
        while chunks and chunks[0] <= now_ms:
            chunks.popleft()
            before = b"%05d" % (taken - 1) if taken else b""
            made.take("clone_chunk", chunk(taken, [b"%05d" % taken], before), size, now_ms)
            taken += 1
        request = made.request(float(now_ms))
        if request is not None:
            requests.append((now_ms + 20.0, request["until"]))
    assert made.state is State.RECEIVING
    assert 75e6 <= taken * size <= 81e6


@pytest.mark.parametrize("silent", [IDLE_MS, MOST_MS])
def test_a_snapshot_is_not_held_for_ever(silent: float) -> None:
    sender, request = Sender(1, 0.0), asked(receiver())
    now_ms = 0.0
    while now_ms < silent - 1000.0:
        if silent == MOST_MS:
            sender.asked(request, now_ms)
        assert not sender.is_over(now_ms)
        now_ms += 1000.0
    assert sender.is_over(silent + 1001.0)


def test_a_receiver_that_is_done_lets_the_snapshot_go() -> None:
    sender, made = Sender(1, 0.0), receiver()
    sender.asked(asked(made), 0.0)
    assert not sender.is_over(1.0)
    sender.asked(made.over(), 1.0)
    assert sender.is_over(1.0)


def test_requests_of_an_older_round_change_nothing() -> None:
    sender, made = Sender(1, 0.0), receiver()
    old = asked(made)
    sender.asked({**old, "round": 2, "number": 5, "section": 2, "after": b"x", "until": 9}, 0.0)
    sender.asked({**old, "round": 1, "number": 0, "until": 99}, 1.0)
    assert (sender.number, sender.position, sender.until) == (5, Position(Section.REQUESTS, b"x"), 9)
