"""What ended before its journal was begun, and is gone on with all the same."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.migration.stand_in import StandIn
from tests.unit.cli.migration.test_export import folder_of, keys, large
from tests.unit.cli.migration.test_import import item, write

from dynabus.cli.main import main
from dynabus.cli.migration import exporting
from dynabus.cli.migration.journal import Journal

EXPORT = ["export", "any", "--to", "out"]
IMPORT = ["import", "a.json", "--table", "any"]
STATE = "export-state.jsonl"
TORN = b'{"version":1,"work":"exp'


@pytest.fixture(autouse=True)
def _table(endpoint: StandIn) -> None:
    endpoint.cluster.table("any")
    endpoint.put("any", *large(3))


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def fail(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, command: list[str]) -> None:
    """The command, on a disk that is full once it gets to that function."""
    with monkeypatch.context() as patch:
        patch.setattr(where, name, full)
        assert main(command) == 1


def exported_by(*command: str) -> Path:
    assert main([*command]) == 0
    folder = folder_of(Path("out"))
    assert keys(folder) == ["key-0", "key-1", "key-2"]
    assert (folder / "manifest-summary.json").exists()
    return folder


@pytest.mark.parametrize(
    ("where", "name"),
    [(Path, "touch"), (exporting, "write_atomically"), (Journal, "begin"), (Journal, "append")],
    ids=["folders", "_started", "no journal", "an empty journal"],
)
def test_an_export_that_met_a_full_disk_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: Any, name: str
) -> None:
    fail(monkeypatch, where, name, EXPORT)
    assert "--resume goes on" in capsys.readouterr().err
    first = folder_of(Path("out"))
    assert (first / STATE).exists() == (name == "append")
    assert main(EXPORT) == 1
    assert "not empty: choose another folder, or --resume the export that was begun" in capsys.readouterr().err
    exported_by(*EXPORT, "--resume")
    assert not first.exists()


def test_an_export_that_met_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch, Journal, "append", EXPORT)
    fail(monkeypatch, Journal, "append", [*EXPORT, "--resume"])
    exported_by(*EXPORT, "--resume")


@pytest.mark.parametrize("content", [b"", b"{", TORN])
def test_an_export_whose_first_line_is_torn(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    fail(monkeypatch, Journal, "begin", EXPORT)
    begun = folder_of(Path("out"))
    (begun / STATE).write_bytes(content)
    (begun / "table-description.json").rename(begun / "table-description.json.unfinished")
    exported_by(*EXPORT, "--resume")


def test_the_folders_alone() -> None:
    Path("out/AWSDynamoDB").mkdir(parents=True)
    exported_by(*EXPORT, "--resume")


def data_file(begun: Path) -> Path:
    return begun / "data" / "00000-00000.json.gz"


def somebodys(begun: Path) -> Path:
    return begun / "notes"


def beside_it(begun: Path) -> Path:
    return begun.parent / "notes"


def folder_of_another(begun: Path) -> Path:
    (begun.parent / "another").mkdir()
    return begun.parent / "another" / "notes"


@pytest.mark.parametrize("place", [data_file, somebodys, beside_it, folder_of_another])
def test_whatever_else_is_there_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Callable[[Path], Path]
) -> None:
    fail(monkeypatch, Journal, "append", EXPORT)
    path = place(folder_of(Path("out")))
    path.write_bytes(b"mine")
    capsys.readouterr()
    assert main([*EXPORT, "--resume"]) == 1
    assert capsys.readouterr().err == "dynabus: out is not empty: choose another folder\n"
    assert path.read_bytes() == b"mine"


def test_a_journal_of_another_version_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(monkeypatch, Journal, "begin", EXPORT)
    state = folder_of(Path("out")) / STATE
    state.write_bytes(b'{"version":99}\n')
    assert main([*EXPORT, "--resume"]) == 1
    assert "is no state file of this version of dynabus" in capsys.readouterr().err
    assert state.exists()


@pytest.mark.parametrize("resume", [[], ["--resume"]])
@pytest.mark.parametrize("content", [b"", TORN])
def test_an_import_whose_journal_was_never_begun(endpoint: StandIn, content: bytes, resume: list[str]) -> None:
    write(Path("a.json"), item(1))
    state = Path("dynabus-import-any.state.jsonl")
    state.write_bytes(content)
    assert main([*IMPORT, *resume]) == 0
    assert item(1) in endpoint.items("any")
    assert not state.exists()


def test_an_import_that_met_a_full_disk_at_once(endpoint: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("a.json"), item(1))
    fail(monkeypatch, Journal, "append", IMPORT)
    assert Path("dynabus-import-any.state.jsonl").read_bytes() == b""
    assert main([*IMPORT, "--resume"]) == 0
    assert item(1) in endpoint.items("any")


def test_a_file_that_is_no_journal_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("a.json"), item(1))
    Path("mine").write_text("one line, no end")
    assert main([*IMPORT, "--state", "mine", "--resume"]) == 1
    assert "mine is no state file of this version" in capsys.readouterr().err
    assert Path("mine").read_text() == "one line, no end"
