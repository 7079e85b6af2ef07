"""Operations on streams over topics in memory: what is asked, in which order it is checked, what is answered."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from tests.simulation.histories import TABLE
from tests.unit.core.propagation.test_follower import LABEL, message

from dynabus.adapters.stream_codec import decode_change, encode_output, read_entry
from dynabus.core.cluster_view import ClusterView
from dynabus.core.errors import ApiError
from dynabus.core.operations.calls import Context
from dynabus.core.operations.stream_calls import Extent, Extents, Fetch, Fetched, Seek, StreamCall, StreamContext
from dynabus.core.operations.stream_registry import stream_routes
from dynabus.core.propagation.outputs import Output
from dynabus.core.streams.changes import Change
from dynabus.core.streams.iterators import LIFE_MS
from dynabus.core.streams.reading import CHANGE, CLOSED, OPENED, Entry
from dynabus.core.streams.sequence import Sequence
from dynabus.core.streams.view import Stream, StreamsView, read_stream

ARN = f"arn:aws:dynamodb:us-east-1:000000000000:table/music/stream/{LABEL}"
BEGAN_MS = 1_700_000_000_000


class Topics:
    """A stream of one table; `low` is where each shard begins after trimming."""

    def __init__(self) -> None:
        self.view = StreamsView()
        self.view.take(message(shards={0: -1, 1: 0, 2: 0}))
        (self.stream,) = self.view.all()
        self.now_ms = BEGAN_MS
        self.asked: list[int] = []
        """Shards whose ends were looked at."""
        self.shards: dict[int, list[Entry]] = {}
        self.low: dict[int, int] = {}
        self.tail = 1000
        self.context = StreamContext(Context(ClusterView(), "us-east-1", "0" * 12, lambda: self.now_ms), self.view)

    def write(self, number: int, kind: str, offset: int, time_ms: int = 5) -> None:
        """As a propagator does, for the log's record at this offset."""
        change = Change("INSERT", {"pk": {"S": str(offset)}}, None, {"pk": {"S": str(offset)}}, BEGAN_MS + time_ms)
        sequence = Sequence(1, BEGAN_MS + time_ms, offset)
        output = Output(self.stream, number, kind, sequence, change if kind == CHANGE else None)
        written = encode_output(output, 0)
        headers = {name: value for name, value in written.headers if isinstance(value, bytes)}
        shard = self.shards.setdefault(number, [])
        shard.append(read_entry(len(shard), headers, written.value))

    def ask(self, operation: str, **request: Any) -> Any:
        steps = stream_routes[operation](request, self.context, decode_change)
        try:
            call = next(steps)
            while True:
                call = steps.send(self._perform(call))
        except StopIteration as done:
            return orjson.loads(done.value)
        except ApiError as error:
            return error.body()

    def message(self, operation: str, **request: Any) -> str:
        answer = self.ask(operation, **request)
        assert "__type" in answer, answer
        return f"{answer['__type'].rpartition('#')[2]}: {answer.get('message', answer.get('Message'))}"

    def _perform(self, call: StreamCall) -> Any:
        if isinstance(call, Extents):
            self.asked += call.numbers
            return [self._extent(number) for number in call.numbers]
        entries = self.shards.get(call.number, [])[self.low.get(call.number, 0) :]
        if isinstance(call, Seek):
            later = [entry.offset for entry in entries if entry.sequence.time_ms >= call.time_ms]
            return later[0] if later else len(self.shards[call.number])
        low = self.low.get(call.number, 0)
        found = [entry for entry in entries if entry.offset >= call.offset][: call.most]
        return Fetched(low, found, not found)

    def _extent(self, number: int) -> Extent:
        entries = self.shards.get(number, [])
        low = self.low.get(number, 0)
        left = entries[low:]
        # Behind the end of a shard a late repeat may lie.
        last = max(left[-self.tail :], key=lambda entry: (entry.type == CLOSED, entry.sequence), default=None)
        return Extent(low, len(entries), left[0] if left else None, last)

    # -- as clients do ------------------------------------------------------------------------------------------

    def shard(self, number: int) -> str:
        return self.stream.shards[number].id

    def iterator(self, kind: str = "TRIM_HORIZON", number: int = 0, **more: Any) -> str:
        answer = self.ask(
            "GetShardIterator", StreamArn=ARN, ShardId=self.shard(number), ShardIteratorType=kind, **more
        )
        return str(answer["ShardIterator"])

    def keys(self, iterator: str, limit: int = 1000) -> tuple[list[str], bool]:
        """Keys from an iterator on, and whether the shard ended there. Stops at an open shard's end."""
        seen: list[str] = []
        while True:
            answer = self.ask("GetRecords", ShardIterator=iterator, Limit=limit)
            seen += [record["dynamodb"]["Keys"]["pk"]["S"] for record in answer["Records"]]
            if "NextShardIterator" not in answer:
                return seen, True
            if answer["NextShardIterator"] == iterator:
                return seen, False
            iterator = answer["NextShardIterator"]


@pytest.fixture
def topics() -> Topics:
    """A shard with four changes, some of them twice, that was closed and has two children, one of them begun."""
    made = Topics()
    made.write(0, OPENED, 0, 0)
    for offset in (2, 3, 2, 3, 5, 8):
        made.write(0, CHANGE, offset, offset)
    made.write(0, CLOSED, 9, 8)
    made.write(0, CHANGE, 8, 8)
    made.write(1, OPENED, 0, 9)
    return made


def test_a_closed_shard_is_read_once_to_its_end(topics: Topics) -> None:
    for limit in (1, 2, 1000):
        assert topics.keys(topics.iterator(), limit) == (["2", "3", "5", "8"], True)
    assert topics.keys(topics.iterator(number=1)) == ([], False)


def test_a_sequence_number_is_found_whatever_is_repeated(topics: Topics) -> None:
    numbers = [str(entry.sequence) for entry in topics.shards[0] if entry.type == CHANGE]
    for place, number in enumerate(sorted(set(numbers))):
        rest = ["2", "3", "5", "8"][place:]
        assert topics.keys(topics.iterator("AT_SEQUENCE_NUMBER", SequenceNumber=number))[0] == rest
        assert topics.keys(topics.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=number))[0] == rest[1:]


def test_a_sequence_number_between_two_is_the_next(topics: Topics) -> None:
    between = str(Sequence(1, BEGAN_MS + 4, 4))
    assert topics.keys(topics.iterator("AT_SEQUENCE_NUMBER", SequenceNumber=between))[0] == ["5", "8"]
    assert topics.keys(topics.iterator("AT_TIMESTAMP", Timestamp=(BEGAN_MS + 4) / 1000))[0] == ["5", "8"]


def test_the_latest_is_what_comes_next() -> None:
    topics = Topics()
    topics.write(0, OPENED, 0)
    topics.write(0, CHANGE, 4, 6)
    latest = topics.iterator("LATEST")
    topics.write(0, CHANGE, 4, 6)
    topics.write(0, CHANGE, 5, 7)
    assert topics.keys(latest) == (["5"], False)


@pytest.mark.parametrize("kind", ["LATEST", "AT_TIMESTAMP", "AFTER_SEQUENCE_NUMBER"])
def test_whoever_begins_behind_the_end_of_a_closed_shard_is_at_its_end(topics: Topics, kind: str) -> None:
    late = BEGAN_MS + 3_600_000
    more: dict[str, dict[str, Any]] = {
        "LATEST": {},
        "AT_TIMESTAMP": {"Timestamp": late / 1000},
        "AFTER_SEQUENCE_NUMBER": {"SequenceNumber": str(Sequence(1, late, 10))},
    }
    assert topics.keys(topics.iterator(kind, **more[kind])) == ([], True)


def test_shards_are_described_with_their_lineage(topics: Topics) -> None:
    described = topics.ask("DescribeStream", StreamArn=ARN)["StreamDescription"]
    first, second, _ = described["Shards"]
    assert first["ShardId"] == topics.shard(0)
    assert first["SequenceNumberRange"]["StartingSequenceNumber"] == str(Sequence(1, BEGAN_MS, 0))
    assert first["SequenceNumberRange"]["EndingSequenceNumber"] == str(Sequence(1, BEGAN_MS + 8, 9))
    assert "ParentShardId" not in first
    assert second["ParentShardId"] == topics.shard(0)
    assert "EndingSequenceNumber" not in second["SequenceNumberRange"]


def described(topics: Topics, **more: Any) -> list[str]:
    answer = topics.ask("DescribeStream", StreamArn=ARN, **more)
    return [each["ShardId"] for each in answer["StreamDescription"]["Shards"]]


def test_the_children_of_a_shard_are_shown_together() -> None:
    """Amazon's library looks for them once, when it has read their parent, and takes what it sees for all."""
    topics = Topics()
    first, *children = (topics.shard(number) for number in range(3))
    only = {"Type": "CHILD_SHARDS", "ShardId": first}
    assert described(topics) == [first]
    topics.write(0, OPENED, 0)
    topics.write(1, OPENED, 0)
    assert (described(topics), described(topics, ShardFilter=only)) == ([first], [])
    request = {"StreamArn": ARN, "ShardId": children[0], "ShardIteratorType": "TRIM_HORIZON"}
    assert topics.message("GetShardIterator", **request).startswith("ResourceNotFoundException")
    topics.write(0, CLOSED, 9)
    assert (described(topics), described(topics, ShardFilter=only)) == ([first, *children], children)
    # One that is not opened yet is read from its begin.
    iterators = [topics.iterator(kind, number=2) for kind in ("TRIM_HORIZON", "LATEST")]
    assert [topics.keys(iterator) for iterator in iterators] == [([], False)] * 2
    topics.write(2, OPENED, 0)
    topics.write(2, CHANGE, 1)
    assert [topics.keys(iterator) for iterator in iterators] == [(["1"], False)] * 2


def test_children_are_shown_though_repeats_hide_the_end_of_their_parent(topics: Topics) -> None:
    for _ in range(20):
        topics.write(0, CHANGE, 8, 8)
    topics.tail = 16
    assert described(topics) == [topics.shard(0)]
    topics.write(2, OPENED, 0)
    assert described(topics) == [topics.shard(number) for number in range(3)]


@pytest.mark.parametrize(("status", "shown"), [("ENABLING", []), ("ENABLED", [0, 1]), ("DISABLED", [1])])
def test_a_stream_s_first_shards_are_shown_together(status: str, shown: list[int]) -> None:
    """Those of a stream that is gone before anybody wrote it are not."""
    topics = Topics()
    topics.view.take(message(status, version=16, shards={0: -1, 1: -1}))
    topics.write(1, OPENED, 0)
    assert described(topics) == [topics.shard(number) for number in shown]


def test_partitions_that_a_disabled_stream_s_table_gets_are_none_of_its_shards(topics: Topics) -> None:
    topics.view.take(message("DISABLED", version=16, shards={0: -1, 1: 0, 2: 0}))
    assert described(topics) == [topics.shard(0), topics.shard(1)]


def test_shards_come_in_pages_and_by_parent(topics: Topics) -> None:
    page = topics.ask("DescribeStream", StreamArn=ARN, Limit=2)["StreamDescription"]
    assert [each["ShardId"] for each in page["Shards"]] == [topics.shard(0), topics.shard(1)]
    assert page["LastEvaluatedShardId"] == topics.shard(1)
    rest = topics.ask("DescribeStream", StreamArn=ARN, Limit=2, ExclusiveStartShardId=topics.shard(1))
    assert [each["ShardId"] for each in rest["StreamDescription"]["Shards"]] == [topics.shard(2)]
    assert "LastEvaluatedShardId" not in rest["StreamDescription"]
    children = {"Type": "CHILD_SHARDS", "ShardId": topics.shard(0)}
    found = topics.ask("DescribeStream", StreamArn=ARN, ShardFilter=children)["StreamDescription"]["Shards"]
    assert [each["ShardId"] for each in found] == [topics.shard(1), topics.shard(2)]


def test_a_page_of_shards_looks_at_no_more_than_it_shows() -> None:
    made = Topics()
    made.view = StreamsView()
    made.view.take(message(shards=dict.fromkeys(range(500), -1)))
    (made.stream,) = made.view.all()
    made.context = StreamContext(made.context.context, made.view)
    assert described(made, Limit=2) == [made.shard(0), made.shard(1)]
    assert made.asked == [0, 1, 2]


def test_what_was_trimmed_is_told(topics: Topics) -> None:
    start, number = topics.iterator(), str(topics.shards[0][1].sequence)
    topics.low[0] = 5
    wanted = "TrimmedDataAccessException: The data you are trying to access has been trimmed."
    assert topics.message("GetRecords", ShardIterator=start) == wanted
    request = {"StreamArn": ARN, "ShardId": topics.shard(0), "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
    assert topics.message("GetShardIterator", **request, SequenceNumber=number) == wanted
    assert topics.keys(topics.iterator()) == (["5", "8"], True)


def test_a_closed_shard_of_which_nothing_is_left_is_gone() -> None:
    topics = Topics()
    said = message(version=16, shards={0: -1, 1: 0})
    said["shards"][0]["open"] = False
    topics.view.take(said)
    topics.write(0, OPENED, 0)
    topics.write(0, CLOSED, 3)
    topics.write(1, OPENED, 0)
    topics.low = {0: 2, 1: 1}
    (only,) = topics.ask("DescribeStream", StreamArn=ARN)["StreamDescription"]["Shards"]
    # An open one stays, with the lowest number that it may have.
    assert only["ShardId"] == topics.shard(1)
    assert only["SequenceNumberRange"] == {"StartingSequenceNumber": str(Sequence(1, 0, 0))}
    request = {"StreamArn": ARN, "ShardId": topics.shard(1), "ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
    told = topics.message("GetShardIterator", **request, SequenceNumber=str(Sequence(1, BEGAN_MS, 0)))
    assert told.startswith("TrimmedDataAccessException")


def test_iterators_expire_after_a_quarter_of_an_hour(topics: Topics) -> None:
    start = topics.iterator()
    topics.now_ms += LIFE_MS
    answer = topics.ask("GetRecords", ShardIterator=start, Limit=1)
    topics.now_ms += 1
    assert topics.message("GetRecords", ShardIterator=start) == (
        "ExpiredIteratorException: The provided iterator exceeds the maximum age allowed."
    )
    # Each answer has a new one.
    assert topics.keys(answer["NextShardIterator"])[0] == ["3", "5", "8"]


def test_rubbish_is_refused_and_never_a_defect(topics: Topics) -> None:
    """Members of wrong types, and iterators with any of their characters changed."""
    dice = random.Random(9)
    rubbish = [None, 7, -1, 1.5, True, "", "x", "x" * 3000, [], {}, ["x"], {"S": "x"}, ARN, "1" * 40]
    members = ["StreamArn", "ShardId", "ShardIteratorType", "SequenceNumber", "Timestamp", "ShardIterator", "Limit"]
    members += ["TableName", "ExclusiveStartStreamArn", "ExclusiveStartShardId", "ShardFilter"]
    for _ in range(3000):
        request = {name: dice.choice(rubbish) for name in members if dice.random() < 0.6}
        if dice.random() < 0.5:
            request |= {"StreamArn": ARN, "ShardId": topics.shard(0), "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
        answer = topics.ask(dice.choice([*stream_routes]), **request)
        assert isinstance(answer, dict)
    foreign: list[Any] = [[], "x", 7, None]
    for body in foreign:
        for operation in stream_routes:
            with pytest.raises(ApiError):
                next(stream_routes[operation](body, topics.context, decode_change))


def test_streams_are_those_of_metadata_and_deleted_ones_stay_deleted() -> None:
    topics = Topics()
    assert [each["StreamArn"] for each in topics.ask("ListStreams")["Streams"]] == [ARN]
    topics.view.take(message("DELETED", version=16))
    topics.view.take(message(version=24))
    assert topics.ask("ListStreams") == {"Streams": []}
    assert topics.message("DescribeStream", StreamArn=ARN).startswith("ResourceNotFoundException")


def test_a_stream_s_fetches_are_bounded(topics: Topics) -> None:
    """One more than is wanted, so that the end of a shard is seen with its last record."""
    steps = stream_routes["GetRecords"](
        {"ShardIterator": topics.iterator(), "Limit": 3}, topics.context, decode_change
    )
    call = next(steps)
    assert isinstance(call, Fetch)
    assert isinstance(call.stream, Stream)
    assert (call.number, call.offset, call.most) == (0, 0, 4)
    assert read_stream(message()).table == TABLE


def test_all_that_a_disabled_stream_has_is_its_end(topics: Topics) -> None:
    """Its table was deleted, and no propagator came to close the shard."""
    topics.write(1, CHANGE, 7, 20)
    topics.write(1, CHANGE, 8, 21)
    assert topics.keys(topics.iterator(number=1), limit=1)[1] is False
    topics.view.take(message(status="DISABLED", version=16, shards={0: -1, 1: 0, 2: 0}))
    seen, ended = topics.keys(topics.iterator(number=1), limit=1)
    assert (seen[-2:], ended) == (["7", "8"], True)
    assert topics.keys(topics.iterator("LATEST", number=1)) == ([], True)
