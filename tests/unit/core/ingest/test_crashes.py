"""Routers that die, sleep and come back as zombies, in front of a real leader: each command counts once, in order.

Lanes and tokens are the real ones; Kafka is a list with a committed offset. Two items, commands that add, and
commands whose condition others make true or false. Each planted fault must be found.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.unit.core.replication.test_replica import Bench

from dynabus.core.ingest.lanes import Lanes, Work
from dynabus.core.messages import ReplyStatus
from dynabus.core.replication import leader
from dynabus.core.replication.effects import Respond, Write
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.tokens import token_of
from dynabus.core.replication.unresolved import Sender

COMMANDS, ROUTERS = 12, 3


@dataclass(slots=True, eq=False)
class Router:
    """One run of a router: what it has read, what it waits for, what it is about to tell."""

    number: int
    lanes: Lanes[int] = field(default_factory=Lanes)
    at: int = 0
    asked: dict[Sender, Work[int]] = field(default_factory=dict)
    answered: list[tuple[Work[int], bytes]] = field(default_factory=list)


class World:
    """`owner` has the topic partition; who had it before goes on as a zombie until the dice stop it."""

    def __init__(self, seed: int, early: bool = False) -> None:
        self.dice = random.Random(seed)
        self.early = early
        self.leader = Bench().lead()
        self.committed = 0
        self.routers = [Router(0)]
        self.requests: list[tuple[Router, Sender, int]] = []
        self.outcomes: dict[int, set[bytes]] = {offset: set() for offset in range(COMMANDS)}
        self.counter = 0
        # Each appends its offset to its item; one in four only if the item holds an even number of them.
        self.commands = [(self.dice.choice([b"a", b"b"]), self.dice.randrange(4) == 3) for _ in range(COMMANDS)]

    @property
    def owner(self) -> Router:
        return self.routers[-1]

    def step(self) -> None:
        router = self.dice.choice(self.routers)
        act: Callable[[Router], None] = self.dice.choice(
            [self.read, self.ask, self.ask, self.reach, self.reach, self.reach, self.tell, self.tell, self.commit]
        )
        act(router)
        if self.dice.random() < 0.03:
            self.hand_over()
        if self.dice.random() < 0.02 and len(self.routers) > 1:
            self.routers.pop(0)

    def hand_over(self) -> None:
        self.routers.append(Router(len(self.routers) + self.counter, at=self.committed))
        del self.routers[:-ROUTERS]

    def read(self, router: Router) -> None:
        if router.at < COMMANDS:
            router.lanes.take(router.at, 1, [(self.commands[router.at][0], router.at)])
            router.at += 1

    def ask(self, router: Router) -> None:
        for work in router.lanes.ready(0.0, 2):
            self.counter += 1
            sender = Sender(f"router-{router.number}", 9, self.counter, 0)
            router.asked[sender] = work
            self.requests.append((router, sender, work.what))
        for sender, work in self.dice.sample([*router.asked.items()], min(1, len(router.asked))):
            self.requests.append((router, sender, work.what))  # nobody answered: sent again

    def reach(self, _router: Router) -> None:
        """Some request reaches the leader, late or soon, and what it appends is accepted at some time."""
        if self.requests:
            _, sender, offset = self.requests.pop(self.dice.randrange(len(self.requests)))
            key, conditional = self.commands[offset]
            token = token_of(b"%d" % offset, b"command")
            write = Write(sender, b"", 1, key, evaluation(offset, conditional), 10_000, token)
            self.leader.replica.write(write, self.leader.now_ms, 0)
        effects = self.leader.replica.take_effects()
        answers = self.leader.append(effects)
        if self.dice.random() < 0.5:
            answers += self.leader.read()
        for effect in answers:
            if isinstance(effect, Respond):
                self.answer(effect)

    def answer(self, effect: Respond) -> None:
        for router in self.routers:
            work = router.asked.pop(effect.sender, None)
            if work is not None:
                router.lanes.answered(work)
                router.answered.append((work, effect.outcome.body))
                if self.early:
                    router.lanes.delivered(work)

    def tell(self, router: Router) -> None:
        if router.answered:
            work, body = router.answered.pop(self.dice.randrange(len(router.answered)))
            self.outcomes[work.what].add(body)
            if not self.early:
                router.lanes.delivered(work)

    def commit(self, router: Router) -> None:
        """The group refuses a zombie's."""
        if router is self.owner and router.lanes.committable is not None:
            assert router.lanes.committable >= self.committed
            self.committed = router.lanes.committable

    def finish(self) -> None:
        for _ in range(20_000):
            if self.committed == COMMANDS and not any(each.answered for each in self.routers):
                return
            self.routers = [self.owner]
            for act in (self.read, self.ask, self.reach, self.tell, self.commit):
                act(self.owner)
        raise AssertionError("not done")

    def check(self) -> None:
        assert all(len(bodies) == 1 for bodies in self.outcomes.values()), f"one outcome each: {self.outcomes}"
        rows: dict[bytes, bytes] = {}
        for offset, (key, conditional) in enumerate(self.commands):
            decision = evaluation(offset, conditional)(rows.get(key), 0)
            assert self.outcomes[offset] == {decision.outcome.body}, f"as if done one after the other: {offset}"
            if decision.write and decision.row is not None:
                rows[key] = decision.row
        assert {key: self.leader.disk.get(key) for key in rows} == rows


def evaluation(offset: int, conditional: bool) -> Callable[[bytes | None, int], Decision]:
    def evaluate(old: bytes | None, _: int) -> Decision:
        if conditional and len(old or b"") % 4:
            return Decision(False, None, Outcome(ReplyStatus.ERROR, b"refused"))
        row = (old or b"") + b"%02d" % offset
        return Decision(True, row, Outcome(body=row))

    return evaluate


def lived(seed: int, **fault: bool) -> None:
    world = World(seed, **fault)
    for _ in range(400):
        world.step()
    world.finish()
    world.check()


@pytest.mark.parametrize("seed", range(150))
def test_each_command_counts_once_and_in_order(seed: int) -> None:
    lived(seed)


def broken(**fault: bool) -> int:
    """How many of the seeds find it."""
    found = 0
    for seed in range(150):
        try:
            lived(seed, **fault)
        except AssertionError:
            found += 1
    return found


def test_a_commit_before_the_outcome_is_delivered_is_found() -> None:
    assert broken(early=True)


def test_refusals_that_are_forgotten_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "DECIDED", frozenset())
    assert broken()


def test_tokens_that_are_forgotten_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "recall_token", lambda *_: None)
    assert broken()


def test_lanes_that_do_not_wait_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Lanes.take
    monkeypatch.setattr(
        Lanes,
        "take",
        lambda self, offset, size, works: take(self, offset, size, [(b"%d" % offset, w) for _, w in works]),
    )
    assert broken()
