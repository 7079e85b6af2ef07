"""Initial copies: pages of whoever leads, batches, and word to auto-admin once all is acknowledged."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import orjson
import pytest
from tests.unit.core.global_indexes.test_backfill import place
from tests.unit.core.global_tables.test_copying import rows, stored
from tests.unit.request_router.test_asker import LOG, lead, view_message

from dynabus.adapters.allowance import Allowance
from dynabus.adapters.codec import decode
from dynabus.adapters.kafka.message_producer import MessageProducer
from dynabus.adapters.kafka.settings import KafkaSettings
from dynabus.core.global_tables.copying import Copy
from dynabus.core.global_tables.links import ACTIVE, COPYING, Link
from dynabus.core.global_tables.pages import page
from dynabus.core.global_tables.regions import Peer
from dynabus.core.global_tables.rep_out import Batch
from dynabus.core.global_tables.window import RESEND_MS
from dynabus.core.messages import SEALED, ReplyStatus
from dynabus.core.replication.store import Outcome
from dynabus.core.rows import CorruptRow
from dynabus.rep_out.line import Line
from dynabus.repl_admin import copying as module
from dynabus.repl_admin.copying import AGAIN_MS, ASK_MS, FAILED_S, STILL_MS, TELL_MS, Copies, Job

LINK = Link(LOG, "t", "us", 1, COPYING, 5, True, "label", ["eu"], {}, "there")
PEER = Peer("us", 1, "there:9092", "there", "", "{}", False)
ROWS = rows(1200)


class Stage:
    """A job, with its line and producer as lists."""

    problem: str | None = None

    def __init__(self, monkeypatch: pytest.MonkeyPatch, items_per_s: int = 10**6) -> None:
        self.now_ms = 1000.0
        monkeypatch.setattr(module, "exact_ms", lambda: self.now_ms)
        self.job = Job(KafkaSettings("x"), "repl-admin-1", LINK, PEER, "eu", Allowance(items_per_s, self.now_ms))
        self.job._learn("", "table_metadata", view_message())
        lead(self.job._view, "node-2", 1)
        self.asked: list[tuple[str, Any]] = []
        self.batches: list[tuple[str, str, Batch]] = []
        self.told: list[tuple[str, int]] = []

    # -- line and producer ----------------------------------------------------------------------------------------

    def acknowledged(self, timeout_s: float) -> list[tuple[str, int]]:
        told, self.told = self.told, []
        return told

    def send(self, sender: str, link: Link, batch: Batch) -> None:
        self.batches.append((sender, link.name, batch))

    def send_one(self, topic: str, value: bytes) -> None:
        self.asked.append((topic, decode(value)[1]))

    def turn(self, passed_ms: float = 10.0) -> None:
        self.now_ms += passed_ms
        self.job.turn(cast("Line", self), cast("MessageProducer", self), self.now_ms)

    def problem_now(self) -> str | None:
        return self.job.problem

    def reply(self, outcome: Outcome | None = None, **others: int) -> None:
        """To the last question; without an outcome with the rows."""
        _, request = self.asked[-1]
        answer = outcome or page(request["parts"][0], place(), stored(ROWS))
        head = {name: request[name] for name in ("incarnation", "counter")}
        self.job._replied({**head, "node": "node-2", "parts": [answer.part(0)], **others})

    def acknowledge(self) -> None:
        self.told = [(sender, batch.number) for sender, _, batch in self.batches]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_all_rows_go_page_by_page_and_then_auto_admin_is_told(stage: Stage) -> None:
    while not stage.job.copy.is_done:
        questions = len(stage.asked)
        stage.turn()
        if len(stage.asked) > questions and not stage.job.copy.is_done:
            assert stage.asked[-1][0] == "dynabus.requests.node-2"
            stage.reply()
        stage.acknowledge()
    keys = [export.key for _, table, batch in stage.batches for export in batch.exports if table == "t"]
    assert keys == [key for key, _ in ROWS]
    assert len(stage.asked) == 4
    topic, request = stage.asked[-1]
    assert (topic, request["operation"]) == ("dynabus.control", "ReplicaCopied")
    assert request["asker"] == "repl-admin-1-copy"
    assert orjson.loads(request["body"]) == {"TableId": LOG, "Destination": "us", "CreatedMs": 5}
    stage.turn(TELL_MS / 2)
    assert len(stage.asked) == 4
    stage.turn(TELL_MS)
    assert len(stage.asked) == 5


def test_a_copy_that_does_not_go_on_says_why(stage: Stage) -> None:
    stage.turn()
    for _ in range(40):
        stage.turn(ASK_MS)
    assert stage.problem_now() == "no rows were read for 80 s: no answer"
    assert len(stage.asked) < 10, "it asks less and less often: an answer may take longer"
    stage.reply(Outcome(ReplyStatus.BUSY))
    stage.turn(AGAIN_MS)
    assert str(stage.problem_now()).endswith("partition 0 says BUSY")
    stage.reply()
    stage.turn()
    assert (stage.problem_now(), stage.job._ask_ms) == (None, ASK_MS)
    stage.turn(STILL_MS)
    assert stage.problem_now() == "us has decided nothing of it for 60 s: does rep-in run there?"
    stage.acknowledge()
    stage.turn()
    assert stage.problem_now() is None


def test_a_page_is_asked_for_again_after_silence_of_whoever_is_said_to_lead(stage: Stage) -> None:
    stage.turn()
    stage.turn(ASK_MS / 2)
    assert len(stage.asked) == 1
    stage.turn(ASK_MS)
    assert len(stage.asked) == 2
    stage.reply(Outcome(ReplyStatus.NOT_LEADER, b"node-3"))
    stage.turn()
    assert len(stage.asked) == 2
    stage.turn(AGAIN_MS)
    assert stage.asked[-1][0] == "dynabus.requests.node-3"
    stage.reply(counter=1)
    stage.reply(incarnation=1)
    assert stage.job.copy.position == b""
    stage.reply()
    assert stage.job.copy.position == ROWS[500][0]


def test_a_split_in_between_is_followed(stage: Stage) -> None:
    stage.turn()
    stage.reply()
    stage.turn()
    parent = view_message()["partitions"][0]
    middle = ROWS[600][0]
    heir = {**parent, "generation": 2, "state": "heir", "lineage": [0]}
    heirs = [{**heir, "number": 1, "upper": middle}, {**heir, "number": 2, "lower": middle}]
    message = {**view_message(), "version": 2, "partitions": [{**parent, "state": "splitting"}, *heirs]}
    stage.job._learn("", "table_metadata", message)
    stage.reply(Outcome(ReplyStatus.STALE_ROUTE, SEALED))
    stage.turn(AGAIN_MS)
    part = stage.asked[-1][1]["parts"][0]
    assert (part["partition"], part["generation"], part["key"]) == (1, 2, ROWS[500][0])
    stage.reply(Outcome(body=b""))
    stage.turn()
    part = stage.asked[-1][1]["parts"][0]
    assert (part["partition"], part["key"]) == (2, middle)
    stage.reply(Outcome(body=b""))
    assert stage.job.copy.position is None


def test_it_is_as_slow_as_an_operator_wants_and_sends_again_what_is_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(monkeypatch, items_per_s=100)
    stage.turn()
    stage.reply()
    for _ in range(100):
        stage.turn()
        stage.acknowledge()
    assert 90 <= sum(len(batch.exports) for _, _, batch in stage.batches) <= 110
    stage.batches.clear()
    stage.turn(1000)
    [(_, _, batch)] = stage.batches
    stage.turn(RESEND_MS)
    assert batch in [each for _, _, each in stage.batches[1:]]


def test_acknowledgements_of_others_are_no_acknowledgements(stage: Stage) -> None:
    stage.turn()
    stage.reply()
    stage.turn()
    stage.told = [("rep-out-1/7/x", 1)]
    stage.turn()
    assert stage.job.copy.sent == 0


def test_one_that_ends_by_a_defect_rests_before_it_has_failed_and_says_why(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested_s: list[float | None] = []

    def damaged(_job: Job) -> None:
        raise CorruptRow("a damaged row")

    monkeypatch.setattr(Job, "_work", damaged)
    monkeypatch.setattr(stage.job._stop, "wait", rested_s.append)
    stage.job._run()
    assert rested_s == [FAILED_S]
    assert "a damaged row" in (stage.job.problem or "")


class FakeJob:
    made: ClassVar[list[FakeJob]] = []

    def __init__(self, _kafka: Any, _name: str, link: Link, peer: Peer, own: str, allowance: Allowance) -> None:
        self.link, self.peer, self.own, self.allowance = link, peer, own, allowance
        self.copy = Copy(link.name, own, None)
        self.problem: str | None = None
        self.has_failed = self.is_stopped = False
        self.made.append(self)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.is_stopped = True


def test_there_is_a_job_for_each_link_that_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Job", FakeJob)
    monkeypatch.setattr(FakeJob, "made", [])
    copies = Copies(KafkaSettings("x"), "repl-admin-1", 100, 2)
    own = PEER._replace(name="eu", kafka="")
    copies.learn("region/eu", "region_metadata", own._asdict())
    copies.learn(f"link/{LOG}/us", "link_metadata", LINK._asdict())
    copies.follow()
    assert FakeJob.made == [], "it is not known yet where the region is"
    copies.learn("region/us", "region_metadata", PEER._asdict())
    copies.follow()
    copies.follow()
    [first] = FakeJob.made
    assert (first.link, first.peer, first.own) == (LINK, PEER, "eu")
    first.has_failed = True
    copies.follow()
    assert len(FakeJob.made) == 2
    copies.learn("region/us", "region_metadata", {**PEER._asdict(), "version": 2, "kafka": "elsewhere:9092"})
    copies.follow()
    assert len(FakeJob.made) == 3
    again = {**LINK._asdict(), "version": 2, "created_ms": 6}
    copies.learn(f"link/{LOG}/us", "link_metadata", again)
    copies.follow()
    assert len(FakeJob.made) == 4, "it is another life of the link"
    copies.learn(f"link/{LOG}/us", "link_metadata", {**again, "version": 3, "status": ACTIVE})
    copies.follow()
    assert copies.jobs == {}
    assert all(job.is_stopped for job in FakeJob.made)


def test_so_many_copies_at_once_the_oldest_first_with_one_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Job", FakeJob)
    monkeypatch.setattr(FakeJob, "made", [])
    copies = Copies(KafkaSettings("x"), "repl-admin-1", 100, 2)
    for region in (PEER._replace(name="eu", kafka=""), PEER, PEER._replace(name="ap")):
        copies.learn(f"region/{region.name}", "region_metadata", region._asdict())

    def wish(number: int, destination: str, status: str = COPYING) -> None:
        link = LINK._replace(
            table=f"t{number}", name=f"n{number}", destination=destination, created_ms=9 - number, status=status
        )
        copies.learn(f"link/{link.table}/{destination}", "link_metadata", link._asdict())
        copies.follow()

    for number in (3, 2, 1):
        wish(number, "us")
    assert [job.link.name for job in FakeJob.made] == ["n3", "n2"]
    assert len({id(job.allowance) for job in FakeJob.made}) == 1
    assert [(each["table"], each["state"]) for each in copies.status()] == [
        ("n3", "copying"),
        ("n2", "copying"),
        ("n1", "waiting"),
    ]
    assert copies.limits == {"at_once": 2, "items_per_s": 100}
    wish(4, "ap")
    assert [job.link.name for job in FakeJob.made] == ["n3", "n2", "n4"], "who waits for a region holds back no other"
    wish(3, "us", ACTIVE)
    assert [job.link.name for job in FakeJob.made] == ["n3", "n2", "n4", "n1"]
    copies.close()
    assert copies.status() == []


def test_an_allowance_is_shared_and_what_is_not_used_is_not_lost() -> None:
    allowance = Allowance(100, 0.0)
    assert allowance.take(500) == 50
    assert allowance.take(500) == 0
    allowance.give_back(30)
    assert allowance.take(600) == 40
    assert allowance.take(60_000) == 100, "a second's worth is saved up"


def test_a_link_that_went_while_another_process_was_active_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Job", FakeJob)
    monkeypatch.setattr(FakeJob, "made", [])
    copies = Copies(KafkaSettings("x"), "repl-admin-1", 100, 2)
    regions = [PEER._replace(name="eu", kafka=""), PEER]
    for learned in range(2):
        for region in regions:
            copies.learn(f"region/{region.name}", "region_metadata", region._asdict())
        if not learned:
            copies.learn(f"link/{LOG}/us", "link_metadata", LINK._asdict())
        copies.follow()
        copies.close()
    assert len(FakeJob.made) == 1
