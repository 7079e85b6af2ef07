"""`up` with access keys and a certificate: what is kept, what is refused, and what people are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.request_router.certificates import certificate

from dynabus.adapters.ports import is_loopback
from dynabus.cli.arguments import parser
from dynabus.cli.cluster import ROUTER, Cluster
from dynabus.cli.door import OFF, check_door, environment, who_may
from dynabus.cli.plan import Wish, plan
from dynabus.cli.problem import Problem
from dynabus.cli.welcome import welcome


def planned(known: Cluster | None = None, **wish: Any) -> Cluster:
    cluster, _ = plan(known, Wish(**wish))
    cluster.kafka_source, cluster.kafka_bootstrap = "local", "127.0.0.1:9"
    return cluster


def running(cluster: Cluster) -> Cluster:
    for router in cluster.of(ROUTER):
        router.started(os.getpid())
    return cluster


def test_flags_are_kept_and_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = planned(auth="keys.toml", tls_cert="a.pem", tls_key="a.key")
    assert (first.auth, first.tls_cert) == (str(tmp_path / "keys.toml"), str(tmp_path / "a.pem"))
    assert first.endpoint == "https://127.0.0.1:8000"
    again = planned(first)
    assert (again.auth, again.tls_cert, again.tls_key) == (first.auth, first.tls_cert, first.tls_key)
    both = planned(again, tls_cert="both.pem")
    assert (both.tls_cert, both.tls_key) == (str(tmp_path / "both.pem"), None)
    open_ = planned(both, auth=OFF, tls_cert=OFF)
    assert (open_.auth, open_.tls_cert, open_.tls_key) == (None, None, None)
    assert environment(open_) == {"DYNABUS_AUTH": "", "DYNABUS_TLS_CERT": "", "DYNABUS_TLS_KEY": ""}


@pytest.mark.parametrize("wish", [{"auth": "x"}, {"tls_cert": "x"}, {"auth": OFF}, {"tls_cert": OFF}])
def test_routers_that_run_are_not_changed(wish: dict[str, str]) -> None:
    cluster = running(planned(auth="keys.toml", tls_cert="a.pem"))
    assert planned(cluster, auth="keys.toml").auth == cluster.auth
    with pytest.raises(Problem, match="`dynabus down` first"):
        planned(cluster, **wish)


@pytest.mark.parametrize("cert", [None, OFF])
def test_a_key_needs_its_certificate(cert: str | None) -> None:
    with pytest.raises(Problem, match="--tls-key: a key needs its certificate"):
        planned(tls_cert=cert, tls_key="a.key")


def test_files_are_looked_at_before_anything_starts(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    with pytest.raises(Problem, match=r"access keys .*keys\.toml: No such file"):
        check_door(planned(auth=str(keys)))
    keys.touch(0o600)
    keys.write_text('A = "b"')
    cert, key = certificate(tmp_path, "a")
    check_door(planned(auth=str(keys), tls_cert=str(cert), tls_key=str(key)))
    keys.chmod(0o644)
    with pytest.raises(Problem, match="chmod 600"):
        check_door(planned(auth=str(keys)))
    with pytest.raises(Problem, match="no private key in PEM form"):
        check_door(planned(tls_cert=str(cert)))


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dynabus.cli.main", "up", "--data", str(tmp_path / "d"), "--kafka", "mock"]
    done = subprocess.run(
        [*command, "--auth", "none.toml"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr == f"dynabus: access keys {tmp_path}/none.toml: No such file or directory\n"


def test_variables_stand_for_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNABUS_REGION", "eu-west-1")
    assert parser().parse_args(["up"]).region == "eu-west-1"
    monkeypatch.setenv("DYNABUS_AUTH", "keys.toml")
    monkeypatch.setenv("DYNABUS_TLS_CERT", "")
    options = parser().parse_args(["up"])
    assert (options.auth, options.tls_cert, options.tls_key) == ("keys.toml", None, None)
    assert parser().parse_args(["up", "--auth", "other.toml"]).auth == "other.toml"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({}, "open: any access key is accepted, on 127.0.0.1 only"),
        ({"host": "0.0.0.0"}, "OPEN TO WHOEVER REACHES 0.0.0.0: any access key is accepted; --auth FILE closes it"),
        ({"host": "0.0.0.0", "auth": "/k.toml"}, "requests must be signed with an access key of /k.toml"),
    ],
)
def test_people_are_told_who_may_come_in(wish: dict[str, Any], says: str) -> None:
    cluster = planned(**wish)
    assert who_may(cluster) == says
    assert says in welcome(cluster, Path(".dynabus"))
    assert ('aws_access_key_id="any"' in welcome(cluster, Path(".dynabus"))) == ("auth" not in wish)


@pytest.mark.parametrize(("wish", "region"), [({}, "us-east-1"), ({"region": "eu-west-1"}, "eu-west-1")])
def test_the_two_lines_of_boto3_name_the_region(wish: dict[str, Any], region: str) -> None:
    assert f'region_name="{region}"' in welcome(planned(**wish), Path(".dynabus"))


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_addresses_of_this_machine_alone(host: str, is_one: bool) -> None:
    assert is_loopback(host) is is_one
