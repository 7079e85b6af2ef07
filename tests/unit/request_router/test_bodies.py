"""Memory that bodies of requests take before they are answered: bounded in all, and somebody always goes on."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from dynabus.request_router import requests
from dynabus.request_router.bodies import SMALL_BYTES, Bodies, Body

MOST = 10 * SMALL_BYTES
PART = SMALL_BYTES // 2


class Transport:
    """Whether it is read."""

    def __init__(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Sender:
    """A connection that sends a body in parts, while it is read."""

    def __init__(self, all_of_them: Bodies, size: int) -> None:
        self.transport, self.size, self.sent, self.again = Transport(), size, 0, 0
        self.body = Body(all_of_them, cast("Any", self.transport), self._goes_on)

    def _goes_on(self) -> None:
        self.again += 1

    def send(self) -> None:
        if self.transport.reads and self.sent < self.size:
            part = min(PART, self.size - self.sent)
            self.sent += part
            self.body.add(b"x" * part)

    def is_whole(self) -> bool:
        return self.sent == self.size


def let_send(*senders: Sender) -> None:
    """As much as each of them may."""
    for _ in range(100):
        for each in senders:
            each.send()


def test_beyond_the_limit_the_first_one_goes_on_and_small_ones_pass() -> None:
    every = Bodies(MOST)
    senders = [Sender(every, MOST) for _ in range(4)]
    let_send(*senders)
    assert [each.is_whole() for each in senders] == [True, False, False, False]
    assert every.bytes <= MOST + MOST
    small = Sender(every, PART)
    small.send()
    assert small.transport.reads
    assert len(small.body.take()) == PART
    small.body.answered(b"x" * PART)
    whole = senders[0].body.take()
    assert not senders[1].body.is_held  # now it is the first one that comes
    assert senders[2].body.is_held
    senders[0].body.answered(whole)
    assert [each.transport.reads for each in senders[1:]] == [True, True, True]
    assert senders[1].again == 1


def test_who_leaves_or_runs_out_of_time_lets_the_next_one_go_on() -> None:
    every = Bodies(MOST)
    senders = [Sender(every, MOST) for _ in range(3)]
    let_send(*senders)
    senders[0].body.gone()
    senders[1].body.drop()
    let_send(senders[2])
    assert senders[2].is_whole()
    senders[2].body.gone()
    assert every.bytes == 0


def test_what_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_BYTES_MOST", MOST)
    every = Bodies(MOST)
    sender = Sender(every, 3 * MOST)
    let_send(sender)
    assert sender.is_whole()
    assert sender.body.is_too_large
    assert every.bytes == 0
    assert sender.body.take() == b""
    assert not sender.body.is_too_large


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_all_get_through_and_nothing_stays_counted(seed: int) -> None:
    dice, every = random.Random(seed), Bodies(MOST)
    coming = [Sender(every, dice.choice([0, PART, 3 * SMALL_BYTES, MOST])) for _ in range(30)]
    asked: list[tuple[Sender, bytes]] = []
    turns = 0
    while coming or asked:
        turns += 1
        assert turns < 100_000
        assert every.bytes <= 2 * MOST + 30 * SMALL_BYTES
        if coming and dice.random() < 0.9:
            sender = dice.choice(coming)
            sender.send()
            if sender.is_whole():
                coming.remove(sender)
                asked.append((sender, sender.body.take()))
            elif dice.random() < 0.01:
                coming.remove(sender)
                sender.body.gone()
        elif asked:
            sender, whole = asked.pop(dice.randrange(len(asked)))
            sender.body.answered(whole)
    assert every.bytes == 0
