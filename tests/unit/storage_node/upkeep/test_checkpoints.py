"""Checkpoints: when one is due, what it holds, and what a host that crashed comes back with."""

from __future__ import annotations

import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
from tests.unit.core.test_contents import NONE, row
from tests.unit.storage_node.stand_ins import ME, ORIGIN, PARTITION, read_back
from tests.unit.storage_node.upkeep.test_scrubbing import leading, put

from dynabus.adapters.lmdb import LmdbStore, SnapshotClosed, StoreError, StoreLostError
from dynabus.adapters.log_codec import decode_place
from dynabus.core.cloning.contents import NotWhole
from dynabus.core.cloning.pace import Pace
from dynabus.core.contents import Contents
from dynabus.core.ids import NodeName
from dynabus.core.pruning import NOTHING, Durable, durable_at
from dynabus.core.replication.records import Form
from dynabus.storage_node.replicas.hosted import Hosted
from dynabus.storage_node.upkeep import checkpoints as module
from dynabus.storage_node.upkeep.checkpoints import (
    LOOK_MS,
    RETRY_MS,
    Checkpoints,
    checkpoint_of,
    copy,
    durable_of,
    restore,
)
from dynabus.storage_node.upkeep.durable import ALL_MS, SAY_MS, DurableStatements


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def replica(self, _: Any) -> Path:
        return self.path


@pytest.fixture
def replica(tmp_path: Path) -> Hosted:
    made = leading(tmp_path / "0", 50)
    made.commit(0.0)
    return made


def checkpoints(replica: Hosted, path: Path, records: int = 10, sync: bool = False) -> Checkpoints:
    made = Checkpoints(cast("Any", _Folder(path)), records, 0.0, sync)
    made.step([replica], LOOK_MS)
    return made


def finish(made: Checkpoints, replica: Hosted) -> None:
    assert made._job is not None
    made._job[1].exception(10)
    made.step([replica], 3 * LOOK_MS)


def test_a_checkpoint_is_the_replica_and_survives_the_host(replica: Hosted, tmp_path: Path) -> None:
    path = tmp_path / "0"
    made = checkpoints(replica, path)
    finish(made, replica)
    place = replica.replica.place
    assert replica.durable.offset == place.next_offset == durable_of(path, ORIGIN).offset
    put(replica, b"later", row(1))
    read_back(replica, 5.0)
    replica.store.abandon()
    # The host crashed: another boot, and what was not synced is not to be trusted.
    with pytest.raises(StoreLostError):
        LmdbStore(path, boot_id="the next boot")
    for _ in range(2):
        # A second crash, before there is another checkpoint, finds it too.
        assert restore(path)
        store = LmdbStore(path, boot_id="the next boot")
        assert decode_place(store.place() or b"") == place
        assert Contents(store, NONE).totals[0][0] == 50
        assert store.get(b"later") is None
        store.abandon()
        with pytest.raises(StoreLostError):
            LmdbStore(path, boot_id="one after it")


def test_without_one_nothing_is_restored(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    assert not restore(tmp_path / "0")
    assert durable_of(tmp_path / "0", ORIGIN) == NOTHING


def test_a_checkpoint_of_another_log_is_none(replica: Hosted, tmp_path: Path) -> None:
    finish(checkpoints(replica, tmp_path / "0"), replica)
    assert durable_of(tmp_path / "0", ORIGIN._replace(topic="made again")) == NOTHING
    replica.store.abandon()


@pytest.mark.parametrize(
    ("records", "sync", "due"),
    [(10, False, True), (51, False, True), (60, False, False), (10, True, False)],
)
def test_when_one_is_due(replica: Hosted, tmp_path: Path, records: int, sync: bool, due: bool) -> None:
    made = checkpoints(replica, tmp_path / "0", records, sync)
    assert (made._job is not None) == due
    made.close()
    replica.store.abandon()


def test_one_is_not_made_again_for_a_few_records(replica: Hosted, tmp_path: Path) -> None:
    made = checkpoints(replica, tmp_path / "0")
    finish(made, replica)
    assert made._job is None
    for number in range(12):
        put(replica, b"later-%d" % number, row(number))
        read_back(replica, 5.0)
    replica.commit(6.0)
    made.step([replica], 5 * LOOK_MS)
    assert made._job is None, "half of its items are 31"


def test_a_child_makes_one_at_once(replica: Hosted, tmp_path: Path) -> None:
    """Its ancestors' logs wait for it."""
    group = replica.replica.place.group
    assert group is not None
    replica.replica.place = replica.replica.place._replace(group=group._replace(form=Form.CHILD))
    finish(checkpoints(replica, tmp_path / "0", records=10**6), replica)
    assert replica.durable.offset > 0
    replica.store.abandon()


def test_who_is_due_always_leaves_the_others_their_turns(replica: Hosted, tmp_path: Path) -> None:
    """Whoever has read most since its last one comes first, wherever it stands in the list."""
    other = leading(tmp_path / "1", 50)
    replica.durable = Durable(replica.committed.offset - 20, 0)
    other.commit(0.0)
    folder = cast("Any", _Folder(tmp_path / "1"))
    made = Checkpoints(folder, 10, 0.0, sync=False)
    made.step([replica, other], LOOK_MS)
    assert made._job is not None
    assert made._job[0] is other
    made._job[1].exception(10)
    folder.path = tmp_path / "0"
    replica.durable = Durable(replica.committed.offset - 40, 0)
    made.step([replica, other], 3 * LOOK_MS)
    assert made._job is not None
    assert made._job[0] is replica
    finish(made, replica)
    for each in (replica, other):
        each.store.abandon()


def test_one_that_is_no_member_makes_none(replica: Hosted, tmp_path: Path) -> None:
    """Nobody counts on what it has."""
    group = replica.replica.place.group
    assert group is not None
    strangers = group._replace(members=(NodeName("another"),))
    replica.replica.place = replica.replica.place._replace(group=strangers)
    assert checkpoints(replica, tmp_path / "0")._job is None
    replica.store.abandon()


def test_what_lies_aside_of_a_recovery_holds_up_no_checkpoint(replica: Hosted, tmp_path: Path) -> None:
    replica.aside = "a folder has more than the recovery"
    assert replica.alarm
    made = checkpoints(replica, tmp_path / "0")
    finish(made, replica)
    assert replica.durable.offset == replica.replica.place.next_offset


@pytest.mark.parametrize("state", ["damaged", "frozen", "failed"])
def test_a_replica_that_is_not_well_makes_none(replica: Hosted, tmp_path: Path, state: str) -> None:
    if state == "damaged":
        replica.damaged("a row")
    elif state == "frozen":
        replica.replica.freeze("diverged", 1.0)
    else:
        replica.failed = True
    assert checkpoints(replica, tmp_path / "0")._job is None


def test_damage_is_noticed_and_the_older_one_stays(replica: Hosted, tmp_path: Path) -> None:
    made = checkpoints(replica, tmp_path / "0")
    finish(made, replica)
    before = replica.durable
    (key, old), *_ = replica.store.scan(b"", None)
    replica.store.put(key, old[:-1] + bytes([old[-1] ^ 1]))
    replica.commit(1.0)
    with pytest.raises(NotWhole, match="damaged"):
        copy(replica.store.snapshot(), 0, checkpoint_of(tmp_path / "0"), Pace(0.0))
    assert durable_of(tmp_path / "0", ORIGIN) == before
    replica.store.abandon()


def test_a_replica_that_is_closed_meanwhile_leaves_nothing(replica: Hosted, tmp_path: Path) -> None:
    snapshot = replica.store.snapshot()
    replica.store.abandon()
    with pytest.raises(SnapshotClosed):
        copy(snapshot, 0, checkpoint_of(tmp_path / "0"), Pace(0.0))
    assert durable_of(tmp_path / "0", ORIGIN) == NOTHING


def test_a_failure_is_not_tried_again_at_once(replica: Hosted, tmp_path: Path) -> None:
    path = tmp_path / "0"
    checkpoint_of(path).with_name("0.checkpoint.new").write_text("in the way")
    made = checkpoints(replica, path)
    finish(made, replica)
    assert (made.failed, replica.durable) == (1, NOTHING)
    made.step([replica], 10 * LOOK_MS)
    assert made._job is None
    checkpoint_of(path).with_name("0.checkpoint.new").unlink()
    made.step([replica], 10 * LOOK_MS + RETRY_MS)
    assert made._job is not None
    made._job[1].exception(10)
    replica.store.abandon()


def test_what_is_on_disk_is_said_when_it_changes_and_now_and_then(replica: Hosted) -> None:
    statements, now_ms = DurableStatements(ME), SAY_MS
    assert statements.due([replica], now_ms) is None, "nothing is"
    replica.durable = Durable(7, 0)
    now_ms += SAY_MS
    said = statements.due([replica], now_ms)
    assert said is not None
    assert said["places"] == [{"log": PARTITION.log, "partition": 0, "offset": 7, "plan": 0}]
    assert statements.due([replica], now_ms + SAY_MS) is None
    replica.durable = Durable(8, 0)
    assert statements.due([replica], now_ms + 2 * SAY_MS) is not None
    assert statements.due([replica], now_ms + ALL_MS + SAY_MS) is not None
    replica.store.abandon()


def test_a_store_that_syncs_has_all_but_its_last_commit_on_disk(replica: Hosted) -> None:
    """LMDB may undo the last one (metasync is off)."""
    replica.syncs, before = True, replica.committed.offset
    put(replica, b"later", row(1))
    read_back(replica, 5.0)
    replica.commit(6.0)
    assert replica.durable.offset == before < replica.committed.offset
    replica.store.abandon()


def test_what_could_not_be_copied_does_not_stay_on_the_disk(
    replica: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = checkpoint_of(tmp_path / "0")
    monkeypatch.setattr(module, "write", Mock(side_effect=StoreError("No space left on device")))
    with pytest.raises(StoreError, match="No space"):
        copy(replica.store.snapshot(), 0, made, Pace(0.0))
    assert [each.name for each in tmp_path.iterdir()] == ["0"]
    replica.store.abandon()


@pytest.mark.parametrize("step", ["before", "between", "after"])
def test_a_host_that_crashes_between_two_checkpoints_has_one_of_them(
    replica: Hosted, tmp_path: Path, step: str
) -> None:
    path = tmp_path / "0"
    made = checkpoints(replica, path)
    finish(made, replica)
    first = replica.durable
    put(replica, b"later", row(1))
    read_back(replica, 5.0)
    replica.commit(6.0)
    checkpoint = checkpoint_of(path)
    renamed = 0

    def rename(source: Path, target: Path) -> Path:
        nonlocal renamed
        if source.name.startswith(checkpoint.name) and renamed == {"before": 0, "between": 1, "after": 9}[step]:
            raise KeyboardInterrupt
        renamed += 1
        os.rename(source, target)
        return target

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        patched.setattr(module, "discard", lambda _path: None)  # a host that crashed tidies nothing
        with nullcontext() if step == "after" else pytest.raises(KeyboardInterrupt):
            copy(replica.store.snapshot(), 0, checkpoint, Pace(0.0))
    found = durable_of(path, ORIGIN)
    assert found == (durable_at(replica.replica.place) if step == "after" else first)
    replica.store.abandon()
    assert restore(path)
    copy_again = LmdbStore(path)
    assert copy_again.place() is not None
    copy_again.abandon()


def test_a_disk_that_refuses_the_copy_of_a_checkpoint_is_one_replicas_trouble(
    replica: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(checkpoints(replica, tmp_path / "0"), replica)
    replica.store.abandon()
    monkeypatch.setattr(shutil, "copytree", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="No space"):
        restore(tmp_path / "0")
