"""The consumer group of one destination: which shards of which streams are ours, where they are read, what was done.

A shard is a topic partition of a stream. A child's is begun once its parent's was acknowledged to its end, by
whichever member (`core.streams.consuming`). One that the group has no offset of begins a while before its link was
made: what is older is the initial copy's. One of a link that has begun again to send on what other regions wrote,
which was passed by until then, is read once more, whether or not anybody reads it at that moment (`beginning`). What
is committed beside an offset says how far a shard is (`committed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynabus.adapters.clock import unix_ms
from dynabus.adapters.kafka.arrivals import arrived
from dynabus.adapters.kafka.group_member import GroupMember, Where
from dynabus.adapters.kafka.positions import OUT_OF_RANGE, extent_of
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.adapters.logs import kafka_logger, logger
from dynabus.core.global_tables import committed
from dynabus.core.global_tables.beginning import begin_anew
from dynabus.core.global_tables.committed import Found, Told
from dynabus.core.global_tables.floors import Word
from dynabus.core.global_tables.promises import word_of
from dynabus.core.streams.consuming import Extent, Mark, Progress, beginning, lost_its_end
from dynabus.rep_out.feeds import Feed, has_all, is_of_before

BEFORE_MS = 600_000
"""So much before its link was made a shard is begun: clocks, and leaders that had not heard of it yet."""

LATE_MS = 60_000
"""The least retention that a stream can have: until then nothing of after the link's begin is dropped."""

LOOK_MS = 500.0
"""Between two looks at shards that are held."""

CALL_S = 5.0
FETCH_MOST = 500

FETCHED_KBYTES = 4096
"""Fetched ahead: of a destination that is away, or slower, it is thrown away now and then."""


class Shards:
    """Used from one thread, for region `own`. `begun` and `gone` are told of shards that are ours from an offset on,
    before which other one this region's own changes are passed by (0: none), or no more."""

    def __init__(
        self,
        kafka: KafkaSettings,
        own: str,
        group: str,
        session_timeout_ms: int,
        begun: Callable[[Where, int, int], None],
        gone: Callable[[list[Where]], None],
    ) -> None:
        self._own, self._begun, self._gone = own, begun, gone
        self._feeds: Mapping[str, Feed] = {}
        self._given: set[Where] = set()
        """Ours, as the group has it."""
        self._waiting: set[Where] = set()
        """Of ours: those of which it is not known yet where they begin."""
        self._read: set[Where] = set()
        self._paused: set[str] = set()
        self._ends: dict[Where, int] = {}
        """Of shards that were read to their end: behind it."""
        self.gaps: dict[Where, int] = {}
        """Shards that lost changes to retention, and the `created_ms` that their link had then."""
        self._untold: dict[Where, Told] = {}  # of which the group did not take the begin
        self._own_behind: dict[Where, int] = {}
        self._words: dict[Where, Word] = {}
        """The last one of each shard that is ours."""
        self._look_ms = 0.0
        self.committed: dict[Where, int] = {}
        properties = kafka.log_reader(partition_eof=False)
        self._reader = Consumer({**properties, "queued.max.messages.kbytes": FETCHED_KBYTES}, logger=kafka_logger())
        self._group = GroupMember(
            kafka.group_member(group, session_timeout_ms), self._assigned, self._revoked, self._lost
        )
        self.on_revoke: Callable[[], None] = lambda: None
        """Called before shards are given away: what is due may be committed."""

    def follow(self, feeds: Mapping[str, Feed]) -> None:
        """By topic. New ones are subscribed to; what is new of a stream's lineage counts from now on."""
        over = [where for where in self._given if self._begins_anew(where[0], feeds)]
        self._stop(over)
        for where in over:
            self._ends.pop(where, None)
            self._untold.pop(where, None)
        self._waiting.update(over)  # until the group takes them; or they are wanted again before it does
        self._gone(over)
        self._feeds = feeds
        self._group.subscribe(feeds)

    def _begins_anew(self, topic: str, feeds: Mapping[str, Feed]) -> bool:
        """It is not to be read any more, or once more."""
        if topic not in feeds:
            return True
        link, known = feeds[topic].link, self._feeds.get(topic)
        return bool(link.forwards) and known is not None and link.created_ms != known.link.created_ms

    def poll(self, now_ms: float) -> None:
        """Take part in the group, and begin what may begin."""
        self._group.poll()
        if (self._waiting or self._untold) and now_ms >= self._look_ms:
            self._look_ms = now_ms + LOOK_MS
            for where, told in [*self._untold.items()]:
                self._tell(where, told)
            for topic in sorted({topic for topic, _ in self._waiting}):
                try:
                    self._begin_of(topic)
                except KafkaException as error:
                    # It was just made, or is gone: others need not wait for it.
                    logger().warning("shards not begun yet", topic=topic, reason=error.args[0].str())

    def read(self, timeout_s: float) -> list[Message]:
        """Records of shards that are ours."""
        found = []
        for message in arrived(self._reader, FETCH_MOST, timeout_s):
            where = (message.topic() or "", message.partition() or 0)
            if (error := message.error()) is not None:
                self._failed(where, error)
            elif where in self._read:
                found.append(message)
        return found

    def pause(self, full: Iterable[str]) -> None:
        """Topics of which nothing is to be read for now; all others are."""
        wanted = set(full)
        for topic in wanted ^ self._paused:
            places = [TopicPartition(*where) for where in self._read if where[0] == topic]
            if places:
                (self._reader.pause if topic in wanted else self._reader.resume)(places)
        self._paused = wanted

    def ended(self, where: Where, offset: int) -> None:
        """The shard's last record was read, at this offset."""
        self._ends[where] = offset + 1
        self._stop([where])

    def is_read(self, where: Where) -> bool:
        """Whether more of it counts: it is ours, and was not read to its end. Behind that there may be repeats."""
        return where in self._read

    def commit(self, due: Mapping[Where, int], told: Told) -> bool:
        """What was acknowledged; whether the group has it."""
        self._words.update(told.words)
        offsets = [TopicPartition(*where, at, self._metadata(where, at, told)) for where, at in due.items()]
        if not self._group.commit(offsets):
            return False
        self.committed.update(due)
        for where in due:
            self._untold.pop(where, None)
        if any(self._ends.get(where) == at for where, at in due.items()):
            self._look_ms = 0.0  # children may begin
        return True

    def _tell(self, where: Where, told: Told) -> None:
        """Where it begins, until the group has it: an idle shard has nothing else to commit."""
        self._untold[where] = told
        self.commit({where: self.committed[where]}, told)

    def _metadata(self, where: Where, at: int, told: Told) -> str:
        progress = Progress(at, mark=Mark.ENDED if self._ends.get(where) == at else Mark.READING)
        behind = self._own_behind.get(where, 0)
        own, word = behind if behind > at else None, self._words.get(where)
        return committed.write(progress, told, self._created_ms(where), self.gaps.get(where), own, word)

    def words(self) -> dict[str, Word]:
        """What may be told of all of a stream, by topic, whoever has its shards. Raises KafkaException.

        Nothing while the destination lacks items: they may be older than what its shards say.
        """
        feeds = {topic: feed for topic, feed in self._feeds.items() if has_all(feed)}
        wanted = [(topic, number) for topic, feed in feeds.items() for number in feed.stream.shards]
        told = self._group.committed(wanted) if wanted else {}
        words = dict[str, Word]()
        for topic, (link, stream, _) in feeds.items():
            said = committed.words({number: told[topic, number] for number in stream.shards}, link.created_ms)
            if (least := word_of({number: each.parent for number, each in stream.shards.items()}, said)) is not None:
                words[topic] = least._replace(replica=link.replica)
        return words

    def lacks(self) -> bool:
        """Whether changes were lost since the link began; once it begins again all items are copied."""
        return any(committed.is_lost(gap, self._created_ms(where)) for where, gap in [*self.gaps.items()])

    def _created_ms(self, where: Where) -> int:
        feed = self._feeds.get(where[0])
        return feed.link.created_ms if feed is not None else 0

    def backlog(self) -> int:
        """Records of shards that are read here which are not acknowledged, as far as is known."""
        count = 0
        for where in [*self._read]:
            try:
                _, end = self._reader.get_watermark_offsets(TopicPartition(*where), cached=True)
            except (KafkaException, TypeError, RuntimeError):
                continue
            count += max(0, end - self.committed.get(where, end))
        return count

    def close(self) -> None:
        """Leave the group, so that others need not wait for the session's end."""
        self._group.close()
        self._reader.close()

    # -- where shards begin ---------------------------------------------------------------------------------------

    def _begin_of(self, topic: str) -> None:
        feed = self._feeds.get(topic)
        if feed is None:
            return
        shards = feed.stream.shards
        numbers = [number for where, number in sorted(self._waiting) if where == topic and number in shards]
        parents = {parent for each in numbers if (parent := shards[each].parent) is not None and parent in shards}
        # Children, which have greater numbers, before their parents (`beginning`).
        line = sorted({*numbers, *parents}, reverse=True)
        found = self._found(topic, line)
        progress = {number: each.progress for number, each in found.items()}
        extents = {number: Extent(*extent_of(self._reader, topic, number, CALL_S)) for number in line}
        for number in numbers:
            begin = beginning(shards[number], shards, progress, extents, False, feed.stream.is_live)
            if begin is None:
                continue
            where, extent, known, parent = (topic, number), extents[number], found.get(number), shards[number].parent
            if (
                known is None
                and parent in parents
                and lost_its_end(progress.get(parent), extents[parent], extent)
                and self._first(where, feed.link.created_ms, extent) <= extent.low  # else the initial copy has it
            ):
                self._note_gap(where, f"Kafka has lost the end of shard {parent}")
            if known is None or is_of_before(known, feed.link):
                self._begin_anew(where, feed, extent, known)
            elif begin.mark is Mark.READING:
                self._own_behind[where] = known.own_behind
                self._begin(where, begin.offset, extent)
            self._waiting.discard(where)

    def _begin_anew(self, where: Where, feed: Feed, extent: Extent, known: Found | None) -> None:
        begin = begin_anew(
            self._first(where, feed.link.created_ms, extent),
            extent,
            known,
            is_open=feed.stream.shards[where[1]].is_open,
            copies_own=feed.link.copies(self._own),
            forwards=bool(feed.link.forwards),
        )
        if begin is not None:
            self._own_behind[where] = begin.own_behind
            self._begin(where, begin.offset, extent)
        elif known is not None:
            self._ends[where] = self.committed[where] = known.progress.offset
        if known is not None:
            # At once: whoever comes later must not ask what retention took for this.
            self._tell(where, Told(known.number("acked_ms"), None))

    def _found(self, topic: str, numbers: Iterable[int]) -> dict[int, Found]:
        found: dict[int, Found] = {}
        for where, told in self._group.committed((topic, number) for number in numbers).items():
            if told is not None:
                each = found[where[1]] = committed.read(*told)
                is_ours = where in self._given  # and not a parent that another process has
                if is_ours and (gap := each.number("gap")) is not None:
                    self.gaps[where] = gap
                if is_ours and (word := each.word) is not None:
                    self._words.setdefault(where, word)
        return found

    def _first(self, where: Where, created_ms: int, extent: Extent) -> int:
        """Of the records that are not older than the link. If all are: behind the end, or the last one if the shard
        may have been closed since.

        A link whose RepOut comes late may find that records are gone: that is a gap, unless older ones are there.
        """
        (found,) = self._reader.offsets_for_times([TopicPartition(*where, created_ms - BEFORE_MS)], timeout=CALL_S)
        if found.error is not None:
            raise KafkaException(found.error)
        older_are_gone = extent.low > 0 and (found.offset == extent.low or extent.low == extent.end)
        if older_are_gone and unix_ms() - created_ms > LATE_MS:
            return extent.low - 1
        if found.offset >= 0:
            return found.offset
        if self._feeds[where[0]].stream.shards[where[1]].is_open:
            return max(extent.low, extent.end - 1)
        return extent.end

    def _begin(self, where: Where, offset: int, extent: Extent) -> None:
        own_behind = self._own_behind.get(where, 0)
        if not extent.low <= offset <= extent.end or own_behind > extent.end:
            why = "retention was faster than their destination" if offset < extent.low else "Kafka has lost their end"
            self._note_gap(where, f"{why}: {extent.low} to {extent.end} are there, wanted is {offset}")
        # What came behind the end since it was lost is in rows before they are copied.
        offset = min(max(offset, extent.low), extent.end)
        self._own_behind[where] = min(own_behind, extent.end)
        self._read.add(where)
        self._ends.pop(where, None)
        self.committed[where] = offset
        self._reader.incremental_assign([TopicPartition(*where, offset)])
        if where[0] in self._paused:
            self._reader.pause([TopicPartition(*where)])
        self._begun(where, offset, self._own_behind.get(where, 0))
        if where in self.gaps:
            self._tell(where, Told(0, None))  # it must be seen though the shard rests, and not twice

    def _note_gap(self, where: Where, why: str) -> None:
        self.gaps[where] = self._created_ms(where)
        logger().error("changes are lost, all items are copied again", topic=where[0], shard=where[1], reason=why)

    def _failed(self, where: Where, error: KafkaError) -> None:
        if error.code() in OUT_OF_RANGE and where in self._read:
            self._stop([where])
            self._gone([where])
            self._waiting.add(where)
        else:
            logger().info("stream", topic=where[0], reason=error.str())

    def _stop(self, places: Iterable[Where]) -> None:
        read = [TopicPartition(*where) for where in places if where in self._read]
        self._read.difference_update(places)
        if read:
            self._reader.resume(read)  # a pause outlives that we have them: what comes back would rest for ever
            self._reader.incremental_unassign(read)

    # -- the group ------------------------------------------------------------------------------------------------

    def _assigned(self, given: list[Where]) -> None:
        self._given.update(given)
        self._waiting.update(given)
        self._look_ms = 0.0

    def _revoked(self, taken: list[Where]) -> None:
        self.on_revoke()
        self._lost(taken)

    def _lost(self, taken: list[Where]) -> None:
        self._stop(taken)
        self._given.difference_update(taken)
        self._waiting.difference_update(taken)
        for where in taken:
            for known in (self._ends, self.committed, self.gaps, self._own_behind, self._words, self._untold):
                known.pop(where, None)
        self._gone(taken)
