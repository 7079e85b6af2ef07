"""`dynabus region`, and `up --region`; with real clusters: tests/integration/test_regions.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dynabus.cli.arguments import parser
from dynabus.cli.plan import Wish, plan
from dynabus.cli.problem import Problem
from dynabus.cli.region import Peer, clear_secrets, peers_of
from dynabus.cli.region_status import _replicas, _unmanned, problems, render
from dynabus.cli.region_view import Planet
from dynabus.core.global_tables.links import ACTIVE, DELETING, Link
from dynabus.core.topics import Topics

ADDRESS = ["--kafka", "127.0.0.1:9093", "--endpoint", "http://127.0.0.1:8001"]
FILE = """
[regions.us-east-1]
kafka = "127.0.0.1:9093"
endpoint = "http://127.0.0.1:8001/"

[regions.us-west-2]
kafka = "127.0.0.1:9094,127.0.0.1:9095"
endpoint = "https://127.0.0.1:8002"
namespace = "west"
settings = { "security.protocol" = "SSL" }
"""


def added(*arguments: str) -> list[Peer]:
    return peers_of(parser().parse_args(["region", "add", *arguments]))


def test_by_flags(tmp_path: Path) -> None:
    plain = Peer("us-east-1", "127.0.0.1:9093", "http://127.0.0.1:8001", "dynabus", {})
    assert added("us-east-1", *ADDRESS) == [plain]
    settings = tmp_path / "client.properties"
    settings.write_text("security.protocol=SSL\n")
    more = ["--namespace", "east", "--settings", str(settings)]
    assert added("us-east-1", *ADDRESS, *more) == [
        plain._replace(namespace="east", settings={"security.protocol": "SSL"})
    ]


def test_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "regions.toml"
    file.write_text(FILE)
    east, west = added("--file", str(file))
    assert east == Peer("us-east-1", "127.0.0.1:9093", "http://127.0.0.1:8001", "dynabus", {})
    assert west == Peer(
        "us-west-2",
        "127.0.0.1:9094,127.0.0.1:9095",
        "https://127.0.0.1:8002",
        "west",
        {"security.protocol": "SSL"},
    )


def test_secrets_that_metadata_would_have() -> None:
    settings = {"sasl.username": "us", "sasl.password": "hush", "ssl.key.password": "file:/run/secrets/us"}
    peer = Peer("us-east-1", "127.0.0.1:9093", "http://127.0.0.1:8001", "dynabus", settings)
    assert clear_secrets(peer) == ["sasl.password"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "NAME, --kafka, --endpoint is missing"),
        (["us-east-1"], "--kafka, --endpoint is missing"),
        (["us-east-1", "--kafka", "local", *ADDRESS[2:]], "Kafka is named by HOST:PORT"),
        (["us-east-1", "--kafka", "http://127.0.0.1", *ADDRESS[2:]], "Kafka is named by HOST:PORT"),
        (["us-east-1", *ADDRESS[:2], "--endpoint", "127.0.0.1:8001"], "an endpoint is"),
        (["us-east-1", *ADDRESS, "--settings", "nowhere"], "cannot read --settings nowhere"),
        (["us-east-1", "--file", "x"], "--file has all"),
        (["--file", "nowhere"], "No such file"),
    ],
)
def test_what_is_no_address(arguments: list[str], part: str) -> None:
    with pytest.raises(Problem, match=part):
        added(*arguments)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("regions = 5", "no table"),
        ("[regions", "--file"),
        ("[regions.a]\nkafka = 'a:1'", "kafka and endpoint are needed"),
        ("[regions.a]\nkafka = 'a:1'\nendpoint = 'http://127.0.0.1'\nport = 5", "kafka and endpoint are needed"),
        ("[regions.a]\nkafka = 5\nendpoint = 'http://127.0.0.1'", "values are strings"),
        ("[regions.A]\nkafka = 'a:1'\nendpoint = 'http://127.0.0.1'", "small letters"),
        (
            "[regions.a]\nkafka = 'a:1'\nendpoint = 'http://127.0.0.1'\nsettings = { acks = '1' }",
            "acks is set by Dynabus",
        ),
    ],
)
def test_what_is_no_file_of_regions(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "regions.toml"
    file.write_text(text)
    with pytest.raises(Problem, match=part):
        added("--file", str(file))


@pytest.mark.parametrize("name", ["", "Europe", "eu west", "-eu", "eu_west", "e" * 33, "../x"])
def test_what_is_no_name(name: str) -> None:
    for arguments in (["up", f"--region={name}"], ["region", "remove", f"{name}"]):
        with pytest.raises(SystemExit):
            parser().parse_args(arguments)


# -- up -----------------------------------------------------------------------------------------------------------


def test_a_cluster_with_a_region_has_its_services() -> None:
    known, _ = plan(None, Wish(region="eu-west-1"))
    assert known.region == "eu-west-1"
    assert [each.name for each in known.of("repl-admin")] == ["repl-admin-1"]
    known.kafka_source = "local"
    again, _ = plan(known, Wish())
    assert again.region == "eu-west-1"
    plain, _ = plan(None, Wish())
    assert (plain.region, plain.of("repl-admin")) == (None, [])


def test_a_region_is_for_good() -> None:
    known, _ = plan(None, Wish(region="eu-west-1"))
    known.kafka_source = "local"
    with pytest.raises(Problem, match="region is eu-west-1, for good"):
        plan(known, Wish(region="us-east-1"))
    plain, _ = plan(None, Wish())
    plain.kafka_source = "local"
    with pytest.raises(Problem, match="region is us-east-1, for good"):
        plan(plain, Wish(region="eu-west-1"))
    named, _ = plan(plain, Wish(region="us-east-1"))
    assert named.of("repl-admin") != []


# -- status -------------------------------------------------------------------------------------------------------


def status(**replica: Any) -> dict[str, Any]:
    shown = {
        "table": "music",
        "region": "us-east-1",
        "status": "ACTIVE",
        "why": "",
        "link": "ACTIVE",
        "backlog": 5,
        "latency_ms": 41.7,
        "alarm": "",
    }
    region = {"name": "us-east-1", "kafka": "k:1", "namespace": "dynabus", "endpoint": "e", "silent": ""}
    seen = {"region": "eu-west-1", "regions": [region], "replicas": [{**shown, **replica}]}
    return {**seen, "copies": [], "copy_limits": None, "problems": [], "asked": True}


def test_status_for_people() -> None:
    lines = [line.split() for line in render(status()).splitlines()]
    assert lines[0] == ["region", "eu-west-1"]
    assert ["us-east-1", "k:1", "dynabus", "e"] in lines
    assert lines[-1] == ["music", "us-east-1", "ACTIVE", "ACTIVE", "5", "42", "ms"]


def test_alarms() -> None:
    failed = render(status(status="CREATION_FAILED", why="another key", link=None, backlog=None, latency_ms=None))
    assert "ALARM  music in us-east-1: another key" in failed
    assert "about to drop" in render(status(alarm="at risk"))
    assert "copied again" in render(status(alarm="lost"))
    silent = status()
    silent["regions"][0]["silent"] = "no answer"
    assert "ALARM  region us-east-1 does not answer: no answer" in render(silent)


def test_a_table_that_waits_for_its_last_link_is_shown() -> None:
    line = {"table": "music", "region": "us-east-1", "status": "DRAINING", "backlog": 3, "latency_ms": None}
    (shown,) = _replicas(Planet(), [{**line, "alarm": "at risk"}])
    assert (shown["status"], shown["link"], shown["backlog"]) == ("DELETING", "DRAINING", 3)
    text = render({**status(), "replicas": [shown]})
    assert ["music", "us-east-1", "DELETING", "DRAINING", "3", "-"] in [row.split() for row in text.splitlines()]
    assert "about to drop" in text


def test_copies_and_what_services_say_is_wrong() -> None:
    told: list[dict[str, Any]] = [
        {"destinations": [{"region": "us-east-1", "alarm": "not reached: refused"}, {"region": "ap-east-1"}]},
        {
            "imports": [{"source": "us-east-1", "table": "music", "parked": 3}],
            "alarms": [{"source": "us-east-1", "table": "music", "alarm": "another key"}],
        },
        {
            "copies": [{"table": "films", "region": "us-east-1", "alarm": "it failed: damaged"}, {"table": "x"}],
            "refused": [{"table": "music", "why": "once a day"}],
        },
    ]
    copies = [{"table": "films", "region": "us-east-1", "state": "copying", "items": 7}]
    limits = {"at_once": 4, "items_per_s": 900}
    text = render({**status(), "copies": copies, "copy_limits": limits, "problems": problems(told)})
    assert ["films", "us-east-1", "copying", "7"] in [line.split() for line in text.splitlines()]
    assert "copies    4 at once to a region, 900 items/s together" in text
    assert [line for line in text.splitlines() if line.startswith("ALARM")] == [
        "ALARM  to us-east-1: not reached: refused",
        "ALARM  from us-east-1 music: 3 changes are parked: another key",
        "ALARM  copy to us-east-1 films: it failed: damaged",
        "ALARM  settings music: once a day",
    ]


def test_who_does_not_run_is_an_alarm_and_who_cannot_be_asked_is_told() -> None:
    planet = Planet()
    for name, kafka in (("eu", ""), ("us", "k:1")):
        values = {"version": 1, "namespace": "ns", "endpoint": "", "settings": "{}", "removed": False}
        planet.regions.take("region_metadata", f"region/{name}", {**values, "name": name, "kafka": kafka})
    members = {"ns.rep-in": 1, "ns.repl-admin": 0, "ns.rep-out.us": 0}
    admin = SimpleNamespace(group_members=members.__getitem__)
    going = Link("t", "music", "us", 1, DELETING, 0, True, "1", ["eu"], {}, "there")
    planet.links.all["t", "us"] = going
    assert _unmanned(cast("Any", admin), Topics("ns"), planet) == ["no repl-admin runs"]
    planet.links.all["t", "us"] = going._replace(status=ACTIVE)
    missing = _unmanned(cast("Any", admin), Topics("ns"), planet)
    assert missing == ["no rep-out reads for us", "no repl-admin runs"]
    shown = [{"what": "", "region": None, "table": None, "why": why, "parked": 0} for why in missing]
    lines = render({**status(), "problems": shown, "asked": False}).splitlines()
    assert lines[-3:-1] == ["ALARM  no rep-out reads for us", "ALARM  no repl-admin runs"]
    assert lines[-1].startswith("NOTE   rep-out, rep-in and repl-admin run elsewhere")


def test_damaged_metadata_are_passed_by() -> None:
    planet = Planet()
    planet.take("region/x", b"damaged")
    planet.take("link/x/y", None)
    assert (planet.regions.own, planet.replicas()) == ("", [])
