"""A replica that leaves a node: out of the way at once, and gone for certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynabus.adapters.data_folder import DataFolder, DataFolderError
from dynabus.core.ids import LogId, PartitionId

HERE = PartitionId(LogId("a" * 32), 3)


def test_what_is_set_aside_makes_room_and_is_found_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "node")
    assert folder.set_aside(HERE) is None
    folder.replica(HERE).mkdir(parents=True)
    (folder.replica(HERE) / "data.mdb").write_bytes(b"old")
    aside = folder.set_aside(HERE)
    assert aside is not None
    assert not folder.replica(HERE).exists()
    folder.replica(HERE).mkdir()
    assert folder.left_aside() == [aside]
    assert (aside / "data.mdb").read_bytes() == b"old"
    assert folder.set_aside(HERE) != aside
    folder.close()


def test_another_admin_log_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "node")
    folder.check_admin_log("dynabus.admin-log", None)  # it is not made yet
    folder.check_admin_log("dynabus.admin-log", "old")
    folder.check_admin_log("dynabus.admin-log", "old")
    told = r"belongs to dynabus\.admin-log with the topic id old, and "
    with pytest.raises(DataFolderError, match=told + "the one that is here is topic new. Nothing was changed"):
        folder.check_admin_log("dynabus.admin-log", "new")
    with pytest.raises(DataFolderError, match=told + "here is none. Nothing was changed"):
        folder.check_admin_log("dynabus.admin-log", None)
    folder.check_admin_log("dynabus.admin-log", "old")
    folder.close()


def test_another_kafka_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "node")
    folder.check_kafka("old")
    folder.check_kafka("old")
    (folder.replica(HERE)).mkdir(parents=True)
    before = sorted(path.name for path in folder.path.rglob("*"))
    with pytest.raises(DataFolderError, match=r"belongs to Kafka cluster old, and this Kafka is cluster new"):
        folder.check_kafka("new")
    folder.check_kafka("old")
    assert sorted(path.name for path in folder.path.rglob("*")) == before
    folder.close()
