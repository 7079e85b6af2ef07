"""Request ids at a leader: copies of one request come to one outcome (I10)."""

from __future__ import annotations

from tests.unit.core.replication.test_replica import Bench, answers, kinds, statuses

from dynabus.core.messages import ReplyStatus
from dynabus.core.replication.effects import Respond
from dynabus.core.replication.records import Kind


def test_what_changes_nothing_is_provisional_and_leaves_no_record() -> None:
    bench = Bench().lead()
    effects = bench.write(expected=b"wanted", counter=500)
    assert kinds(effects) == []
    assert [effect.outcome.provisional for effect in effects if isinstance(effect, Respond)] == [True]


def test_a_repeat_that_changes_nothing_decides_for_all_copies() -> None:
    """Another write makes its condition hold, and then a copy comes that lay in an inbox for long."""
    bench = Bench().lead()
    refused = bench.write(row=b"two", expected=b"one", counter=500, repeat=True)
    assert kinds(refused) == [Kind.MUTATION]
    assert answers(refused) == [], "it is told once that is accepted"
    bench.append(refused)
    told = [effect for effect in bench.read() if isinstance(effect, Respond)]
    assert [(effect.outcome.status, effect.outcome.provisional) for effect in told] == [(ReplyStatus.ERROR, False)]
    bench.append(bench.write(row=b"one"))
    bench.read()
    for repeat in (False, True):
        late = bench.write(row=b"two", expected=b"one", counter=500, repeat=repeat)
        assert kinds(late) == []
        assert statuses(late) == [ReplyStatus.ERROR]
    assert bench.disk.get(b"k") == b"one"


def test_a_repeat_without_a_request_id_leaves_nothing() -> None:
    bench = Bench().lead()
    assert kinds(bench.write(expected=b"wanted", counter=-1, repeat=True)) == []


def test_a_repeated_request_is_applied_once_and_answered_again() -> None:
    bench = Bench().lead()
    effects = bench.write(counter=500)
    assert bench.write(counter=500) == []
    bench.append(effects)
    bench.read()
    again = bench.write(counter=500)
    assert kinds(again) == []
    assert answers(again) == [b"done"]


def test_writes_without_request_ids_are_each_evaluated_and_leave_none() -> None:
    """As those of indexes: what is under way is seen in the overlay."""
    bench = Bench().lead()
    first, second = bench.write(counter=-1), bench.write(row=b"other", counter=-2)
    assert bench.write(expected=b"row", counter=-1) == []  # held until what it looked at is accepted
    bench.append([*first, *second])
    assert sorted(answers(bench.read())) == [b"done", b"done", b"other"]
    assert bench.disk.first_remembered(b"") is None
    assert bench.disk.get(b"k") == b"other"


def test_a_restarted_replica_remembers_request_ids() -> None:
    bench = Bench().lead()
    bench.append(bench.write(counter=500))
    bench.read()
    other = Bench("node-b", bench.log)
    other.read()
    assert other.disk.requests.keys() == bench.disk.requests.keys()
    assert other.disk.rows == bench.disk.rows
