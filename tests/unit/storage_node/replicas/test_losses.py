"""What is frozen stays frozen: by metadata, and by what is written beside a store (I9)."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.unit.storage_node.stand_ins import PARTITION, leading

from dynabus.adapters.data_folder import DataFolder
from dynabus.adapters.lmdb import loss_kept
from dynabus.core.ids import LogId
from dynabus.core.replication.effects import Append
from dynabus.storage_node.replicas import losses as module
from dynabus.storage_node.replicas.assignments import Change
from dynabus.storage_node.replicas.losses import Losses

LOG = LogId(PARTITION.log)


def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "node")
    made.replica(PARTITION).mkdir(parents=True)
    return made


def test_what_a_replica_saw_is_kept_over_a_restart(tmp_path: Path) -> None:
    disk = folder(tmp_path)
    losses, replica = Losses(disk), leading()
    losses.keep(replica)
    assert PARTITION not in losses
    replica.replica.lose("place 9 lies beyond the log's end 3", 5.0)
    losses.keep(replica)
    assert PARTITION in losses
    assert loss_kept(disk.replica(PARTITION)).startswith("place 9 lies beyond")
    # Another run, for which the place seems to lie in the log: fences made it longer.
    again, later = leading(), Losses(disk)
    assert later.reopened(again, 6.0, fence=True)
    assert (again.state, again.alarm) == ("frozen", "place 9 lies beyond the log's end 3")
    assert [each for each in again.replica.take_effects() if isinstance(each, Append)]
    disk.close()


def test_what_another_told_is_not_written_down_but_decided(tmp_path: Path) -> None:
    disk = folder(tmp_path)
    losses, replica = Losses(disk), leading()
    assert not losses.reopened(replica, 1.0, fence=True)
    losses.freeze(replica, 1.0)
    assert replica.replica.alarm is None
    assert losses.learn(Change(table=LOG, frozen=frozenset({PARTITION}))) == {PARTITION}
    losses.freeze(replica, 2.0)
    losses.keep(replica)
    assert PARTITION in losses
    assert replica.state == "frozen"
    assert not replica.replica.saw_loss
    assert loss_kept(disk.replica(PARTITION)) == ""
    assert losses.learn(Change(table=LogId("b" * 32))) == frozenset()
    assert PARTITION in losses, "another table's metadata says nothing about it"
    disk.close()


def test_what_the_disk_refuses_is_written_down_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = folder(tmp_path)
    losses, replica = Losses(disk), leading()
    replica.replica.lose("place 9 lies beyond the log's end 3", 5.0)
    with monkeypatch.context() as patched:
        patched.setattr(module, "keep_loss", Mock(side_effect=OSError(28, "No space left on device")))
        losses.keep(replica)
        losses.keep(replica)
    assert loss_kept(disk.replica(PARTITION)) == ""
    losses.keep(replica)
    assert loss_kept(disk.replica(PARTITION)).startswith("place 9 lies beyond")
    disk.close()


def test_a_file_without_a_word_in_it_says_enough(tmp_path: Path) -> None:
    disk = folder(tmp_path)
    (disk.replica(PARTITION) / "lost").touch()
    assert PARTITION in Losses(disk)
    disk.close()
