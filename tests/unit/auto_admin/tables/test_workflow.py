"""Workflows finish from wherever an auto-admin died: a crash between any two steps, and a successor that knows
nothing, come to the same end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from dynabus.auto_admin.tables.workflow import ANNOUNCED, Progress, Step, metadata_version, next_step


@dataclass
class Cluster:
    """What there is outside of auto-admin, and the row that says what there should be."""

    status: str | None = "CREATING"
    topic: bool = False
    published: str | None = None
    held: bool = False
    led: bool = False
    pending: bool = False
    steps: list[Step] = field(default_factory=list)

    def nodes_react(self) -> None:
        """Storage nodes follow the metadata that was published last."""
        if self.published in ("CREATING", "ACTIVE", "UPDATING") and self.topic:
            self.held = self.led = True
        elif self.published == "DELETING":
            self.held = False

    def do(self, step: Step, progress: Progress) -> None:
        self.steps.append(step)
        if step is Step.ANNOUNCE:
            progress.published = ANNOUNCED
        elif step is Step.BUILD:
            self.topic = progress.built = True
        elif step is Step.PUBLISH:
            assert self.topic or self.status == "DELETING", "published before the topic has a leader"
            self.published = progress.published = self.status
        elif step is Step.FINISH:
            assert self.led
            assert self.published == self.status, "finished before anybody could see it"
            self.status, self.pending = "ACTIVE", False
            progress.published = None
        elif step is Step.DESTROY:
            assert not self.held, "the topic goes while nodes read it"
            self.topic, progress.destroyed = False, True
        elif step is Step.RETRACT:
            assert not self.topic
            self.published = progress.published = "DELETED"
        else:
            assert self.published == "DELETED"
            self.status = None


def live(cluster: Cluster, crash_after: set[int]) -> None:
    """Run to rest; after the n-th step of `crash_after` the process dies and a successor begins anew."""
    progress, done = Progress(), 0
    for _ in range(100):
        if cluster.status is None:
            return
        unfinished = cluster.pending or cluster.status in ("CREATING", "UPDATING")
        step = next_step(cluster.status, progress, led=cluster.led, held=cluster.held, unfinished=unfinished)
        if step is not None:
            cluster.do(step, progress)
            done += 1
            if done in crash_after:
                progress = Progress()
        elif cluster.published == cluster.status == "ACTIVE":
            return
        cluster.nodes_react()
    raise AssertionError(f"does not come to rest: {cluster}")


@pytest.mark.parametrize("crash_after", [set(), *({n} for n in range(1, 7)), {1, 2, 3, 4, 5}])
def test_creation_finishes_whatever_dies(crash_after: set[int]) -> None:
    cluster = Cluster()
    live(cluster, crash_after)
    assert (cluster.status, cluster.published, cluster.topic) == ("ACTIVE", "ACTIVE", True)


@pytest.mark.parametrize("crash_after", [set(), *({n} for n in range(1, 6)), {1, 2, 3, 4}])
def test_deletion_finishes_whatever_dies(crash_after: set[int]) -> None:
    cluster = Cluster("DELETING", topic=True, published="ACTIVE", held=True, led=True)
    live(cluster, crash_after)
    assert (cluster.status, cluster.topic, cluster.held) == (None, False, False)


@pytest.mark.parametrize("status", ["UPDATING", "ACTIVE"])
@pytest.mark.parametrize("crash_after", [set(), *({n} for n in range(1, 4)), {1, 2, 3}])
def test_a_change_finishes_whatever_dies(status: str, crash_after: set[int]) -> None:
    cluster = Cluster(status, topic=True, published="ACTIVE", held=True, led=True, pending=True)
    live(cluster, crash_after)
    assert (cluster.status, cluster.published, cluster.pending) == ("ACTIVE", "ACTIVE", False)


def test_random_crashes() -> None:
    for seed in range(300):
        dice = random.Random(seed)
        cluster = Cluster()
        live(cluster, set(dice.sample(range(1, 12), 5)))
        cluster.status = "DELETING"
        live(cluster, set(dice.sample(range(1, 12), 5)))
        assert cluster.status is None


def test_nothing_is_done_while_a_step_is_under_way() -> None:
    assert next_step("CREATING", Progress(busy=True), led=False, held=False) is None


def test_metadata_versions_rise() -> None:
    versions = [
        metadata_version(offset, status)
        for offset in (7, 8)
        for status in (ANNOUNCED, "CREATING", "ACTIVE", "UPDATING", "DELETING", "DELETED")
    ]
    assert versions == sorted(set(versions))
