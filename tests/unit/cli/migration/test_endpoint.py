"""Where requests go, and in whose name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from dynabus.cli.main import main
from dynabus.cli.migration.endpoint import LOCAL, Where, connect
from dynabus.cli.problem import Problem

FRANKFURT = "dynamodb.eu-central-1.amazonaws.com"
LONDON = "dynamodb.eu-west-2.amazonaws.com"
BEIJING = "dynamodb.cn-north-1.amazonaws.com.cn"


def test_nothing_said_is_this_machine() -> None:
    assert connect(Where(), 1).url == f"{LOCAL}/"


def test_the_sdks_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert connect(Where(), 1).url == "http://127.0.0.1:1/"
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2")
    assert connect(Where(), 1).url == "http://127.0.0.1:2/"
    assert connect(Where("http://127.0.0.1:3/path"), 1).url == "http://127.0.0.1:3/path"


def test_aws_by_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert connect(Where("aws", "eu-central-1"), 1).url == f"https://{FRANKFURT}/"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    assert connect(Where("aws"), 1).url == f"https://{BEIJING}/"


def signature(where: Where) -> str:
    """The credential scope of a signed request."""
    from botocore.awsrequest import AWSRequest

    request = AWSRequest("POST", "http://localhost/", data=b"{}")
    connect(where, 1)._signer.add_auth(request)
    return str(request.headers["Authorization"]).partition("Credential=")[2].partition(",")[0]


def test_in_whose_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert signature(Where()).startswith("dynabus/")
    assert signature(Where()).endswith("/us-east-1/dynamodb/aws4_request")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert signature(Where()).startswith("someone/")
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id=profile\naws_secret_access_key=s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert signature(Where(profile="other")).startswith("profile/")
    url = f"https://{LONDON}"
    assert signature(Where(url)).endswith("/eu-west-2/dynamodb/aws4_request")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http:", "8000"])
def test_what_is_no_endpoint(url: str) -> None:
    with pytest.raises(Problem, match="is no endpoint; it looks like"):
        connect(Where(url), 1)


def test_a_package_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["export", "any", "--to", "out"]) == 1
    assert capsys.readouterr().err == "dynabus: botocore is missing: pip install 'dynabus[migrate]'\n"
