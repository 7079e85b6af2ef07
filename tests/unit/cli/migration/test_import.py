"""`dynabus import` of files: what is taken, what is refused, and how it goes on."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.cli.migration.stand_in import StandIn
from tests.unit.cli.migration.test_export import DENIED, EVERY_TYPE, folder_of, large

from dynabus.cli.main import main


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": f"k{number:05d}"}, **more}


def write(path: Path, *items: Any, envelope: bool = False) -> Path:
    lines = [orjson.dumps({"Item": each} if envelope else each) + b"\n" for each in items]
    content = b"".join(lines)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def exported(endpoint: StandIn, tmp_path: Path) -> Path:
    """The folder of an export of table `source` with every type and 60 items more."""
    endpoint.cluster.table("source")
    endpoint.put("source", EVERY_TYPE, *large(60, 1))
    assert main(["export", "source", "--to", "out"]) == 0
    return folder_of(tmp_path / "out")


@pytest.mark.parametrize("named", ["out", "out/AWSDynamoDB", "export"])
def test_an_export_becomes_the_same_table(endpoint: StandIn, exported: Path, named: str) -> None:
    source = str(exported) if named == "export" else named
    assert main(["import", source, "--table", "target"]) == 0
    assert endpoint.items("target") == endpoint.items("source")
    assert not list(Path().glob("*.state.jsonl"))


def test_an_export_goes_into_the_table_of_its_name(endpoint: StandIn, exported: Path) -> None:
    before = endpoint.items("source")
    endpoint.cluster.ask("DeleteTable", TableName="source")
    assert main(["import", "out"]) == 0
    assert endpoint.items("source") == before


def test_loose_files_of_any_form(endpoint: StandIn, tmp_path: Path) -> None:
    endpoint.cluster.table("any")
    folder = tmp_path / "loose"
    folder.mkdir()
    write(folder / "a.json", item(1), item(2))
    write(folder / "b.json.gz", item(3), envelope=True)
    (folder / "c.jsonl").write_bytes(b"\n" + orjson.dumps(item(4)) + b"\r\n\n" + orjson.dumps(item(5)))
    (folder / "README").write_text("not an item")
    write(tmp_path / "named-anything", item(6))
    assert main(["import", "loose", "named-anything", "--table", "any"]) == 0
    assert endpoint.items("any") == [item(number) for number in range(1, 7)]


def test_an_attribute_may_be_called_item(endpoint: StandIn) -> None:
    keys = {
        "AttributeDefinitions": [{"AttributeName": "Item", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "Item", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    endpoint.cluster.ask("CreateTable", TableName="items", **keys)
    write(Path("a.json"), {"Item": {"S": "bare"}}, {"Item": {"Item": {"S": "in an envelope"}}})
    assert main(["import", "a.json", "--table", "items"]) == 0
    assert endpoint.items("items") == [{"Item": {"S": "bare"}}, {"Item": {"S": "in an envelope"}}]


def test_of_two_lines_with_one_key_the_later_wins(endpoint: StandIn) -> None:
    endpoint.cluster.table("any", hash_type="N")
    # The same number in many spellings, within one window (400 items) and over several; workers would race otherwise.
    spellings = ["7", "7.0", "07", "70E-1"]
    rows = [{"pk": {"N": spellings[n % 4]}, "v": {"N": str(n)}} for n in range(1000)]
    fill = [{"pk": {"N": str(1000 + n % 450)}, "v": {"N": str(n)}} for n in range(1000)]
    write(Path("a.json"), *(each for pair in zip(rows, fill, strict=True) for each in pair))
    assert main(["import", "a.json", "--table", "any", "--workers", "2"]) == 0
    found = {each["pk"]["N"]: each["v"]["N"] for each in endpoint.items("any")}
    assert found == {"7": "999", **{str(1000 + n % 450): str(n) for n in range(1000)}}


def test_an_import_that_failed_goes_on_behind_what_was_acknowledged(
    endpoint: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.cluster.table("any")
    write(Path("a.json"), *map(item, range(750)))
    write(Path("b.json.gz"), *map(item, range(750, 1500)))
    command = ["import", "a.json", "b.json.gz", "--table", "any", "--workers", "2"]

    def deny_later(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        many = endpoint.asked.get("BatchWriteItem", 0) > 40
        return dict(DENIED) if many and operation == "BatchWriteItem" else None

    endpoint.bend = deny_later
    assert main(command) == 1
    assert "refuses to write to any: AccessDeniedException" in capsys.readouterr().err
    endpoint.bend = lambda operation, body: None
    endpoint.asked.clear()
    assert main(command) == 1
    assert "begun and not finished: --resume, or delete dynabus-import-any.state.jsonl" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert endpoint.items("any") == [item(number) for number in range(1500)]
    assert 60 - 40 <= endpoint.asked["BatchWriteItem"] <= 60 - 40 + 2 * 16, "at most two windows are put again"
    assert not list(Path().glob("*.state.jsonl"))


def test_a_state_file_is_not_used_for_another_import(endpoint: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("any")
    write(Path("a.json"), item(1))
    endpoint.bend = lambda operation, body: dict(DENIED) if operation == "BatchWriteItem" else None
    assert main(["import", "a.json", "--table", "any"]) == 1
    write(Path("a.json"), item(1), item(2))
    assert main(["import", "a.json", "--table", "any", "--resume"]) == 1
    assert "is of another import (files)" in capsys.readouterr().err


def test_unprocessed_items_are_sent_again(endpoint: StandIn) -> None:
    endpoint.cluster.table("any")
    write(Path("a.json"), *map(item, range(100)))

    def half(operation: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if operation != "BatchWriteItem" or len(writes := body["RequestItems"]["any"]) == 1:
            return None
        middle = len(writes) // 2
        endpoint.cluster.ask("BatchWriteItem", RequestItems={"any": writes[:middle]})
        return {"UnprocessedItems": {"any": writes[middle:]}}

    endpoint.bend = half
    assert main(["import", "a.json", "--table", "any"]) == 0
    assert endpoint.items("any") == [item(number) for number in range(100)]


BAD = [
    ("{", "not one JSON object on one line"),
    ("[1]", 'not an item: it should look like {"Item":{"name":{"S":"value"}}}'),
    ('{"Item": 7}', "not an item"),
    ('{"other":{"S":"x"}}', "Missing the key pk in the item"),
    ('{"pk":{"N":"7"}}', "Type mismatch for key pk expected: S actual: N"),
    ('{"pk":{"S":"deep"},"v":' + '{"L":[' * 300 + "]}" * 300 + "}", "no endpoint takes this: Recursion limit"),
    ('{"pk":{"S":""}}', "cannot contain an empty string value. Key: pk"),
    ('{"pk":{"S":"bad"},"v":{"N":"seven"}}', "The parameter cannot be converted to a numeric value: seven"),
    ('{"pk":{"S":"big"},"v":{"S":"' + "x" * 409_600 + '"}}', "Item size has exceeded the maximum allowed size"),
]


@pytest.mark.parametrize(("line", "says"), BAD, ids=range(len(BAD)))
def test_a_bad_line_stops_with_its_place(
    endpoint: StandIn, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    endpoint.cluster.table("any")
    Path("a.json").write_text(f"{orjson.dumps(item(1)).decode()}\n{line}\n{orjson.dumps(item(2)).decode()}\n")
    assert main(["import", "a.json", "--table", "any"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("dynabus: a.json:2: ")
    assert says in said
    assert main(["import", "a.json", "--table", "any", "--resume", "--skip-bad"]) == 0
    out, err = capsys.readouterr()
    assert "; 1 left out" in out
    assert "left out a.json:2: " in err
    assert endpoint.items("any") == [item(1), item(2)]


def test_what_the_endpoint_refuses_is_named_by_its_key(endpoint: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("any")
    write(Path("a.json"), *map(item, range(30)), item(30, v={"N": "x"}))
    assert main(["import", "a.json", "--table", "any"]) == 1
    assert '(key {"pk":{"S":"k00030"}})' in capsys.readouterr().err


def test_many_bad_lines_are_counted_and_the_first_listed(
    endpoint: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.cluster.table("any")
    Path("a.json").write_text("{\n" * 250)
    assert main(["import", "a.json", "--table", "any", "--skip-bad"]) == 0
    out, err = capsys.readouterr()
    assert out.strip().endswith("into any; 250 left out")
    assert err.count("left out a.json:") == 100


def test_a_line_longer_than_any_item(endpoint: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynabus.cli.migration.windows.LINE_BYTES_MOST", 1000)
    endpoint.cluster.table("any")
    write(Path("a.json"), item(1), item(2, v={"S": "x" * 5000}), item(3))
    assert main(["import", "a.json", "--table", "any", "--skip-bad"]) == 0
    assert endpoint.items("any") == [item(1), item(3)]


def test_a_damaged_data_file_imports_nothing(
    endpoint: StandIn, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = max((exported / "data").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert main(["import", str(damaged), "--table", "source"]) == 1
    assert str(damaged) in capsys.readouterr().err
    Path("dynabus-import-source.state.jsonl").unlink()
    assert main(["import", "out", "--table", "target"]) == 1
    assert f"{damaged.name} does not have the checksum in the manifest" in capsys.readouterr().err
    damaged.unlink()
    assert main(["import", "out", "--table", "target", "--resume"]) == 1
    assert f"{damaged.name} is missing" in capsys.readouterr().err


def test_a_damaged_manifest(endpoint: StandIn, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (exported / "manifest-files.json").write_bytes(b"")
    assert main(["import", "out"]) == 1
    assert "manifest-files.json does not have the checksum in manifest-files.checksum" in capsys.readouterr().err


def test_a_file_that_is_cut_short(endpoint: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("any")
    path = write(Path("a.json.gz"), *map(item, range(1000)))
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["import", "a.json.gz", "--table", "any"]) == 1
    assert "a.json.gz is damaged or cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere", "--table", "any"], "no file or folder nowhere"),
        (["empty", "--table", "any"], "empty holds no export and no file of DynamoDB JSON lines"),
        (["a.json"], "into which table? say --table NAME"),
        (["a.json", "--table", "missing"], "no table 'missing'"),
        (["a.json", "--table", "missing", "--create-from", "a.json"], "a.json describes no table"),
        ([], "import what?"),
        (["a.json", "--from-endpoint", "aws", "--from-table", "x"], "import either files or"),
        (["--from-table", "x"], "a copy wants both"),
        (["a.json", "--table", "any", "--endpoint-url", "127.0.0.1:8000"], "is no endpoint; it looks like"),
        (["a.json", "--table", "any", "--endpoint-url", "aws"], "which region of AWS?"),
        (["a.json", "--table", "any", "--endpoint-url", "aws", "--region", "eu-west-1"], "no credentials for AWS"),
        (["a.json", "--table", "any", "--profile", "nobody"], "The config profile (nobody) could not be found"),
    ],
)
def test_what_goes_wrong_on_the_first_day(
    endpoint: StandIn, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    endpoint.cluster.table("any")
    Path("empty").mkdir()
    write(Path("a.json"), item(1))
    assert main(["import", *arguments]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_an_export_that_is_not_finished(endpoint: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.cluster.table("any")
    endpoint.bend = lambda operation, body: dict(DENIED) if operation == "Scan" else None
    assert main(["export", "any", "--to", "out"]) == 1
    assert main(["import", "out"]) == 1
    assert "the export in out is not finished" in capsys.readouterr().err
