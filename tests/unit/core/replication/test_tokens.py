"""Idempotency tokens at a leader: a command is decided once, and a refusal is a decision."""

from __future__ import annotations

import orjson
import pytest
from tests.unit.core.replication.test_replica import Bench, answers, kinds, statuses

from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Effect, Write
from dynabus.core.replication.records import Kind
from dynabus.core.replication.request_ids import KEEP_MS as REQUEST_KEEP_MS
from dynabus.core.replication.request_ids import TOKENS, carried_over, is_outcome, remember
from dynabus.core.replication.store import Decision, Outcome
from dynabus.core.replication.tokens import KEEP_MS, WINDOW_MS, Token, recall_token, token_ids, token_of
from dynabus.core.replication.unresolved import Sender

MINUTE_MS = 60_000


def command(
    bench: Bench, token: Token, row: bytes | None = b"row", *, expected: bytes | None = None, key: bytes = b"k"
) -> list[Effect]:
    """A put of a row, if the old one is as expected."""

    def evaluate(old: bytes | None, _: int) -> Decision:
        if expected is not None and old != expected:
            return Decision(False, None, Outcome(ReplyStatus.ERROR, b"condition"))
        return Decision(True, row, Outcome(body=b"old " + (old or b"-"), size=7))

    sender = Sender("router", 9, next(bench.counter), 0)
    bench.replica.write(Write(sender, b"", 1, key, evaluate, 10_000, token), bench.now_ms, 1_700_000_000_000)
    return bench.replica.take_effects()


def settled(bench: Bench, effects: list[Effect]) -> list[Effect]:
    """With what is answered once all is accepted."""
    rest = bench.append(effects)
    return [*rest, *bench.read()]


def age(bench: Bench, by_ms: int) -> None:
    """Time passes, and the log knows: its leader goes on writing."""
    bench.now_ms += by_ms
    for row in (b"a", b"b"):
        settled(bench, bench.write(key=b"clock", row=row))


def test_a_copy_of_a_command_is_answered_and_not_applied() -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    assert answers(settled(bench, command(bench, token))) == [b"old -"]
    again = command(bench, token, b"other")
    assert kinds(again) == []
    assert answers(again) == [b"old -"]
    assert bench.disk.get(b"k") == b"row"


def test_a_copy_of_what_is_under_way_is_left_to_the_first() -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    first = command(bench, token)
    assert command(bench, token) == []
    assert answers(settled(bench, first)) == [b"old -"]


def test_a_token_of_another_command_is_refused() -> None:
    bench = Bench().lead()
    settled(bench, command(bench, token_of(b"t", b"put")))
    refused = command(bench, token_of(b"t", b"put something else"), b"other")
    assert statuses(refused) == [ReplyStatus.ERROR]
    assert orjson.loads(answers(refused)[0])["__type"].endswith("#IdempotentParameterMismatchException")
    assert bench.disk.get(b"k") == b"row"


def test_a_refusal_stays_one() -> None:
    """Or a late copy of it would be applied behind later commands of its item."""
    bench, token = Bench().lead(), token_of(b"t", b"put if")
    refused = command(bench, token, expected=b"wanted")
    assert kinds(refused) == [Kind.MUTATION]
    assert answers(refused) == [], "the refusal is a record, and is told once that is accepted"
    assert answers(settled(bench, refused)) == [b"condition"]
    settled(bench, bench.write(row=b"wanted"))
    late = command(bench, token, expected=b"wanted")
    assert (statuses(late), answers(late)) == ([ReplyStatus.ERROR], [b"condition"])
    assert bench.disk.get(b"k") == b"wanted"


def test_what_is_remembered_of_a_refusal_changes_no_row() -> None:
    bench = Bench().lead()
    settled(bench, bench.write())
    rows = dict(bench.disk.rows)
    settled(bench, command(bench, token_of(b"t", b"put if"), expected=b"wanted"))
    assert bench.disk.rows == rows


def test_throttling_decides_nothing() -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    sender = Sender("router", 9, 1, 0)
    throttled = Decision(False, None, Outcome(ReplyStatus.THROTTLED, b"slow"))
    bench.replica.write(Write(sender, b"", 1, b"k", lambda *_: throttled, 10_000, token), bench.now_ms, 0)
    assert answers(bench.replica.take_effects()) == [b"slow"]
    assert answers(settled(bench, command(bench, token))) == [b"old -"]


def test_the_next_leader_knows_it() -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    settled(bench, command(bench, token))
    other = Bench("node-b", bench.log)
    other.read()
    other.replica.election.claim_at_once(other.now_ms)
    other.append(other.tick())
    other.read()
    other.now_ms += 60_000
    again = command(other, token, b"other")
    assert kinds(again) == [Kind.BARRIER], "the lease is over: it is renewed, and nothing is applied"
    assert answers(settled(other, again)) == [b"old -"]


@pytest.mark.parametrize("start_ms", [0, WINDOW_MS // 2, WINDOW_MS - 1, WINDOW_MS + 1])
@pytest.mark.parametrize(("minutes", "known"), [(1, True), (5, True), (9, True), (11, False)])
def test_a_token_counts_for_ten_minutes_wherever_they_begin(start_ms: int, minutes: int, known: bool) -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    age(bench, start_ms)
    settled(bench, command(bench, token))
    age(bench, minutes * MINUTE_MS)
    told = answers(settled(bench, command(bench, token, b"other")))
    assert told == ([b"old -"] if known else [b"old row"])
    assert bench.disk.get(b"k") == (b"row" if known else b"other")


def test_what_is_over_is_dropped_by_whoever_writes() -> None:
    """By commands two for one, and by others now and then, so that nothing stays when ingest ends."""
    bench = Bench().lead()
    for number in range(200):
        settled(bench, command(bench, token_of(b"%d" % number, b"put"), key=b"%d" % number))
    assert len(tokens_of(bench)) == 200
    age(bench, KEEP_MS + MINUTE_MS)
    settled(bench, command(bench, token_of(b"new", b"put")))
    assert len(tokens_of(bench)) <= 199
    for number in range(300):
        settled(bench, bench.write(key=b"other", row=b"%d" % number))
    assert tokens_of(bench) == token_ids(token_of(b"new", b"put"), KEEP_MS + MINUTE_MS)[:1]


def tokens_of(bench: Bench) -> list[bytes]:
    return [each for each in bench.disk.requests if each.startswith(TOKENS)]


def test_purging_requests_leaves_tokens_alone() -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    settled(bench, command(bench, token))
    age(bench, REQUEST_KEEP_MS + 30_000)
    for number in range(130):
        settled(bench, bench.write(key=b"other", row=b"%d" % number))
    assert len(tokens_of(bench)) == 1


def test_a_token_has_the_form_of_a_request_id_and_a_recovery_says_it_again() -> None:
    bench, token = Bench().lead(), token_of(b"t", b"put")
    settled(bench, command(bench, token))
    [(token_id, value)] = bench.disk.requests.items()
    assert is_outcome(token_id, value)
    other = Bench().lead()
    remember(other.disk, carried_over(token_id, value), 1, 0)
    assert other.disk.requests == bench.disk.requests


def test_ids_sort_by_age_and_behind_all_requests() -> None:
    token = token_of(b"t", b"put")
    ids = [token_ids(token, minutes * MINUTE_MS)[0] for minutes in range(0, 60, 5)]
    assert ids == sorted(ids)
    assert ids[0] > (2**63 - 1).to_bytes(8, "big") + b"\xff" * 10
    assert [len(token_ids(token, at_ms)) for at_ms in (0, WINDOW_MS, 2 * WINDOW_MS, 9 * WINDOW_MS)] == [1, 2, 3, 3]


def test_a_token_travels_as_bytes() -> None:
    token = token_of(b"t", b"put")
    assert Token.decode(token.encode()) == token
    with pytest.raises(ValueError, match="17 bytes"):
        Token.decode(token.encode()[1:])
    bench = Bench().lead()
    assert recall_token(bench.disk, token_ids(token, 0), token, 0) is None
